use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(
    after_help = "Exit code 8 if anything is corrupt; blocks that are merely elsewhere are counted, not blamed."
)]
pub struct Arguments {}

pub fn run(config: &Config, _: Arguments) -> Result<(), Failure> {
    let engine = place::take(config)?;
    let mut corrupt = 0;
    for hosted in engine.workspaces() {
        let report = hosted.verify()?;
        corrupt += report.corrupt.len();
        let faults: Vec<String> =
            report.corrupt.iter().map(|(id, reason)| format!("{id}: {reason}")).collect();
        let object = serde_json::json!({
            "workspace": hosted.name(), "commits": report.commits, "blocks": report.blocks,
            "missing": report.missing.len(), "corrupt": faults,
        });
        output::print(config, &object, || {
            let mut text = format!(
                "{}: {} commits, {} blocks, {} elsewhere, {} corrupt",
                hosted.name(),
                report.commits,
                report.blocks,
                report.missing.len(),
                faults.len()
            );
            for fault in &faults {
                text.push_str(&format!("\n  {fault}"));
            }
            text
        })?;
    }
    match corrupt {
        0 => Ok(()),
        count => Err(Failure::verification(format!("{count} block(s) or commit(s) failed verification"))),
    }
}
