use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;

use clap::ValueEnum;

use super::place::{Place, allow_files, reach};
use super::{Failure, output};
use crate::config::Config;
use crate::engine::{AnswerFormat, Explain, Language, Request, Response, WriteError};
use crate::model::{Map, Value};
use crate::results::{GraphFormat, SolutionsFormat};

#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  reefloom query 'SELECT * { ?s ?p ?o } LIMIT 5'
  reefloom query 'MATCH (v:Vessel) WHERE v.imo = $imo RETURN v' --param imo=9300011
  reefloom query '{ vessels(first: 5) { name } }'
  reefloom query -f question.rq --at 'main~1' --format csv")]
pub struct Arguments {
    /// The text; read from a file with -f, or from standard input if neither is given
    text: Option<String>,
    #[arg(long, short = 'f', conflicts_with = "text")]
    file: Option<PathBuf>,
    /// The language; guessed from the text if left out
    #[arg(long, short)]
    language: Option<LanguageName>,
    /// table, json, xml, csv, tsv; for graphs: turtle, ntriples, rdfxml, jsonld
    #[arg(long)]
    format: Option<FormatName>,
    /// Show the plans instead of running them
    #[arg(long)]
    explain: bool,
    /// Run it, and show the plans with what each operator did instead of the rows
    #[arg(long, conflicts_with = "explain")]
    profile: bool,
    /// A branch or commit: main, commit:<cid>, main~2
    #[arg(long, value_name = "REF")]
    at: Option<String>,
    /// A parameter, its value in JSON (or else taken as a string)
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// The folder whose files LOAD CSV may read [default: it reads none]
    #[arg(long, value_name = "DIR")]
    csv_dir: Option<PathBuf>,
}

/// A format by the name that users type.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum FormatName {
    Table,
    Json,
    Xml,
    Csv,
    Tsv,
    Turtle,
    Ntriples,
    Rdfxml,
    Jsonld,
}

impl From<FormatName> for AnswerFormat {
    fn from(name: FormatName) -> AnswerFormat {
        match name {
            FormatName::Table => AnswerFormat::Table,
            FormatName::Json => AnswerFormat::Json,
            FormatName::Xml => AnswerFormat::Solutions(SolutionsFormat::Xml),
            FormatName::Csv => AnswerFormat::Solutions(SolutionsFormat::Csv),
            FormatName::Tsv => AnswerFormat::Solutions(SolutionsFormat::Tsv),
            FormatName::Turtle => AnswerFormat::Graph(GraphFormat::Turtle),
            FormatName::Ntriples => AnswerFormat::Graph(GraphFormat::NTriples),
            FormatName::Rdfxml => AnswerFormat::Graph(GraphFormat::RdfXml),
            FormatName::Jsonld => AnswerFormat::Graph(GraphFormat::JsonLd),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Debug)]
pub enum LanguageName {
    Sparql,
    Cypher,
    Graphql,
}

pub fn run(config: &Config, arguments: Arguments) -> Result<(), Failure> {
    let text = read_text(arguments.text, arguments.file)?;
    let language = match arguments.language.unwrap_or_else(|| guess(&text)) {
        LanguageName::Sparql => Language::SparqlQuery,
        LanguageName::Cypher => Language::Cypher,
        LanguageName::Graphql => Language::GraphQl,
    };
    let mut request = Request::new(language, text, output::now_ms());
    request.parameters = parameters(&arguments.parameters)?;
    request.workspace = config.workspace.clone();
    request.at = arguments.at.or_else(|| config.at.clone());
    let profile = arguments.profile.then_some(Explain::Profile);
    request.explain = profile.or(arguments.explain.then_some(Explain::Plan));
    let place = reach(config)?;
    allow_files(&mut request, arguments.csv_dir.as_deref(), &place)?;
    let engine = match place {
        Place::Here(engine) => engine,
        Place::There(node) => {
            let format = format_of(config, arguments.format);
            return copy(node.ask(&request, format).map_err(name_the_writing_verb)?);
        }
    };
    let hosted = engine.hosted(config.workspace.as_deref())?;
    let before = hosted.fetched();
    let response = engine.run(&request).map_err(Failure::from).map_err(name_the_writing_verb)?;
    print(config, arguments.format, response)?;
    let after = hosted.fetched();
    if after.blocks > before.blocks {
        let (blocks, bytes) = (after.blocks - before.blocks, after.bytes - before.bytes);
        eprintln!("{blocks} block(s) fetched from peers, {}", output::bytes(bytes));
    }
    Ok(())
}

/// What a query is not allowed is to write.
fn name_the_writing_verb(failure: Failure) -> Failure {
    match failure.code {
        6 => failure.hint("`reefloom update` writes"),
        _ => failure,
    }
}

/// Writes an answer to stdout in `format`, or in the one that suits it.
pub fn print(config: &Config, format: Option<FormatName>, response: Response) -> Result<(), Failure> {
    let format = format_of(config, format);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match response.write(format, &mut out) {
        Ok(()) => {}
        Err(WriteError::Engine(error)) => {
            // What is written so far must not pass for a whole answer.
            out.flush()?;
            return Err(error.into());
        }
        Err(WriteError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
        Err(WriteError::Io(error)) => return Err(error.into()),
    }
    match out.flush() {
        // Whoever reads us had enough: `reefloom query ... | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        flushed => Ok(flushed?),
    }
}

/// Writes an answer that comes from a node to stdout.
pub fn copy(mut answer: impl Read) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut buffer = [0; 32 << 10];
    loop {
        let length = match answer.read(&mut buffer) {
            Ok(length) => length,
            // What is written so far must not pass for a whole answer.
            Err(error) => return Err(Failure::other(format!("the answer broke off: {error}"))),
        };
        let written = match length {
            0 => out.flush(),
            length => out.write_all(&buffer[..length]),
        };
        match written {
            // Whoever reads us had enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error.into()),
            Ok(()) if length == 0 => return Ok(()),
            Ok(()) => {}
        }
    }
}

/// Returns the format that was asked for, or the one that suits whoever reads stdout.
pub fn format_of(config: &Config, name: Option<FormatName>) -> AnswerFormat {
    match name {
        Some(name) => name.into(),
        None if config.json => AnswerFormat::Json,
        None => AnswerFormat::Table,
    }
}

pub fn read_text(text: Option<String>, file: Option<PathBuf>) -> Result<String, Failure> {
    match (text, file) {
        (Some(text), _) => Ok(text),
        (None, Some(path)) => std::fs::read_to_string(&path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display()))),
        (None, None) => {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage(
                    "no text: give it as an argument, with -f FILE, or on standard input",
                ));
            }
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            Ok(text)
        }
    }
}

