//! CSV tables of nodes and relationships as quads, in the style of `neo4j-admin database import`.
//!
//! A table's first line is its [`Header`]. Rows are read on one thread and turned into quads on others.

mod cell;
mod chunk;
mod header;
mod row;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chunk::{BadRow, Chunk, Table};
use header::Header;
pub use header::TableRows;
use row::RowWriter;

use super::lines::PARSERS;
use super::load::FAULTS_SHOWN_MAX;
use super::{Fault, LoadError, Skipped};
use crate::graph::{Gatherer, WriteError};
use crate::model::{GraphName, Vocabulary};
use crate::workspace::{FeedError, Intake};

/// How much of a table of nodes is worked on at a time.
const NODES_BYTES: usize = 1 << 20;
/// How much of a table of relationships is sorted at a time.
const RELATIONSHIPS_BYTES: usize = 64 << 20;
/// How many rows a thread turns into quads at a time.
const ROWS_AT_ONCE: usize = 8192;

/// A table, in one file or several; the first line of the first is its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableOptions {
    pub rows: TableRows,
    pub files: Vec<PathBuf>,
}

/// How CSV files are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsvSyntax {
    pub delimiter: u8,
    /// What stands between the items of a list.
    pub list_delimiter: char,
    /// Whether files after the first may repeat the header's names in a line of their own, which is skipped.
    pub skips_headers: bool,
}

impl Default for CsvSyntax {
    fn default() -> CsvSyntax {
        CsvSyntax { delimiter: b',', list_delimiter: ';', skips_headers: false }
    }
}

/// What all the files of a load have in common.
pub struct TableContext<'a> {
    pub vocabulary: &'a Vocabulary,
    pub graph: &'a GraphName,
    pub lenient: bool,
}

/// The header of a table, read.
pub struct TableLayout {
    header: Header,
    rows: TableRows,
    syntax: CsvSyntax,
}

impl TableLayout {
    /// Reads the header of a table from its first file.
    pub fn read(
        path: &Path,
        reader: impl Read,
        rows: &TableRows,
        syntax: CsvSyntax,
    ) -> Result<TableLayout, LoadError> {
        let mut table = Table::new(reader, syntax.delimiter);
        let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
        let malformed = |message: String| {
            LoadError::Malformed(Fault { path: path.to_owned(), line: 1, column: 0, message })
        };
        let Some(record) = table.next_row().map_err(unreadable)? else {
            return Err(malformed("there is no header".to_owned()));
        };
        let cells: Option<Vec<&str>> = record.iter().map(|cell| std::str::from_utf8(cell).ok()).collect();
        let cells = cells.ok_or_else(|| malformed("the header is not UTF-8".to_owned()))?;
        let header =
            Header::parse(cells.iter().copied(), rows).map_err(|(column, message)| match column {
                0 => malformed(message),
                column => malformed(format!("column {column} of the header: {message}")),
            })?;
        Ok(TableLayout { header, rows: rows.clone(), syntax })
    }

    /// Gathers the quads of one of the table's files; the header is skipped in the first. Blank nodes have
    /// labels that begin with `blank_prefix`.
    pub fn feed(
        &self,
        path: &Path,
        reader: impl Read,
        is_first: bool,
        context: &TableContext<'_>,
        blank_prefix: &str,
        intake: &Intake<'_>,
    ) -> Result<Skipped, FeedError<LoadError>> {
        let unreadable = |source| FeedError::Input(LoadError::Unreadable { path: path.to_owned(), source });
        let faults =
            Faults { path, lenient: context.lenient, is_fatal: false.into(), found: Mutex::default() };
        let writer = RowWriter::new(&self.header, &self.rows, self.syntax, context, blank_prefix);
        let mut table = Table::new(reader, self.syntax.delimiter);
        let read = thread::scope(|scope| {
            let (sender, work) = sync_channel::<Work>(PARSERS);
            let work = Arc::new(Mutex::new(work));
            let workers: Vec<_> = (0..PARSERS)
                .map(|_| {
                    let (work, writer, faults) = (Arc::clone(&work), &writer, &faults);
                    scope.spawn(move || write_rows(&work, writer, intake.gatherer(), faults))
                })
                .collect();
            drop(work);
            let read = self.read_rows(&mut table, is_first, &faults, |work| sender.send(work).is_ok());
            drop(sender);
            for worker in workers {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            }
            Ok::<_, WriteError>(read)
        })?;
        // A mistake in what was read comes before what could not be read.
        let skipped = faults.into_skipped().map_err(FeedError::Input)?;
        read.map_err(unreadable)?;
        Ok(skipped)
    }

