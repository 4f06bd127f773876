use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::new_file::NewFile;
use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::{Consignment, EngineError, ExportOptions};

#[derive(clap::Args)]
#[command(after_help = "\
The file, a CARv1, holds sealed blocks: without the workspace's key it tells sizes and counts, no
more. All branches go into it, or the one that -w names. It appears whole or not at all.

Examples:
  reefloom export ships.car                        everything, for a node that has nothing
  reefloom export news.car --since main~5          the news, for one that has the rest
  reefloom export news.car --since import-a/main   what a.car, imported here, did not have
  reefloom export -w ships@main - --history-only | ssh harbour reefloom import -")]
pub struct Arguments {
    /// Where to write it; - is the standard output
    #[arg(value_name = "FILE.car")]
    file: PathBuf,
    /// Leave out what this branch or commit reaches: whoever gets the file has it already
    #[arg(long, value_name = "REF")]
    since: Option<String>,
    /// Leave out the sorted runs: a smaller file, and more work at its first query
    #[arg(long)]
    history_only: bool,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let target = Target::begin(&arguments.file, arguments.force)?;
    let engine = place::take(config)?;
    let hosted = engine.hosted(config.workspace.as_deref())?;
    let options = ExportOptions {
        branch: config.at.clone(),
        since: arguments.since,
        history_only: arguments.history_only,
    };
    let consignment = hosted.export(&options)?;
    let is_stdout = matches!(target, Target::Stdout);
    let block_bytes = target.write(&consignment)?;
    let contents = consignment.contents();
    let branches: Vec<&str> = contents.heads.iter().map(|head| head.branch.as_str()).collect();
    let builds_on: Vec<String> = contents.prerequisites.iter().map(ToString::to_string).collect();
    let object = serde_json::json!({
        "workspace": hosted.name(), "file": arguments.file, "branches": branches, "buildsOn": builds_on,
        "blocks": contents.blocks, "blockBytes": block_bytes,
    });
    let text = || {
        let rests = match builds_on.len() {
            0 => String::new(),
            count => format!(", to be imported where {count} commit(s) that it builds on are"),
        };
        let (count, size) = (contents.blocks, output::bytes(block_bytes));
        format!("{count} blocks, {size}, with {}{rests}", branches.join(", "))
    };
    tell(config, is_stdout, &object, text)
}

/// Where the file goes.
enum Target {
    Stdout,
    File(NewFile, BufWriter<File>),
}

impl Target {
    fn begin(file: &Path, may_replace: bool) -> Result<Target, Failure> {
        if file != Path::new("-") {
            let (file, out) = NewFile::begin(file, may_replace)?;
            return Ok(Target::File(file, out));
        }
        if io::stdout().is_terminal() {
            let failure = Failure::usage("a carrier file is nothing for a terminal");
            return Err(failure.hint("send it to a file or through a pipe"));
        }
        Ok(Target::Stdout)
    }

    /// Writes the file, with a progress bar; returns the sealed bytes of its blocks.
    fn write(self, consignment: &Consignment) -> Result<u64, Failure> {
        let bar = output::block_bar(consignment.contents().blocks + 1);
        let bytes_written = Cell::new(0);
        let progress = |blocks, bytes| {
            bytes_written.set(bytes);
            bar.set_position(blocks);
            bar.set_message(output::bytes(bytes));
        };
        match self {
            Target::File(file, out) => {
                let out = consignment.write(out, &progress).map_err(EngineError::from)?;
                file.keep(out)?;
            }
            Target::Stdout => {
                let out = BufWriter::with_capacity(1 << 20, io::stdout().lock());
                consignment.write(out, &progress).map_err(EngineError::from)?;
            }
        }
        bar.finish_and_clear();
        Ok(bytes_written.get())
    }
}

/// Prints the report, to stderr if the data went to stdout.
fn tell(
    config: &Config,
    is_stdout: bool,
    object: &Value,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if is_stdout {
        eprintln!("{}", if config.json { object.to_string() } else { text() });
        return Ok(());
    }
    output::print(config, object, text)
}
