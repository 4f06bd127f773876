//! `LoadCsv`: for each input row the records of a file, read as they are asked for.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{BoxOperator, Operator};
use crate::batch::{BATCH_ROWS, Batch};
use crate::execute::expression::{self, Compiled};
use crate::execute::{Context, ExecuteError, Layout, RuntimeCode};
use crate::model::{Map, TermId, Value};
use crate::plan::Variable;

/// What one record may hold: a quote that is never closed takes in the rest of the file.
const RECORD_BYTES_MAX: usize = 16 << 20;

pub struct LoadCsv {
    context: Arc<Context>,
    input: BoxOperator,
    source: Compiled,
    format: Format,
    layout: Layout,
    /// The input rows in work, with the address that each names, and which of them is next.
    rows: Option<(Batch, Vec<Value>)>,
    next_row: usize,
    file: Option<OpenFile>,
}

#[derive(Clone, Copy)]
pub struct Format {
    pub has_headers: bool,
    pub separator: u8,
}

struct OpenFile {
    address: String,
    /// The input row that named it.
    row: Vec<TermId>,
    reader: csv::Reader<Bounded>,
    allowance: Arc<AtomicUsize>,
    headers: Option<Vec<String>>,
    record: csv::StringRecord,
}

/// A reader that fails once more bytes were read than its allowance.
struct Bounded {
    inner: Box<dyn Read + Send>,
    allowance: Arc<AtomicUsize>,
}

impl LoadCsv {
    pub fn new(
        input: BoxOperator,
        source: Compiled,
        format: Format,
        variable: Variable,
        context: Arc<Context>,
    ) -> LoadCsv {
        let mut layout = input.layout().clone();
        layout.push(variable, true);
        LoadCsv { context, input, source, format, layout, rows: None, next_row: 0, file: None }
    }

    /// Opens the file that the next input row names; `None` after the last row.
    fn next_file(&mut self) -> Result<Option<OpenFile>, ExecuteError> {
        loop {
            if let Some((rows, addresses)) = &self.rows
                && let Some(address) = addresses.get(self.next_row)
            {
                let mut row = Vec::new();
                rows.read_row(self.next_row, &mut row);
                self.next_row += 1;
                return OpenFile::open(address, row, self.format, &self.context).map(Some);
            }
            (self.rows, self.next_row) = (None, 0);
            let Some(rows) = self.input.next_batch()? else { return Ok(None) };
            let ids = self.source.evaluate(&rows, &self.context)?;
            let addresses = expression::values_of_ids(&ids, &self.context)?;
            self.rows = Some((rows, addresses));
        }
    }
}

impl OpenFile {
    fn open(
        address: &Value,
        row: Vec<TermId>,
        format: Format,
        context: &Context,
    ) -> Result<OpenFile, ExecuteError> {
        let Value::String(address) = address else {
            let message = "LOAD CSV takes the address of a file, as a string";
            return Err(ExecuteError::runtime(RuntimeCode::TypeError, "InvalidArgumentType", message));
        };
        let opened = match &context.files {
            Some(files) => files.open(address),
            None => Err("this node reads no files; --csv-dir names the folder of those it may".to_owned()),
        };
        let inner = opened.map_err(|message| ExecuteError::File { address: address.clone(), message })?;
        let allowance = Arc::new(AtomicUsize::new(RECORD_BYTES_MAX));
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(format.separator)
            .escape(Some(b'\\'))
            .from_reader(Bounded { inner, allowance: allowance.clone() });
        let address = address.clone();
        let record = csv::StringRecord::new();
        let mut file = OpenFile { address, row, reader, allowance, headers: None, record };
        if format.has_headers {
            file.headers = Some(file.read_headers()?);
        }
        Ok(file)
    }

    fn read_headers(&mut self) -> Result<Vec<String>, ExecuteError> {
        if !self.read()? {
            return Ok(Vec::new());
        }
        let mut headers: Vec<String> = Vec::new();
        for name in &self.record {
            if headers.iter().any(|known| known == name) {
                return Err(self.fault(1, format!("the header names '{name}' twice")));
            }
            headers.push(name.to_owned());
        }
        Ok(headers)
    }

    /// Reads the next record; false after the last.
    fn read(&mut self) -> Result<bool, ExecuteError> {
        self.allowance.store(RECORD_BYTES_MAX, Ordering::Relaxed);
        let line = self.reader.position().line();
        self.reader.read_record(&mut self.record).map_err(|error| {
            let line = error.position().map_or(line, csv::Position::line);
            let message = match error.kind() {
                csv::ErrorKind::Utf8 { .. } => "this is not UTF-8".to_owned(),
                csv::ErrorKind::Io(error) => error.to_string(),
                _ => error.to_string(),
            };
            self.fault(line, message)
        })
    }

    fn fault(&self, line: u64, message: String) -> ExecuteError {
        ExecuteError::File { address: self.address.clone(), message: format!("line {line}: {message}") }
    }

    /// Returns the record as a map by the headers, or as a list. An empty field is null.
    fn value(&self) -> Value {
        let field = |field: Option<&str>| match field {
            Some(text) if !text.is_empty() => Value::String(text.to_owned()),
            _ => Value::Null,
        };
        match &self.headers {
            Some(headers) => {
                let entry = |(place, name): (usize, &String)| (name.clone(), field(self.record.get(place)));
                Value::Map(headers.iter().enumerate().map(entry).collect::<Map>())
            }
            None => Value::List(self.record.iter().map(|text| field(Some(text))).collect()),
        }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(format!(
                "the record from here is longer than {RECORD_BYTES_MAX} bytes; is a quote not closed?"
            )));
        }
        let length = buffer.len().min(left);
        let length = self.inner.read(buffer.get_mut(..length).unwrap_or_default())?;
        self.allowance.store(left - length, Ordering::Relaxed);
        Ok(length)
    }
}

impl Operator for LoadCsv {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        self.context.check()?;
        let mut out = Batch::empty(self.layout.width());
        while out.rows() < BATCH_ROWS {
            if self.file.is_none() {
                self.file = self.next_file()?;
            }
            let Some(file) = &mut self.file else { break };
            if file.read()? {
                let mut row = file.row.clone();
                row.push(expression::id_of_value(&file.value(), &self.context)?);
                out.push_row(&row);
            } else {
                self.file = None;
            }
        }
        Ok((!out.is_empty()).then_some(out))
    }

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn describe(&self) -> String {
        "LoadCsv".to_owned()
    }

    fn inputs(&self) -> Vec<&dyn Operator> {
        vec![self.input.as_ref()]
    }
}
