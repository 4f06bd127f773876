use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(after_help = "\
A pin keeps a commit, all before it and the run that it is read from, whatever becomes of its branch.

Examples:
  reefloom pin                      list them
  reefloom pin audit-2026           where the default branch stands
  reefloom pin audit-2025 --at main~40")]
pub struct Arguments {
    /// The pin to set; without it, pins are listed
    name: Option<String>,
    /// What to keep: a branch, commit:<cid>, main~2 [default: the default branch]
    #[arg(long, value_name = "REF", requires = "name")]
    at: Option<String>,
    /// Drop a pin
    #[arg(long, value_name = "NAME", conflicts_with = "name")]
    delete: Option<String>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let place = place::reach(config)?;
    let workspace = config.workspace.as_deref();
    if let Some(name) = &arguments.delete {
        place.unpin(workspace, name)?;
        return output::print(config, &serde_json::json!({"deleted": name}), || {
            format!("dropped pin {name}")
        });
    }
    if let Some(name) = &arguments.name {
        let commit = place.pin(workspace, name, arguments.at.as_deref().or(config.at.as_deref()))?;
        let object = serde_json::json!({"pin": name, "commit": commit});
        return output::print(config, &object, || format!("pinned {commit} as {name}"));
    }
    for pin in place.pins(workspace)? {
        let object = serde_json::json!({"pin": pin.name, "commit": pin.commit});
        output::print(config, &object, || format!("{} {}", pin.name, pin.commit))?;
    }
    Ok(())
}
