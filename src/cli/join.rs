use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(after_help = "\
Joining fetches only the heads of the branches. Queries fetch the blocks they need, check them and keep
them; `reefloom sync` fetches the news.")]
pub struct Arguments {
    ticket: String,
    /// Another name for the workspace here
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let engine = place::take_any(place::options(config))?;
    let joined = engine.join(&arguments.ticket, arguments.name.as_deref())?;
    let branches: Vec<String> = joined.branches()?.into_iter().map(|branch| branch.name).collect();
    let object = serde_json::json!({
        "workspace": joined.name(), "id": joined.workspace().id().to_string(), "branches": branches,
    });
    output::print(config, &object, || {
        format!("joined {} with branches {}", joined.name(), branches.join(", "))
    })
}
