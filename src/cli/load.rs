use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::{LoadInput, LoadOptions};
use crate::model::NamedNode;

#[derive(clap::Args)]
#[command(after_help = "\
Formats go by the file's name: .nq .nt .ttl .trig .rdf .jsonld, also with .gz or .zst after it.
A statement that does not parse stops the load and nothing of it is kept, unless --lenient.

Example: reefloom load ports.ttl calls.nq.zst -m 'ports and calls'")]
pub struct Arguments {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where triples go that name no graph themselves
    #[arg(long, value_name = "IRI")]
    graph: Option<String>,
    /// The branch to load into [default: the workspace's default branch]
    #[arg(long, short)]
    branch: Option<String>,
    /// The format, whatever the names say: nq, nt, ttl, trig, rdf, jsonld
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
    let files: Vec<String> = arguments.files.iter().map(|file| file.display().to_string()).collect();
    let message = arguments.message.unwrap_or_else(|| format!("load {}", files.join(", ")));
    let engine = place::take(config)?;
    let input = LoadInput::open(&LoadOptions {
        files: arguments.files,
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
