use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
pub struct Arguments {
    /// A branch or commit [default: the default branch]
    at: Option<String>,
    /// How many commits at most
    #[arg(long, short = 'n', default_value_t = 20)]
    number: usize,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let at = arguments.at.as_deref().or(config.at.as_deref());
    let place = place::reach(config)?;
    for entry in place.log(config.workspace.as_deref(), at, arguments.number)? {
        let object = serde_json::json!({
            "commit": entry.id, "author": entry.author, "timeMs": entry.time_ms,
            "message": entry.message, "parents": entry.parents,
        });
        output::print(config, &object, || {
            let author: String = entry.author.chars().take(16).collect();
            format!(
                "commit {}\nauthor {author}\ndate   {}\n\n    {}\n",
                entry.id,
                output::moment(entry.time_ms),
                entry.message
            )
        })?;
    }
    Ok(())
}
