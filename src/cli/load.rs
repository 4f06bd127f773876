use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::{CsvSyntax, LoadInput, LoadOptions, TableOptions, TableRows};
use crate::model::NamedNode;

#[derive(clap::Args)]
#[command(after_help = "\
Formats go by the file's name: .nq .nt .ttl .trig .rdf .jsonld, also with .gz or .zst after it.
A statement that does not parse stops the load and nothing of it is kept, unless --lenient.
Tables of nodes and relationships are CSV, with typed headers: docs/csv_import.md.

Examples: reefloom load ports.ttl calls.nq.zst -m 'ports and calls'
          reefloom load --nodes Person=person.csv --relationships KNOWS=knows.csv")]
pub struct Arguments {
    #[arg(required_unless_present_any = ["nodes", "relationships"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A CSV table of nodes; the first file's first line is the header
    #[arg(long, value_name = "[LABEL:..=]FILE,..", value_parser = nodes)]
    nodes: Vec<TableOptions>,
    /// A CSV table of relationships; the first file's first line is the header
    #[arg(long, value_name = "[TYPE=]FILE,..", value_parser = relationships)]
    relationships: Vec<TableOptions>,
    /// What stands between the cells of CSV tables: one character, or TAB
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// What stands between the items of a list in a cell
    #[arg(long, value_name = "CHARACTER", default_value = ";")]
    array_delimiter: char,
    /// Skip a line that repeats the header's names at the start of a table's other files
    #[arg(long)]
    auto_skip_subsequent_headers: bool,
    /// Where triples go that name no graph themselves
    #[arg(long, value_name = "IRI")]
    graph: Option<String>,
    /// The branch to load into [default: the workspace's default branch]
    #[arg(long, short)]
    branch: Option<String>,
    /// The format of FILE, whatever the names say: nq, nt, ttl, trig, rdf, jsonld
    #[arg(long)]
    format: Option<String>,
    /// Skip statements that do not parse; count and show them
    #[arg(long)]
    lenient: bool,
    /// The commit's message
    #[arg(long, short)]
    message: Option<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let graph = arguments.graph.as_deref().map(NamedNode::new).transpose();
    let graph = graph.map_err(|error| Failure::usage(format!("--graph: {error}")))?;
    let tables: Vec<TableOptions> = arguments.nodes.into_iter().chain(arguments.relationships).collect();
    let files = arguments.files.iter().chain(tables.iter().flat_map(|table| &table.files));
    let files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    let message = arguments.message.unwrap_or_else(|| format!("load {}", files.join(", ")));
    let engine = place::take(config)?;
    let input = LoadInput::open(&LoadOptions {
        files: arguments.files,
        tables,
        csv: CsvSyntax {
            delimiter: arguments.delimiter,
            list_delimiter: arguments.array_delimiter,
            skips_headers: arguments.auto_skip_subsequent_headers,
        },
        format: arguments.format,
        graph,
        lenient: arguments.lenient,
    })
    .map_err(|error| Failure::other(error.to_string()))?;
    let bar = output::byte_bar(input.bytes_total());
    let (watched, bytes_read) = (bar.clone(), input.bytes_read());
    let started = Instant::now();
    let progress = move |quads: u64| {
        watched.set_position(bytes_read.load(Ordering::Relaxed));
        watched
            .set_message(format!("{quads} quads, {:.0}/s", quads as f64 / started.elapsed().as_secs_f64()));
    };
    let branch = arguments.branch.or_else(|| config.at.clone());
    let loaded = engine.load(
        config.workspace.as_deref(),
        branch.as_deref(),
        input,
        &message,
        output::now_ms(),
        &progress,
    )?;
    bar.finish_and_clear();
    for fault in &loaded.skipped.shown {
        eprintln!("skipped {fault}");
    }
    let elapsed: Duration = started.elapsed();
    let object = serde_json::json!({
        "workspace": loaded.workspace, "branch": loaded.branch, "commit": loaded.commit.to_string(),
        "quadsRead": loaded.quads_read, "quadsAdded": loaded.quads_added, "skipped": loaded.skipped.count,
        "seconds": elapsed.as_secs_f64(),
    });
    output::print(config, &object, || {
        let skipped = match loaded.skipped.count {
            0 => String::new(),
            count => format!(", {count} bad statement(s) skipped"),
        };
        format!(
            "{} quads added to {}@{} in {:.1} s{skipped}\ncommit {}",
            loaded.quads_added,
            loaded.workspace,
            loaded.branch,
            elapsed.as_secs_f64(),
            loaded.commit
        )
    })
}

/// Reads `LABEL:LABEL=FILE,FILE`.
fn nodes(text: &str) -> Result<TableOptions, String> {
    let (labels, files) = table(text)?;
    let labels = labels.unwrap_or_default().split(':').filter(|label| !label.is_empty());
    Ok(TableOptions { rows: TableRows::Nodes { labels: labels.map(str::to_owned).collect() }, files })
}

/// Reads `TYPE=FILE,FILE`.
fn relationships(text: &str) -> Result<TableOptions, String> {
    let (relationship_type, files) = table(text)?;
    let relationship_type = relationship_type.filter(|name| !name.is_empty()).map(str::to_owned);
    Ok(TableOptions { rows: TableRows::Relationships { relationship_type }, files })
}

fn table(text: &str) -> Result<(Option<&str>, Vec<PathBuf>), String> {
    let (name, files) = match text.split_once('=') {
        Some((name, files)) => (Some(name), files),
        None => (None, text),
    };
    let files: Vec<PathBuf> = files.split(',').filter(|file| !file.is_empty()).map(PathBuf::from).collect();
    match files.is_empty() {
        true => Err("no file is named".to_owned()),
        false => Ok((name, files)),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if text.eq_ignore_ascii_case("tab") || text == "\\t" => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("one ASCII character, or TAB".to_owned()),
    }
}
