use super::{Failure, output};
use crate::config::Config;
use crate::engine;

#[derive(clap::Args)]
#[command(after_help = "\
The ticket holds the workspace's key: whoever has it can read everything. Pass it on as you would a
password. It works while `reefloom serve` runs here.")]
pub struct Arguments {
    /// An address at which peers can reach this node, HOST:PORT [default: where `serve` listens]
    #[arg(long, value_name = "HOST:PORT")]
    address: Vec<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let shared = engine::share(&config.data, config.workspace.as_deref(), &arguments.address, &config.p2p)?;
    if !shared.is_listening && !config.json {
        eprintln!(
            "no node serves {} now: start `reefloom serve` before somebody joins",
            config.data.display()
        );
    }
    let object = serde_json::json!({
        "workspace": shared.workspace, "ticket": shared.ticket, "addresses": shared.addresses,
    });
    output::print(config, &object, || shared.ticket.clone())
}
