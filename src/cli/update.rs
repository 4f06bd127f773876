use std::path::PathBuf;

use super::place::{Place, allow_files, reach};
use super::query::{self, LanguageName};
use super::remote::Updated;
use super::{Failure, output};
use crate::config::Config;
use crate::engine::{Answer, Language, Request};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  reefloom update 'INSERT DATA { <http://e/s> <http://e/p> 1 }'
  reefloom update 'CREATE (:Port {name: \"Oslo\"})' --branch draft -m 'a port'")]
pub struct Arguments {
    /// The text; read from a file with -f, or from standard input if neither is given
    text: Option<String>,
    #[arg(long, short = 'f', conflicts_with = "text")]
    file: Option<PathBuf>,
    /// sparql or cypher; guessed from the text if left out
    #[arg(long, short)]
    language: Option<LanguageName>,
    /// The branch to write to [default: the workspace's default branch]
    #[arg(long, short)]
    branch: Option<String>,
    /// The commit's message
    #[arg(long, short)]
    message: Option<String>,
    /// A parameter, its value in JSON (or else taken as a string)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// The folder whose files LOAD CSV may read [default: it reads none]
    #[arg(long, value_name = "DIR")]
    csv_dir: Option<PathBuf>,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let text = query::read_text(arguments.text, arguments.file)?;
    let language = match arguments.language.unwrap_or_else(|| query::guess(&text)) {
        LanguageName::Sparql => Language::SparqlUpdate,
        LanguageName::Cypher => Language::Cypher,
        LanguageName::Graphql => Language::GraphQl,
    };
    let mut request = Request::new(language, text, output::now_ms());
    request.parameters = query::parameters(&arguments.parameters)?;
    request.workspace = config.workspace.clone();
    request.at = arguments.branch.or_else(|| config.at.clone());
    request.may_write = true;
    request.message = arguments.message;
    let place = reach(config)?;
    allow_files(&mut request, arguments.csv_dir.as_deref(), &place)?;
    match place {
        Place::Here(engine) => {
            let response = engine.run(&request)?;
            match response.answer {
                Answer::Updated { summary, .. } => {
                    let (inserted, deleted) = (summary.quads_inserted, summary.quads_removed);
                    print(config, &Updated { commit: response.commit.to_string(), inserted, deleted })
                }
                _ => query::print(config, None, response),
            }
        }
        Place::There(node) if language == Language::SparqlUpdate => print(config, &node.update(&request)?),
        Place::There(node) => query::copy(node.ask(&request, query::format_of(config, None))?),
    }
}

fn print(config: &Config, updated: &Updated) -> Result<(), Failure> {
    output::print(config, updated, || {
        format!("{} quads added, {} removed\ncommit {}", updated.inserted, updated.deleted, updated.commit)
    })
}
