use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(after_help = "\
A serving node does this by itself when changes pile up. Afterwards reading needs no change sets; history
stays whole. `reefloom gc` gives back the space of the runs before.

Example: reefloom optimize --branch review")]
pub struct Arguments {
    /// The branch or commit to fold [default: the workspace's default branch]
    #[arg(long, short, value_name = "REF")]
    branch: Option<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let at = arguments.branch.or_else(|| config.at.clone());
    let optimized = place::reach(config)?.optimize(config.workspace.as_deref(), at.as_deref())?;
    let object = serde_json::to_value(&optimized).unwrap_or_default();
    output::print(config, &object, || match &optimized.manifest {
        Some(manifest) => format!("commit {}\nrun {manifest}", optimized.commit),
        None => format!("commit {}\nthere is nothing to fold", optimized.commit),
    })
}
