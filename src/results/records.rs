//! Records: rows of values as one JSON object, `{"columns":[...],"rows":[[...],...]}`.

use std::io::{self, Write};

use super::json::{write_list, write_string, write_value};
use crate::model::Value;

/// Writes records as they come. Dropped before [`RecordsWriter::finish`], its output is no JSON,
/// so a reader can tell a result that broke off.
pub struct RecordsWriter<W> {
    writer: W,
    is_first: bool,
}

impl<W: Write> RecordsWriter<W> {
    pub fn new(mut writer: W, columns: &[String]) -> io::Result<RecordsWriter<W>> {
        writer.write_all(b"{\"columns\":")?;
        write_list(&mut writer, columns.iter(), |writer, column| write_string(writer, column))?;
        writer.write_all(b",\"rows\":[")?;
        Ok(RecordsWriter { writer, is_first: true })
    }

    pub fn write(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        // A statement that returns nothing has rows without columns.
        for row in rows.iter().filter(|row| !row.is_empty()) {
            self.writer.write_all(if self.is_first { b"\n" } else { b",\n" })?;
            self.is_first = false;
            write_list(&mut self.writer, row.iter(), |writer, value| write_value(writer, value))?;
        }
        Ok(())
    }

    /// Ends the rows and writes further members of the outer object.
    pub fn finish(mut self, members: &[(&str, Value)]) -> io::Result<W> {
        self.writer.write_all(b"]")?;
        for (key, value) in members {
            self.writer.write_all(b",")?;
            write_string(&mut self.writer, key)?;
            self.writer.write_all(b":")?;
            write_value(&mut self.writer, value)?;
        }
        self.writer.write_all(b"}\n")?;
        Ok(self.writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_one_json_object() {
        let mut writer = RecordsWriter::new(Vec::new(), &["a".into(), "b.c".into()]).unwrap();
        writer.write(&[vec![Value::Integer(1), Value::Null]]).unwrap();
        writer.write(&[vec![Value::Integer(2), Value::String("x".into())]]).unwrap();
        let bytes = writer.finish(&[("more", Value::Boolean(false))]).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected =
            serde_json::json!({"columns": ["a", "b.c"], "rows": [[1, null], [2, "x"]], "more": false});
        assert_eq!(json, expected);
        let mut empty = RecordsWriter::new(Vec::new(), &[]).unwrap();
        empty.write(&[vec![]]).unwrap();
        let empty = empty.finish(&[]).unwrap();
        assert_eq!(empty, b"{\"columns\":[],\"rows\":[]}\n");
    }
}
