//! A plain text table for people at a terminal.

use std::io::{self, Write};

use super::json::{term_text, write_value};
use crate::model::{Term, Value};

const CELL_CHARS_MAX: usize = 60;

/// Writes rows as a table whose widths follow the first batch; wider cells later push their row
/// out of line rather than being held back. Long cells are cut, with an ellipsis.
pub struct TableWriter<W> {
    writer: W,
    columns: Vec<String>,
    /// In characters; known once the first rows have come.
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl<W: Write> TableWriter<W> {
    pub fn new(writer: W, columns: &[String]) -> TableWriter<W> {
        TableWriter { writer, columns: columns.to_vec(), widths: None, rows: 0 }
    }

    pub fn write_terms(&mut self, rows: &[Vec<Option<Term>>]) -> io::Result<()> {
        let text = |term: &Option<Term>| term.as_ref().map(term_text).unwrap_or_default();
        self.write_cells(rows.iter().map(|row| row.iter().map(text).collect()).collect())
    }

    pub fn write_values(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        self.write_cells(rows.iter().map(|row| row.iter().map(value_text).collect()).collect())
    }

    /// Ends the table with the number of rows; a table without columns has nothing to show.
    pub fn finish(mut self) -> io::Result<W> {
        if self.columns.is_empty() {
            return Ok(self.writer);
        }
        if self.widths.is_none() {
            self.write_head(&[])?;
        }
        let noun = if self.rows == 1 { "row" } else { "rows" };
        writeln!(self.writer, "({} {noun})", self.rows)?;
        Ok(self.writer)
    }

    fn write_cells(&mut self, rows: Vec<Vec<String>>) -> io::Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let rows: Vec<Vec<String>> =
            rows.into_iter().map(|row| row.into_iter().map(|cell| shorten(&cell)).collect()).collect();
        if self.widths.is_none() {
            self.write_head(&rows)?;
        }
        for row in &rows {
            self.write_line(row)?;
            self.rows += 1;
        }
        Ok(())
    }

    fn write_head(&mut self, rows: &[Vec<String>]) -> io::Result<()> {
        let widest = |(index, column): (usize, &String)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
            cells.chain([column.chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = self.columns.iter().enumerate().map(widest).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.widths = Some(widths);
        self.write_line(&self.columns.clone())?;
        self.write_line(&rule)
    }

    fn write_line(&mut self, cells: &[String]) -> io::Result<()> {
        let widths = self.widths.as_deref().unwrap_or_default();
        let padded: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(self.writer, "{}", padded.join("  ").trim_end())
    }
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Term(term) => term_text(term),
        _ => {
            let mut bytes = Vec::new();
            match write_value(&mut bytes, value) {
                Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(_) => String::new(),
            }
        }
    }
}

fn shorten(cell: &str) -> String {
    let cell: String = cell.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match cell.char_indices().nth(CELL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[Vec<Value>], expected: &str) {
        let mut writer = TableWriter::new(Vec::new(), &["name".into(), "n".into()]);
        writer.write_values(rows).unwrap();
        assert_eq!(String::from_utf8(writer.finish().unwrap()).unwrap(), expected);
    }

    #[test]
    fn what_returns_nothing_shows_nothing() {
        let mut writer = TableWriter::new(Vec::new(), &[]);
        writer.write_values(&[vec![]]).unwrap();
        assert!(writer.finish().unwrap().is_empty());
    }

    #[test]
    fn tables_line_up() {
        check(&[], "name  n\n----  -\n(0 rows)\n");
        check(
            &[
                vec![Value::String("Blue\nMarlin".into()), Value::Integer(7)],
                vec![Value::Null, Value::List(vec![Value::Integer(1)])],
            ],
            "name         n\n-----------  ---\nBlue Marlin  7\n             [1]\n(2 rows)\n",
        );
        check(
            &[vec![Value::String("é".repeat(100)), Value::Null]],
            &format!("{:<61}  n\n{}  -\n{}…\n(1 row)\n", "name", "-".repeat(61), "é".repeat(60)),
        );
    }
}
