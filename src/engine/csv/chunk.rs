//! `Chunk`: rows of a CSV table, cells back to back; and the reader that cuts a table into them.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

/// No row is longer; memory is bounded by it, whatever a quote that nobody closed takes in.
const ROW_BYTES_MAX: usize = 16 << 20;
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Some rows.
#[derive(Default)]
pub struct Chunk {
    text: String,
    /// Where each cell ends, row by row.
    ends: Vec<u32>,
    columns: usize,
    /// The line in which each row begins, from 1.
    lines: Vec<u64>,
}

impl Chunk {
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    pub fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    pub fn cell(&self, row: usize, column: usize) -> &str {
        let index = row * self.columns + column;
        &self.text[self.start_of(index) as usize..self.ends[index] as usize]
    }

    /// Returns where a cell begins, counted over all rows.
    fn start_of(&self, index: usize) -> u32 {
        if index == 0 { 0 } else { self.ends[index - 1] }
    }

    /// Returns a chunk of these rows, in this order: so that what is used together lies together.
    pub fn pick(&self, rows: &[u32]) -> Chunk {
        let mut picked = Chunk { columns: self.columns, ..Chunk::default() };
        picked.ends.reserve(rows.len() * self.columns);
        for row in rows {
            let row = *row as usize;
            let first = row * self.columns;
            let start = self.start_of(first);
            let ends = &self.ends[first..first + self.columns];
            let at = picked.text.len() as u32;
            picked.ends.extend(ends.iter().map(|end| end - start + at));
            picked.text.push_str(&self.text[start as usize..ends.last().map_or(start, |end| *end) as usize]);
            picked.lines.push(self.lines[row]);
        }
        picked
    }
}

/// What is wrong with a row: its line, and why.
pub type BadRow = (u64, String);

/// A CSV table, read in chunks.
pub struct Table<R> {
    reader: Reader<Bounded<R>>,
    progress: Rc<Progress>,
    record: ByteRecord,
}

/// What was read of a table: the bytes in all, those since the last row began, and the last of them.
#[derive(Default)]
struct Progress {
    bytes: Cell<u64>,
    row_bytes: Cell<usize>,
    last: Cell<u8>,
}

impl<R: Read> Table<R> {
    /// Reads cells that are separated by `delimiter` and quoted, if need be, with double quotes.
    pub fn new(reader: R, delimiter: u8) -> Table<R> {
        let progress = Rc::new(Progress::default());
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            // Not by CR too: lines could not be counted then.
            .terminator(Terminator::Any(b'\n'))
            .buffer_capacity(READ_BUFFER_BYTES)
            .from_reader(Bounded { inner: reader, progress: Rc::clone(&progress) });
        Table { reader, progress, record: ByteRecord::new() }
    }

    /// Returns the next row; `None` at the end.
    ///
    /// # Errors
    /// Those of the reader, and rows that are too long.
    pub fn next_row(&mut self) -> io::Result<Option<&ByteRecord>> {
        loop {
            self.progress.row_bytes.set(0);
            if !self.reader.read_byte_record(&mut self.record)? {
                return Ok(None);
            }
            if self.record.iter().next_back().is_some_and(|cell| cell.ends_with(b"\r")) {
                self.strip_return();
            }
            if self.record.len() != 1 || !self.record.as_slice().is_empty() {
                return Ok(Some(&self.record));
            }
        }
    }

    /// Takes the CR of a line's end from the last cell.
    fn strip_return(&mut self) {
        let mut stripped = ByteRecord::with_capacity(self.record.as_slice().len(), self.record.len());
        let last = self.record.len() - 1;
        for (index, cell) in self.record.iter().enumerate() {
            stripped.push_field(if index == last { &cell[..cell.len() - 1] } else { cell });
        }
        self.record = stripped;
    }

    /// Returns the line in which the row that was read last begins.
    fn line(&self) -> u64 {
        let within = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        // Only the last row may lack an end.
        let position = self.reader.position();
        let is_last = position.byte() == self.progress.bytes.get();
        let is_ended = !is_last || self.progress.last.get() == b'\n';
        position.line().saturating_sub(within + u64::from(is_ended))
    }

