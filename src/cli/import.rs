use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::{EngineError, EngineOptions, ImportOptions, Imported, Peering};

#[derive(clap::Args)]
#[command(after_help = "\
No network is needed. Every block is checked before any branch moves; then branches without commits
of their own follow, as in `reefloom sync`. What the file says of its branches stays readable as
import-FILE/BRANCH. Exit code 8 if the file was altered or cut, or is of another workspace.

Examples:
  reefloom import ships.car --ticket reefloom1...   a workspace that is new here, with its key
  reefloom import news.car                          the news of one that is here")]
pub struct Arguments {
    /// The file; - is the standard input
    #[arg(value_name = "FILE.car")]
    file: PathBuf,
    /// The ticket of a workspace that this node does not have yet
    #[arg(long)]
    ticket: Option<String>,
    /// Another name for that workspace here
    #[arg(long, value_name = "NAME", requires = "ticket")]
    name: Option<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let shown = arguments.file.display();
    let (input, total) =
        open(&arguments.file).map_err(|error| Failure::other(format!("cannot read {shown}: {error}")))?;
    let options = ImportOptions {
        workspace: config.workspace.clone(),
        ticket: arguments.ticket,
        name: arguments.name,
        origin: origin(&arguments.file),
    };
    let engine = place::take_any(EngineOptions { peering: Peering::Offline, ..place::options(config) })?;
    let bar = output::byte_bar(total);
    let imported = engine.import(input, &options, &|bytes| bar.set_position(bytes));
    bar.finish_and_clear();
    let imported = imported.map_err(|error| match error {
        EngineError::Unverified(reason) => EngineError::Unverified(format!("{shown}: {reason}")),
        other => other,
    })?;
    report(config, &imported)
}

/// Opens the file and tells its size, 0 if it has none.
fn open(file: &Path) -> io::Result<(Box<dyn BufRead>, u64)> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), 0));
    }
    let file = File::open(file)?;
    let bytes = file.metadata()?.len();
    Ok((Box::new(BufReader::with_capacity(1 << 20, file)), bytes))
}

fn origin(file: &Path) -> String {
    if file == Path::new("-") {
        return "stdin".to_owned();
    }
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn report(config: &Config, imported: &Imported) -> Result<(), Failure> {
    let missing: Vec<String> = imported.missing.iter().map(ToString::to_string).collect();
    let object = serde_json::json!({
        "workspace": imported.workspace, "new": imported.is_new, "peer": imported.peer,
        "blocks": imported.blocks, "newBlocks": imported.new_blocks, "bytes": imported.bytes,
        "moved": imported.moved, "diverged": imported.diverged, "unreached": imported.unreached,
        "missing": missing.len(), "firstMissing": missing.first(),
    });
    output::print(config, &object, || {
        let mut text = format!(
            "{}: {} blocks, {} of them new, {} read",
            imported.workspace,
            imported.blocks,
            imported.new_blocks,
            output::bytes(imported.bytes)
        );
        if imported.is_new {
            text.push_str("\n  the workspace is new here");
        }
        for branch in &imported.moved {
            text.push_str(&format!("\n  {branch} moved"));
        }
        for branch in &imported.diverged {
            text.push_str(&format!("\n  {branch} has commits of its own and was left where it is"));
        }
        for branch in &imported.unreached {
            text.push_str(&format!("\n  {branch} was left where it is: commits in between are not here"));
        }
        if let Some(first) = missing.first() {
            text.push_str(&format!(
                "\n  {} block(s) that it builds on are not here (first: {first}): import the file before this \
                 one, or `reefloom sync --all`",
                missing.len()
            ));
        }
        text
    })
}
