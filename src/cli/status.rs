use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
pub struct Arguments {}

pub fn run(config: &Config, _: Arguments) -> Result<(), Failure> {
    let status = place::reach(config)?.status()?;
    let object = serde_json::to_value(&status).unwrap_or_default();
    output::print(config, &object, || {
        let mut text = format!(
            "node {}\ndata {}: {} block(s), {} in {} pack(s), {} of it dead",
            status.node,
            config.data.display(),
            status.blocks,
            output::bytes(status.bytes),
            status.packs,
            output::bytes(status.dead_bytes)
        );
        for workspace in &status.workspaces {
            text.push_str(&format!("\n\nworkspace {} ({})", workspace.name, workspace.id));
            if let Some(permutations) = &workspace.permutations {
                text.push_str(&format!("\n  permutations: {}", permutations.join(", ")));
            }
            for branch in &workspace.branches {
                let mark = if branch.is_default { "*" } else { " " };
                let quads =
                    branch.quads.map_or_else(|| "not here yet".to_owned(), |quads| format!("{quads} quads"));
                text.push_str(&format!("\n  {mark} {} {} {quads}", branch.name, branch.commit));
                let parts: Vec<String> = branch
                    .run_bytes
                    .iter()
                    .map(|(name, size)| format!("{name} {}", output::bytes(*size)))
                    .collect();
                if !parts.is_empty() {
                    text.push_str(&format!("\n      run: {}", parts.join(", ")));
                }
            }
            if !workspace.pins.is_empty() {
                text.push_str(&format!("\n  pinned: {}", workspace.pins.join(", ")));
            }
            for peer in &workspace.peers {
                text.push_str(&format!("\n  peer {peer}"));
            }
        }
        text
    })
}
