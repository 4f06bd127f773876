//! RDF documents of formats that only a parser takes apart: a file's, or bytes at hand.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use oxrdfio::{RdfFormat, RdfParseError, RdfParser, RdfSyntaxError};

use super::load::{READ_BUFFER_BYTES, format_of};
use super::{Fault, LoadError, Skipped, xml_literal};
use crate::model::GraphName;
use crate::workspace::{BlankNames, FeedError, Intake};

/// How many quads travel together from a parser to its consumer.
const QUADS_PER_BATCH: usize = 8192;
/// How many batches may wait: the parser runs ahead of the consumer by at most this.
const BATCHES_WAITING_MAX: usize = 8;

/// A file that is parsed as a whole, on a thread of its own.
pub struct Document<'a> {
    pub path: &'a Path,
    pub format: RdfFormat,
    pub graph: GraphName,
    pub lenient: bool,
}

impl Document<'_> {
    pub fn feed(
        &self,
        reader: Box<dyn Read + Send>,
        blank_prefix: &str,
        intake: &Intake<'_>,
        skipped: &mut Skipped,
    ) -> Result<(), FeedError<LoadError>> {
        thread::scope(|scope| {
            let (sender, batches) = sync_channel(BATCHES_WAITING_MAX);
            let parser = scope.spawn(move || self.parse(reader, skipped, |batch| sender.send(batch).is_ok()));
            let mut gatherer = intake.gatherer();
            let mut names = BlankNames::new(blank_prefix);
            for quad in batches.into_iter().flatten() {
                gatherer.insert(&names.rename(quad))?;
            }
            parser
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                .map_err(FeedError::Input)?;
            Ok(gatherer.finish()?)
        })
    }

    /// Feeds batches to `consume` until it has enough or the input ends.
    fn parse(
        &self,
        reader: impl Read,
        skipped: &mut Skipped,
        consume: impl FnMut(Vec<oxrdf::Quad>) -> bool,
    ) -> Result<(), LoadError> {
        let parser = parser_for(self.format, self.path, self.graph.clone());
        if self.format == RdfFormat::RdfXml {
            let line = Arc::new(AtomicU64::new(0));
            let inner = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
            let reader = ByLine { inner, line: line.clone(), is_at_start: true };
            let quads = parser.for_reader(reader).map(|quad| {
                let mut quad = quad?;
                xml_literal::canonicalize(&mut quad);
                Ok(quad)
            });
            return parse(self.path, quads, &line, self.lenient, skipped, consume);
        }
        parse(self.path, parser.for_reader(reader), &AtomicU64::new(0), self.lenient, skipped, consume)
    }
}

/// Parses a document with a parser that is set up for it; XML literals are made canonical.
pub fn quads_of(
    parser: RdfParser,
    bytes: &[u8],
) -> impl Iterator<Item = Result<oxrdf::Quad, RdfSyntaxError>> {
    let is_xml = parser.format() == RdfFormat::RdfXml;
    parser.for_slice(bytes).map(move |quad| {
        let mut quad = quad?;
        if is_xml {
            xml_literal::canonicalize(&mut quad);
        }
        Ok(quad)
    })
}

/// Parses quads from bytes at hand, whose format is an extension or media type; errors name `path`.
pub fn parse_bytes(
    bytes: &[u8],
    format: &str,
    path: &Path,
    graph: GraphName,
) -> Result<Vec<oxrdf::Quad>, LoadError> {
    let format = format_of(path, Some(format))?;
    let mut quads = Vec::new();
    let document = Document { path, format, graph, lenient: false };
    document.parse(bytes, &mut Skipped::default(), |batch| {
        quads.extend(batch);
        true
    })?;
    Ok(quads)
}

/// Feeds quads to `consume`, some at a time. `line` is the line of a fault that does not know its own.
fn parse(
    path: &Path,
    quads: impl Iterator<Item = Result<oxrdf::Quad, RdfParseError>>,
    line: &AtomicU64,
    lenient: bool,
    skipped: &mut Skipped,
    mut consume: impl FnMut(Vec<oxrdf::Quad>) -> bool,
) -> Result<(), LoadError> {
    let mut batch = Vec::with_capacity(QUADS_PER_BATCH);
    for quad in quads {
        match quad {
            Ok(quad) => batch.push(quad),
            Err(RdfParseError::Io(source)) => {
                return Err(LoadError::Unreadable { path: path.to_owned(), source });
            }
            Err(RdfParseError::Syntax(error)) => {
                skipped.note(fault(path, &error, line.load(Ordering::Relaxed)), lenient)?;
            }
        }
        if batch.len() == QUADS_PER_BATCH {
            let full = std::mem::replace(&mut batch, Vec::with_capacity(QUADS_PER_BATCH));
            if !consume(full) {
                return Ok(());
            }
        }
    }
    consume(batch);
    Ok(())
}

fn fault(path: &Path, error: &RdfSyntaxError, line_reached: u64) -> Fault {
    let (path, message) = (path.to_owned(), error.to_string());
    match error.location() {
        Some(at) => {
            // The message repeats its place.
            let rest = message.strip_prefix("Parser error ").and_then(|rest| rest.split_once(": "));
            let message = rest.map_or(message.as_str(), |(_, rest)| rest).to_owned();
            Fault { path, line: at.start.line + 1, column: at.start.column + 1, message }
        }
        None => Fault { path, line: line_reached, column: 0, message },
    }
}

/// Hands out one line at a time and counts them, so that a parser that reads no further than it must
/// is somewhere in line `line`.
struct ByLine<R> {
    inner: BufReader<R>,
    line: Arc<AtomicU64>,
    /// Whether the next byte begins a line.
    is_at_start: bool,
}

impl<R: Read> Read for ByLine<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.fill_buf()?;
        let bytes = &bytes[..bytes.len().min(buffer.len())];
        let newline = memchr::memchr(b'\n', bytes);
        let len = newline.map_or(bytes.len(), |at| at + 1);
        buffer[..len].copy_from_slice(&bytes[..len]);
        self.inner.consume(len);
        if std::mem::replace(&mut self.is_at_start, newline.is_some()) && len > 0 {
            self.line.fetch_add(1, Ordering::Relaxed);
        }
        Ok(len)
    }
}

fn parser_for(format: RdfFormat, path: &Path, graph: GraphName) -> RdfParser {
    let parser = RdfParser::from_format(format).with_default_graph(graph);
    let base = path.canonicalize().ok().map(|path| format!("file://{}", path.display()));
    match base.map(|base| parser.clone().with_base_iri(base)) {
        Some(Ok(based)) => based,
        _ => parser,
    }
}