/// Guesses a text's language by its first word.
pub fn guess(text: &str) -> LanguageName {
    let body = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with(['#', '/']))
        .unwrap_or("");
    let word: String = body.chars().take_while(|c| c.is_alphanumeric()).collect::<String>().to_uppercase();
    match word.as_str() {
        "MATCH" | "OPTIONAL" | "WITH" | "UNWIND" | "RETURN" | "CREATE" | "MERGE" | "CALL" | "EXPLAIN"
        | "PROFILE" | "USE" | "FOREACH" | "LOAD" => match body.to_uppercase() {
            line if line.starts_with("WITH <")
                || line.starts_with("CREATE GRAPH")
                || line.starts_with("CREATE SILENT")
                || line.starts_with("LOAD") && !line.starts_with("LOAD CSV") =>
            {
                LanguageName::Sparql
            }
            _ => LanguageName::Cypher,
        },
        "QUERY" | "MUTATION" | "SUBSCRIPTION" | "FRAGMENT" => LanguageName::Graphql,
        _ if body.starts_with('{') => LanguageName::Graphql,
        _ => LanguageName::Sparql,
    }
}

/// Reads NAME=VALUE pairs; a value that is no JSON is a string.
pub fn parameters(pairs: &[String]) -> Result<Map, Failure> {
    let mut map = Map::new();
    for pair in pairs {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--param takes NAME=VALUE, not '{pair}'")))?;
        let value = match serde_json::from_str::<serde_json::Value>(value) {
            Ok(json) => Value::from_json(json),
            Err(_) => Value::String(value.to_owned()),
        };
        map.insert(name.to_owned(), value);
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_guessed_by_the_first_word() {
        for (text, language) in [
            ("SELECT * {}", LanguageName::Sparql),
            ("# note\nPREFIX : <http://e/> ASK {}", LanguageName::Sparql),
            ("match (n) return n", LanguageName::Cypher),
            ("// note\nMATCH (n) RETURN n", LanguageName::Cypher),
            ("CREATE (:Port)", LanguageName::Cypher),
            ("CREATE GRAPH <http://e/g>", LanguageName::Sparql),
            ("WITH <http://e/g> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }", LanguageName::Sparql),
            ("WITH 1 AS x RETURN x", LanguageName::Cypher),
            ("LOAD CSV FROM 'a.csv' AS r RETURN r", LanguageName::Cypher),
            ("LOAD <http://e/g>", LanguageName::Sparql),
            ("{ vessels { name } }", LanguageName::Graphql),
            ("query Q { vessels { name } }", LanguageName::Graphql),
        ] {
            assert_eq!(guess(text), language, "{text}");
        }
    }
}
