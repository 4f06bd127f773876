use super::{Failure, output, place};
use crate::config::Config;
use crate::engine::WorkspaceSettings;
use crate::model::Permutation;

#[derive(clap::Args)]
#[command(after_help = "Example: reefloom init ships --base https://ships.example.org/ns#")]
pub struct Arguments {
    /// The workspace's name: letters, digits, - and _
    name: String,
    /// The IRI that labels, types and keys without a prefix belong to; ends in # or /
    #[arg(long, value_name = "IRI")]
    base: Option<String>,
    /// A prefix for names and queries; may be given more than once
    #[arg(long = "prefix", value_name = "PREFIX=IRI")]
    prefixes: Vec<String>,
    /// Queries that name no graph read all graphs as one
    #[arg(long)]
    union_default_graph: bool,
    /// Sort orders to keep besides spo, pso, pos and ops, for good: sop, osp or both
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    permutations: Vec<Permutation>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let union_default_graph = arguments.union_default_graph;
    let permutations = arguments.permutations.into_iter().collect();
    let mut settings =
        WorkspaceSettings { union_default_graph, permutations, ..WorkspaceSettings::default() };
    if let Some(base) = arguments.base {
        settings.vocabulary.base = base;
    }
    for prefix in &arguments.prefixes {
        let (name, iri) = prefix
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--prefix takes PREFIX=IRI, not '{prefix}'")))?;
        settings.vocabulary.prefixes.retain(|(known, _)| known != name);
        settings.vocabulary.prefixes.push((name.to_owned(), iri.to_owned()));
    }
    settings.vocabulary.prefixes.sort();
    let engine = place::take_any(place::options(config))?;
    let hosted = engine.create_workspace(&arguments.name, settings, output::now_ms())?;
    let object = serde_json::json!({
        "workspace": hosted.name(), "id": hosted.workspace().id().to_string(), "data": config.data,
    });
    output::print(config, &object, || {
        format!("made workspace {} in {}", hosted.name(), config.data.display())
    })
}
