//! Answers as bytes: which writer of `results` an answer goes through.

use std::io::{self, Write};

use super::{Answer, CommitId, EngineError, Language, Response};
use crate::execute::{Context, ExecuteError, Rows};
use crate::model::Value;
use crate::plan::Shape;
use crate::results::{
    GraphFormat, GraphqlWriter, RecordsWriter, SolutionsFormat, SolutionsWriter, TableWriter, TriplesWriter,
    write_boolean,
};

/// A form that answers can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// For people, in a terminal.
    Table,
    /// SPARQL results, Cypher records or a GraphQL response, as the language has it.
    Json,
    /// SPARQL results only.
    Solutions(SolutionsFormat),
    /// Graphs only.
    Graph(GraphFormat),
}

/// Why writing an answer stopped: the query failed on the way, or whoever reads it did.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Response {
    /// Pulls the first rows, so that most failures show before anything is written.
    pub fn prepare(&mut self) -> Result<(), EngineError> {
        match &mut self.answer {
            Answer::Rows(rows) | Answer::GraphQl { rows, .. } => Ok(rows.prepare()?),
            Answer::Graph(triples) => Ok(triples.prepare()?),
            Answer::Boolean(_) | Answer::Updated { .. } | Answer::Explanation(_) => Ok(()),
        }
    }

    /// Writes the answer, pulling rows as it goes.
    ///
    /// # Errors
    /// A query may fail when part of the answer is written already.
    pub fn write(self, format: AnswerFormat, writer: &mut dyn Write) -> Result<(), WriteError> {
        match self.answer {
            Answer::Boolean(value) => match format {
                AnswerFormat::Table => writeln!(writer, "{value}").map_err(WriteError::Io),
                AnswerFormat::Solutions(format) => Ok(write_boolean(format, writer, value).map(drop)?),
                _ => Ok(write_boolean(SolutionsFormat::Json, writer, value).map(drop)?),
            },
            Answer::Explanation(explanation) => match format {
                AnswerFormat::Json => {
                    Ok(serde_json::to_writer(writer, &explanation).map_err(io::Error::from)?)
                }
                _ => Ok(write!(writer, "{explanation}")?),
            },
            Answer::Graph(mut triples) => {
                let format = match format {
                    AnswerFormat::Graph(format) => format,
                    AnswerFormat::Json => GraphFormat::JsonLd,
                    _ => GraphFormat::Turtle,
                };
                let mut triples_writer = TriplesWriter::new(format, writer, &self.prefixes);
                while let Some(triples) = triples.next_triples()? {
                    for triple in &triples {
                        triples_writer.write(triple)?;
                    }
                }
                check_whole(triples.is_cut_off(), triples.context())?;
                Ok(triples_writer.finish().map(drop)?)
            }
            Answer::Updated { summary, .. } => Ok(writeln!(
                writer,
                "{{\"commit\":\"{}\",\"inserted\":{},\"deleted\":{}}}",
                self.commit, summary.quads_inserted, summary.quads_removed
            )?),
            Answer::GraphQl { rows, shape } => write_graphql(rows, &shape, self.commit, writer),
            Answer::Rows(rows) => match (format, self.language) {
                (AnswerFormat::Table, _) if rows.columns().is_empty() => {
                    write_changes(rows, self.commit, writer)
                }
                (AnswerFormat::Table, Language::SparqlQuery) => write_terms(rows, writer),
                (AnswerFormat::Table, _) => write_values(rows, writer),
                (AnswerFormat::Json, Language::Cypher) => write_records(rows, writer),
                (AnswerFormat::Solutions(format), _) => write_solutions(rows, format, writer),
                _ => write_solutions(rows, SolutionsFormat::Json, writer),
            },
        }
    }
}

/// Refuses a result that its cap cut off: what is there would pass for the whole.
pub fn check_whole(is_cut_off: bool, context: &Context) -> Result<(), EngineError> {
    match context.limits.rows_max {
        Some(rows_max) if is_cut_off => Err(EngineError::TooManyRows { rows_max }),
        _ => Ok(()),
    }
}

fn write_values(mut rows: Rows, writer: &mut dyn Write) -> Result<(), WriteError> {
    let mut table = TableWriter::new(writer, rows.columns());
    while let Some(values) = rows.next_values()? {
        table.write_values(&values)?;
    }
    check_whole(rows.is_cut_off(), rows.context())?;
    Ok(table.finish().map(drop)?)
}

fn write_terms(mut rows: Rows, writer: &mut dyn Write) -> Result<(), WriteError> {
    let mut table = TableWriter::new(writer, rows.columns());
    while let Some(terms) = rows.next_terms()? {
        table.write_terms(&terms)?;
    }
    check_whole(rows.is_cut_off(), rows.context())?;
    Ok(table.finish().map(drop)?)
}

/// Writes what a statement without columns did.
fn write_changes(mut rows: Rows, commit: CommitId, writer: &mut dyn Write) -> Result<(), WriteError> {
    while rows.next_batch()?.is_some() {}
    let summary = rows.context().summary();
    let counts = [
        ("nodes created", summary.nodes_created),
        ("nodes deleted", summary.nodes_deleted),
        ("relationships created", summary.relationships_created),
        ("relationships deleted", summary.relationships_deleted),
        ("properties set", summary.properties_set),
        ("properties removed", summary.properties_removed),
        ("labels added", summary.labels_added),
        ("labels removed", summary.labels_removed),
        ("constraints added", summary.constraints_added),
        ("constraints removed", summary.constraints_removed),
        ("indexes added", summary.indexes_added),
        ("indexes removed", summary.indexes_removed),
    ];
    let told: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} {what}"))
        .collect();
    let told = if told.is_empty() { "no changes".to_owned() } else { told.join(", ") };
    Ok(writeln!(writer, "{told}\ncommit {commit}")?)
}

fn write_solutions(
    mut rows: Rows,
    format: SolutionsFormat,
    writer: &mut dyn Write,
) -> Result<(), WriteError> {
    let mut solutions = SolutionsWriter::new(format, writer, rows.columns())?;
    while let Some(terms) = rows.next_terms()? {
        solutions.write(&terms)?;
    }
    check_whole(rows.is_cut_off(), rows.context())?;
    Ok(solutions.finish().map(drop)?)
}

fn write_records(mut rows: Rows, writer: &mut dyn Write) -> Result<(), WriteError> {
    let mut records = RecordsWriter::new(writer, rows.columns())?;
    while let Some(values) = rows.next_values()? {
        records.write(&values)?;
    }
    check_whole(rows.is_cut_off(), rows.context())?;
    Ok(records.finish(&[]).map(drop)?)
}

fn write_graphql(
    mut rows: Rows,
    shape: &Shape,
    commit: CommitId,
    writer: &mut dyn Write,
) -> Result<(), WriteError> {
    let mut response = GraphqlWriter::new(writer, shape)?;
    while let Some(values) = rows.next_values()? {
        response.write(&values)?;
    }
    check_whole(rows.is_cut_off(), rows.context())?;
    let extensions = [("commit", Value::String(commit.to_string()))];
    Ok(response.finish(&extensions).map(drop)?)
}

impl From<ExecuteError> for WriteError {
    fn from(error: ExecuteError) -> WriteError {
        WriteError::Engine(error.into())
    }
}