    /// Reads rows of so many columns until they take `bytes`; `None` at the end. Tells `bad` of those that have
    /// other columns, or are no UTF-8.
    pub fn next_chunk(
        &mut self,
        columns: usize,
        bytes: usize,
        mut bad: impl FnMut(BadRow),
    ) -> io::Result<Option<Chunk>> {
        let mut chunk = Chunk { columns, ..Chunk::default() };
        while chunk.text.len() < bytes {
            if self.next_row()?.is_none() {
                break;
            }
            let (record, line) = (&self.record, self.line());
            if record.len() != columns {
                bad((line, format!("a row of {} cells, where the header has {columns}", record.len())));
                continue;
            }
            let Ok(text) = std::str::from_utf8(record.as_slice()) else {
                bad((line, "a row is not UTF-8".to_owned()));
                continue;
            };
            // Each cell must be text, not only all of them together.
            let start = chunk.text.len();
            let ends = (0..columns).map(|column| record.range(column).map_or(0, |range| range.end));
            if !ends.clone().all(|end| text.is_char_boundary(end)) {
                bad((line, "a row is not UTF-8".to_owned()));
                continue;
            }
            chunk.ends.extend(ends.map(|end| (start + end) as u32));
            chunk.text.push_str(text);
            chunk.lines.push(line);
        }
        Ok((chunk.rows() > 0).then_some(chunk))
    }
}

/// A reader that refuses to go on once a row has become too long.
struct Bounded<R> {
    inner: R,
    progress: Rc<Progress>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let row_bytes = &self.progress.row_bytes;
        if row_bytes.get() > ROW_BYTES_MAX {
            let message = "a row is longer than 16 MiB: perhaps a quote was not closed";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let count = self.inner.read(buffer)?;
        row_bytes.set(row_bytes.get() + count);
        self.progress.bytes.set(self.progress.bytes.get() + count as u64);
        if let Some(last) = buffer[..count].last() {
            self.progress.last.set(*last);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the rows of a text, as lines and cells, and the lines that are bad.
    fn read(text: &[u8], columns: usize) -> (Vec<(u64, Vec<String>)>, Vec<u64>) {
        let mut table = Table::new(text, b',');
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        while let Some(chunk) = table.next_chunk(columns, 4, |(line, _)| bad.push(line)).unwrap() {
            rows.extend((0..chunk.rows()).map(|row| {
                let cells = (0..columns).map(|column| chunk.cell(row, column).to_owned());
                (chunk.line(row), cells.collect())
            }));
        }
        (rows, bad)
    }

    #[test]
    fn rows_have_their_lines() {
        let text = "\u{FEFF}a,b\n\"c\nc\",\"d \"\"d\"\"\"\r\n\r\ne,\nf\né,g,h\n\ni,ö";
        let (rows, bad) = read(text.as_bytes(), 2);
        let row = |line, a: &str, b: &str| (line, vec![a.to_owned(), b.to_owned()]);
        assert_eq!(rows, [row(1, "a", "b"), row(2, "c\nc", "d \"d\""), row(5, "e", ""), row(9, "i", "ö")]);
        assert_eq!(bad, [6, 7]);
    }

    #[test]
    fn rows_are_picked_in_any_order() {
        let mut table = Table::new("a,\nbb,c\n,ddd\n".as_bytes(), b',');
        let chunk = table.next_chunk(2, 100, |_| {}).unwrap().unwrap();
        let picked = chunk.pick(&[2, 0, 1]);
        let row = |row| (picked.line(row), picked.cell(row, 0), picked.cell(row, 1));
        assert_eq!([row(0), row(1), row(2)], [(3, "", "ddd"), (1, "a", ""), (2, "bb", "c")]);
        assert_eq!(picked.rows(), 3);
    }

    #[test]
    fn what_is_no_text_is_bad() {
        // The second row is text as a whole, and no cell of it is.
        let (rows, bad) = read(b"a,\xFF\n\xC3,\xB6\nb,c\n", 2);
        assert_eq!((rows.len(), bad), (1, vec![1, 2]));
    }

    #[test]
    fn a_quote_that_is_not_closed_takes_no_more_than_a_row() {
        let endless = b"a,b\n\"c,d\n".chain(io::repeat(b'x'));
        let mut table = Table::new(endless, b',');
        let error = loop {
            match table.next_chunk(2, 1, |_| {}) {
                Ok(chunk) => assert!(chunk.is_some()),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("quote"), "{error}");
    }
}