    /// Reads rows in pieces of work, until `send` wants no more.
    fn read_rows<R: Read>(
        &self,
        table: &mut Table<R>,
        is_first: bool,
        faults: &Faults<'_>,
        mut send: impl FnMut(Work) -> bool,
    ) -> std::io::Result<()> {
        let mut may_be_header = is_first || self.syntax.skips_headers;
        let bytes = match self.rows {
            TableRows::Nodes { .. } => NODES_BYTES,
            TableRows::Relationships { .. } => RELATIONSHIPS_BYTES,
        };
        let mut first_number = 0;
        while let Some(chunk) =
            table.next_chunk(self.header.fields.len(), bytes, |(line, message)| faults.note(line, message))?
        {
            let columns = 0..self.header.fields.len();
            let is_header = may_be_header
                && (is_first || self.header.is_repeated_by(columns.map(|column| chunk.cell(0, column))));
            may_be_header = false;
            let order: Arc<[u32]> = self.order(&chunk, usize::from(is_header)).into();
            let chunk = Arc::new(chunk);
            for start in (0..order.len()).step_by(ROWS_AT_ONCE) {
                let end = order.len().min(start + ROWS_AT_ONCE);
                let (chunk, order) = (Arc::clone(&chunk), Arc::clone(&order));
                if faults.is_fatal() || !send(Work { chunk, order, start, end, first_number }) {
                    return Ok(());
                }
            }
            first_number += order.len() as u64;
        }
        Ok(())
    }

    /// Returns the rows of a chunk from `first` on in the order in which they are written: relationships by
    /// their ends, so that neighbours in the graph have reifiers that are neighbours, and equal ones meet.
    fn order(&self, chunk: &Chunk, first: usize) -> Vec<u32> {
        let rows = first as u32..chunk.rows() as u32;
        let Some([start, end]) = self.header.ends() else { return rows.collect() };
        let begin = |cell: &str| {
            let mut bytes = [0; 8];
            let length = cell.len().min(8);
            bytes[..length].copy_from_slice(&cell.as_bytes()[..length]);
            u128::from(u64::from_be_bytes(bytes))
        };
        let key = |row: u32| {
            let row = row as usize;
            begin(chunk.cell(row, start)) << 64 | begin(chunk.cell(row, end))
        };
        let mut keyed: Vec<(u128, u32)> = rows.map(|row| (key(row), row)).collect();
        let whole = |row: u32| {
            let row = row as usize;
            (chunk.cell(row, start), chunk.cell(row, end), self.header.type_cell(chunk, row), row)
        };
        keyed.sort_unstable_by_key(|(key, _)| *key);
        for alike in keyed.chunk_by_mut(|(a, _), (b, _)| a == b).filter(|alike| alike.len() > 1) {
            alike.sort_unstable_by(|(_, row), (_, other)| whole(*row).cmp(&whole(*other)));
        }
        keyed.into_iter().map(|(_, row)| row).collect()
    }
}

/// Rows for one thread to turn into quads.
struct Work {
    chunk: Arc<Chunk>,
    /// The rows of the chunk, as they are to be written.
    order: Arc<[u32]>,
    start: usize,
    end: usize,
    /// How many rows of the file come before the chunk.
    first_number: u64,
}

impl Work {
    /// Returns the rows in their order, with the one before and the one after, and the place of the first.
    fn rows_and_neighbours(&self) -> (Chunk, usize) {
        let first = self.start.saturating_sub(1);
        let end = self.order.len().min(self.end + 1);
        (self.chunk.pick(&self.order[first..end]), first)
    }
}

fn write_rows(
    work: &Mutex<Receiver<Work>>,
    writer: &RowWriter<'_>,
    mut gatherer: Gatherer<'_>,
    faults: &Faults<'_>,
) -> Result<(), WriteError> {
    loop {
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { break };
        let (rows, first) = work.rows_and_neighbours();
        for at in work.start..work.end {
            let row = at - first;
            if let Err(message) = writer.write(&rows, row, work.first_number + at as u64, &mut gatherer)? {
                faults.note(rows.line(row), message);
            }
        }
    }
    gatherer.finish()
}

/// The rows of a file that are no rows, as several threads find them.
struct Faults<'a> {
    path: &'a Path,
    lenient: bool,
    is_fatal: AtomicBool,
    /// How many there are, and the first of them, in order.
    found: Mutex<(u64, Vec<BadRow>)>,
}

impl Faults<'_> {
    fn note(&self, line: u64, message: String) {
        self.is_fatal.store(!self.lenient, Ordering::Relaxed);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.0 += 1;
        let at = found.1.partition_point(|(earlier, _)| *earlier <= line);
        if at < FAULTS_SHOWN_MAX {
            found.1.insert(at, (line, message));
            found.1.truncate(FAULTS_SHOWN_MAX);
        }
    }

    fn is_fatal(&self) -> bool {
        self.is_fatal.load(Ordering::Relaxed)
    }

    /// Returns what was skipped; the first fault is the error unless the load is lenient.
    fn into_skipped(self) -> Result<Skipped, LoadError> {
        let (count, rows) = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let fault = |(line, message)| Fault { path: self.path.to_owned(), line, column: 0, message };
        let mut shown: Vec<Fault> = rows.into_iter().map(fault).collect();
        match shown.is_empty() || self.lenient {
            true => Ok(Skipped { count, shown }),
            false => Err(LoadError::Malformed(shown.swap_remove(0))),
        }
    }
}
