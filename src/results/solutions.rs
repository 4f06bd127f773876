//! SPARQL's result formats: JSON, XML, CSV, TSV.

use std::io::{self, Write};

use sparesults::{QueryResultsFormat, QueryResultsSerializer, WriterSolutionsSerializer};

use crate::model::Term;

/// A format of solutions and booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SolutionsFormat {
    Json,
    Xml,
    Csv,
    Tsv,
}

impl SolutionsFormat {
    /// Returns the media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            SolutionsFormat::Json => "application/sparql-results+json",
            SolutionsFormat::Xml => "application/sparql-results+xml",
            SolutionsFormat::Csv => "text/csv",
            SolutionsFormat::Tsv => "text/tab-separated-values",
        }
    }

    fn serializer(self) -> QueryResultsSerializer {
        QueryResultsSerializer::from_format(match self {
            SolutionsFormat::Json => QueryResultsFormat::Json,
            SolutionsFormat::Xml => QueryResultsFormat::Xml,
            SolutionsFormat::Csv => QueryResultsFormat::Csv,
            SolutionsFormat::Tsv => QueryResultsFormat::Tsv,
        })
    }
}

/// Writes solutions as they come.
pub struct SolutionsWriter<W: Write> {
    variables: Vec<oxrdf::Variable>,
    serializer: WriterSolutionsSerializer<W>,
}

impl<W: Write> SolutionsWriter<W> {
    pub fn new(format: SolutionsFormat, writer: W, columns: &[String]) -> io::Result<SolutionsWriter<W>> {
        let variables: Vec<_> = columns.iter().map(oxrdf::Variable::new_unchecked).collect();
        let serializer = format.serializer().serialize_solutions_to_writer(writer, variables.clone())?;
        Ok(SolutionsWriter { variables, serializer })
    }

    /// Writes rows of the columns, in their order.
    pub fn write(&mut self, rows: &[Vec<Option<Term>>]) -> io::Result<()> {
        rows.iter().try_for_each(|row| {
            let bound = self.variables.iter().zip(row);
            self.serializer.serialize(
                bound.filter_map(|(variable, term)| Some((variable.as_ref(), term.as_ref()?.as_ref()))),
            )
        })
    }

    pub fn finish(self) -> io::Result<W> {
        self.serializer.finish()
    }
}

/// Writes the answer of an ASK query.
pub fn write_boolean<W: Write>(format: SolutionsFormat, writer: W, value: bool) -> io::Result<W> {
    format.serializer().serialize_boolean_to_writer(writer, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Literal, NamedNode};

    fn check(format: SolutionsFormat, expected: &str) {
        let columns = ["a".to_owned(), "count(*)".to_owned()];
        let mut writer = SolutionsWriter::new(format, Vec::new(), &columns).unwrap();
        writer.write(&[vec![Some(NamedNode::new_unchecked("http://x").into()), None]]).unwrap();
        writer.write(&[vec![None, Some(Literal::from(7).into())]]).unwrap();
        assert_eq!(String::from_utf8(writer.finish().unwrap()).unwrap(), expected);
    }

    #[test]
    fn solutions_leave_out_what_is_unbound() {
        check(
            SolutionsFormat::Json,
            concat!(
                r#"{"head":{"vars":["a","count(*)"]},"results":{"bindings":["#,
                r#"{"a":{"type":"uri","value":"http://x"}},"#,
                r#"{"count(*)":{"type":"literal","value":"7","datatype":"http://www.w3.org/2001/XMLSchema#integer"}}]}}"#
            ),
        );
        check(SolutionsFormat::Csv, "a,count(*)\r\nhttp://x,\r\n,7\r\n");
        check(SolutionsFormat::Tsv, "?a\t?count(*)\n<http://x>\t\n\t7\n");
    }
}
