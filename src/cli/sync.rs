use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(
    after_help = "Branches without commits of their own follow their peers' heads; others stay and are told of."
)]
pub struct Arguments {
    /// Also fetch every block of every branch, so that all can be asked offline
    #[arg(long)]
    all: bool,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let engine = place::take(config)?;
    for hosted in engine.workspaces() {
        if config.workspace.as_deref().is_some_and(|name| name != hosted.name()) {
            continue;
        }
        let report = hosted.sync(arguments.all)?;
        let object = serde_json::to_value(&report).unwrap_or_default();
        output::print(config, &object, || {
            let mut text = format!(
                "{}: {} block(s) fetched, {}",
                hosted.name(),
                report.blocks,
                output::bytes(report.bytes)
            );
            for branch in &report.moved {
                text.push_str(&format!("\n  {branch} moved"));
            }
            for branch in &report.diverged {
                text.push_str(&format!("\n  {branch} has commits of its own and was left where it is"));
            }
            text
        })?;
    }
    Ok(())
}
