use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::CollectOptions;

#[derive(clap::Args)]
#[command(after_help = "\
Kept are the history of every branch and pin, what other nodes' branches need as far as it is here, what
running queries read, and where deleted branches stood, unless --prune.

Example: reefloom gc --dry-run")]
pub struct Arguments {
    /// Count what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Also drop what only deleted branches lead to
    #[arg(long)]
    prune: bool,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let options = CollectOptions { is_dry_run: arguments.dry_run, forget_gone: arguments.prune };
    let collected = place::reach(config)?.collect_garbage(options)?;
    let object = serde_json::to_value(&collected).unwrap_or_default();
    output::print(config, &object, || {
        let (blocks, bytes) = (collected.blocks, output::bytes(collected.block_bytes));
        match collected.is_dry_run {
            true => format!("{blocks} block(s) of {bytes} would go, {} run(s) among them", collected.runs),
            false => format!(
                "{blocks} block(s) of {bytes} gone, {} run(s) among them; {} given back",
                collected.runs,
                output::bytes(collected.freed_bytes)
            ),
        }
    })
}
