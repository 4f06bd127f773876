use super::{Failure, open, output};
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
    let engine = open(config)?;
    let hosted = engine.hosted(config.workspace.as_deref())?;
    let at = arguments.at.as_deref().or(config.at.as_deref());
    for entry in hosted.log(at, arguments.number)? {
        let object = serde_json::json!({
            "commit": entry.id.to_string(), "author": entry.author.to_string(), "timeMs": entry.time_ms,
            "message": entry.message, "parents": entry.parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        output::print(config, &object, || {
            let author: String = entry.author.to_string().chars().take(16).collect();
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
