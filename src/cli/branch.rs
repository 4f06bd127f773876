use super::{Failure, output, place};
use crate::config::Config;

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  reefloom branch                 list them; * marks the default
  reefloom branch review          make one where the default branch stands
  reefloom branch fix --from main~2")]
pub struct Arguments {
    /// The branch to make; without it, branches are listed
    name: Option<String>,
    /// Where it begins: a branch, commit:<cid>, main~2 [default: the default branch]
    #[arg(long, value_name = "REF", requires = "name")]
    from: Option<String>,
    /// Delete a branch (its commits stay reachable by id until collected)
    #[arg(long, value_name = "BRANCH", conflicts_with = "name")]
    delete: Option<String>,
}

#[derive(clap::Args)]
pub struct SwitchArguments {
    branch: String,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let place = place::reach(config)?;
    let workspace = config.workspace.as_deref();
    if let Some(name) = &arguments.delete {
        place.delete_branch(workspace, name)?;
        let object = serde_json::json!({"deleted": name});
        return output::print(config, &object, || format!("deleted branch {name}"));
    }
    if let Some(name) = &arguments.name {
        let commit =
            place.create_branch(workspace, name, arguments.from.as_deref().or(config.at.as_deref()))?;
        let object = serde_json::json!({"branch": name, "commit": commit});
        return output::print(config, &object, || format!("made branch {name} at {commit}"));
    }
    for branch in place.branches(workspace)? {
        let object = serde_json::json!({
            "branch": branch.name, "commit": branch.commit, "default": branch.is_default,
        });
        output::print(config, &object, || {
            format!("{} {} {}", if branch.is_default { "*" } else { " " }, branch.name, branch.commit)
        })?;
    }
    Ok(())
}

pub fn switch(config: &Config, arguments: SwitchArguments) -> Result<(), Failure> {
    place::reach(config)?.switch(config.workspace.as_deref(), &arguments.branch)?;
    let object = serde_json::json!({"default": arguments.branch});
    output::print(config, &object, || format!("{} is now the default branch", arguments.branch))
}
