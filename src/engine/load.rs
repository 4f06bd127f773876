//! RDF files as a stream of quads: compression and format by name, errors with their place.
//!
//! Knows files and formats, not what becomes of the quads.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use oxrdfio::{RdfFormat, RdfParseError, RdfParser, RdfSyntaxError};

use super::lines::{BadLine, LineFormat, parse_lines};
use super::{CommitId, Engine, EngineError};
use crate::model::{BlankNode, GraphName, NamedNode, NamedOrBlankNode, Term};

/// How many quads travel together from a parser to its consumer.
const QUADS_PER_BATCH: usize = 8192;
/// How many batches may wait: the parser runs ahead of the consumer by at most this.
const BATCHES_WAITING_MAX: usize = 8;
/// How many bad statements are shown in full; all are counted.
const FAULTS_SHOWN_MAX: usize = 20;
const READ_BUFFER_BYTES: usize = 256 << 10;

/// What to read, and how.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    pub files: Vec<PathBuf>,
    /// A file extension or media type that stands for the format; from each file's name if `None`.
    pub format: Option<String>,
    /// Where triples go that name no graph; the default graph if `None`.
    pub graph: Option<NamedNode>,
    /// Skip statements that do not parse instead of failing.
    pub lenient: bool,
}

/// Why a load failed; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error(
        "cannot tell the format of {}: its name ends in none of .nq .nt .ttl .trig .rdf .xml .jsonld .n3 \
         (before .gz or .zst); name one with --format", .0.display()
    )]
    UnknownFormat(PathBuf),
    #[error("'{0}' is no RDF format: nq, nt, ttl, trig, rdf, jsonld, or a media type")]
    NoSuchFormat(String),
    #[error("{0}")]
    Malformed(Fault),
}

impl Skipped {
    /// Takes note of a fault; it is the error unless the load is lenient.
    fn note(&mut self, fault: Fault, lenient: bool) -> Result<(), LoadError> {
        if !lenient {
            return Err(LoadError::Malformed(fault));
        }
        self.count += 1;
        if self.shown.len() < FAULTS_SHOWN_MAX {
            self.shown.push(fault);
        }
        Ok(())
    }
}

/// A statement that did not parse. Line and column count from 1; 0 where the format cannot tell: an
/// RDF/XML parser knows no columns, and its line is the one where the faulty piece ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub path: PathBuf,
    pub line: u64,
    pub column: u64,
    pub message: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.message),
            line if self.column == 0 => write!(f, "{}:{line}: {}", self.path.display(), self.message),
            line => write!(f, "{}:{line}:{}: {}", self.path.display(), self.column, self.message),
        }
    }
}

/// The statements that a lenient load skipped.
#[derive(Clone, Debug, Default)]
pub struct Skipped {
    pub count: u64,
    /// The first of them.
    pub shown: Vec<Fault>,
}

/// Parses files on a thread of its own. An iterator of batches of quads; after an error it ends.
pub struct QuadReader {
    batches: Receiver<Result<Vec<oxrdf::Quad>, LoadError>>,
    worker: Option<thread::JoinHandle<Skipped>>,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

impl QuadReader {
    /// Checks that all files exist and have a known format, and starts to parse them in order.
    pub fn open(options: &LoadOptions) -> Result<QuadReader, LoadError> {
        let mut inputs = Vec::new();
        let mut bytes_total = 0;
        for path in &options.files {
            let format = format_of(path, options.format.as_deref())?;
            let unreadable = |source| LoadError::Unreadable { path: path.clone(), source };
            let file = File::open(path).map_err(unreadable)?;
            let metadata = file.metadata().map_err(unreadable)?;
            if metadata.is_dir() {
                return Err(unreadable(io::Error::new(io::ErrorKind::IsADirectory, "is a folder")));
            }
            bytes_total += metadata.len();
            inputs.push((path.clone(), file, format));
        }
        let bytes_read = Arc::new(AtomicU64::new(0));
        let (sender, batches) = sync_channel(BATCHES_WAITING_MAX);
        let (counter, graph, lenient) = (bytes_read.clone(), options.graph.clone(), options.lenient);
        let worker = thread::spawn(move || {
            let mut skipped = Skipped::default();
            let has_several_files = inputs.len() > 1;
            for (index, (path, file, format)) in inputs.into_iter().enumerate() {
                let reader = Counted { inner: file, bytes: counter.clone() };
                let consume = |mut batch: Vec<oxrdf::Quad>| {
                    if has_several_files {
                        batch.iter_mut().for_each(|quad| rename_blank_nodes(quad, index));
                    }
                    sender.send(Ok(batch)).is_ok()
                };
                let parsed = open_compressed(&path, reader).and_then(|reader| {
                    let graph = graph.clone().map_or(GraphName::DefaultGraph, GraphName::NamedNode);
                    parse_reader(&path, format, reader, graph, lenient, &mut skipped, consume)
                });
                match parsed {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        // Who hung up wants no error either.
                        let _ = sender.send(Err(error));
                        break;
                    }
                }
            }
            skipped
        });
        Ok(QuadReader { batches, worker: Some(worker), bytes_read, bytes_total })
    }

    /// Returns a counter of the bytes read from disk so far, before decompression.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        self.bytes_read.clone()
    }

    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// Waits for the parser to end and returns what it skipped.
    pub fn finish(mut self) -> Skipped {
        drop(self.batches);
        self.worker.take().and_then(|worker| worker.join().ok()).unwrap_or_default()
    }
}

impl Iterator for QuadReader {
    type Item = Result<Vec<oxrdf::Quad>, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.recv().ok()
    }
}

/// What a load did.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub workspace: String,
    pub branch: String,
    pub commit: CommitId,
    pub quads_read: u64,
    /// Those that the branch did not have.
    pub quads_added: u64,
    pub skipped: Skipped,
}

impl Engine {
    /// Loads all that `reader` reads as one commit, or nothing if it fails. `progress` is told how
    /// many quads were read so far.
    pub fn load(
        &self,
        workspace: Option<&str>,
        branch: Option<&str>,
        mut reader: QuadReader,
        message: &str,
        now_ms: i64,
        progress: &dyn Fn(u64),
    ) -> Result<Loaded, EngineError> {
        let hosted = self.hosted(workspace)?;
        let workspace = hosted.workspace();
        let branch = match branch {
            Some(branch) => branch.to_owned(),
            None => workspace.default_branch()?,
        };
        let mut quads_read = 0;
        let batches = reader.by_ref().inspect(|batch| {
            quads_read += batch.as_ref().map_or(0, Vec::len) as u64;
            progress(quads_read);
        });
        let loaded = workspace.load(&branch, batches, message, now_ms)?;
        Ok(Loaded {
            workspace: hosted.name().to_owned(),
            branch,
            commit: loaded.commit,
            quads_read: loaded.quads_read,
            quads_added: loaded.quads_added,
            skipped: reader.finish(),
        })
    }
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
    let reader = Box::new(io::Cursor::new(bytes));
    parse_reader(path, format, reader, graph, false, &mut Skipped::default(), |batch| {
        quads.extend(batch);
        true
    })?;
    Ok(quads)
}

/// Keeps the blank nodes of several files apart: within one load, equal labels mean one node.
fn rename_blank_nodes(quad: &mut oxrdf::Quad, file: usize) {
    let rename = |node: &mut BlankNode| {
        *node = BlankNode::new_unchecked(format!("f{file}n{}", node.as_str()));
    };
    if let NamedOrBlankNode::BlankNode(node) = &mut quad.subject {
        rename(node);
    }
    if let GraphName::BlankNode(node) = &mut quad.graph_name {
        rename(node);
    }
    let mut object = &mut quad.object;
    loop {
        match object {
            Term::BlankNode(node) => return rename(node),
            Term::Triple(triple) => {
                if let NamedOrBlankNode::BlankNode(node) = &mut triple.subject {
                    rename(node);
                }
                object = &mut triple.object;
            }
            _ => return,
        }
    }
}

/// Feeds batches to `consume` until it has enough (`Ok(false)`) or the input ends (`Ok(true)`).
fn parse_reader(
    path: &Path,
    format: RdfFormat,
    reader: impl Read,
    graph: GraphName,
    lenient: bool,
    skipped: &mut Skipped,
    mut consume: impl FnMut(Vec<oxrdf::Quad>) -> bool,
) -> Result<bool, LoadError> {
    if matches!(format, RdfFormat::NTriples | RdfFormat::NQuads) {
        let has_graphs = format == RdfFormat::NQuads;
        let parsed = parse_lines(reader, &LineFormat { has_graphs, graph, lenient }, |parsed| {
            for BadLine { line, column, message } in parsed.bad {
                let fault = Fault { path: path.to_owned(), line, column, message };
                skipped.note(fault, lenient).map_err(LineError::Load)?;
            }
            Ok(consume(parsed.quads))
        });
        return parsed.map_err(|error| match error {
            LineError::Load(error) => error,
            LineError::Read(source) => LoadError::Unreadable { path: path.to_owned(), source },
        });
    }
    let parser = parser_for(format, path, graph);
    if format == RdfFormat::RdfXml {
        let line = Arc::new(AtomicU64::new(0));
        let inner = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
        let reader = ByLine { inner, line: line.clone(), is_at_start: true };
        return parse(path, parser.for_reader(reader), &line, lenient, skipped, consume);
    }
    parse(path, parser.for_reader(reader), &AtomicU64::new(0), lenient, skipped, consume)
}

enum LineError {
    Read(io::Error),
    Load(LoadError),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> LineError {
        LineError::Read(error)
    }
}

/// As [`parse_reader`], from quads. `line` is the line of a fault that does not know its own.
fn parse(
    path: &Path,
    quads: impl Iterator<Item = Result<oxrdf::Quad, RdfParseError>>,
    line: &AtomicU64,
    lenient: bool,
    skipped: &mut Skipped,
    mut consume: impl FnMut(Vec<oxrdf::Quad>) -> bool,
) -> Result<bool, LoadError> {
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
                return Ok(false);
            }
        }
    }
    Ok(batch.is_empty() || consume(batch))
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

fn format_of(path: &Path, named: Option<&str>) -> Result<RdfFormat, LoadError> {
    if let Some(name) = named {
        let by_extension = RdfFormat::from_extension(name.trim_start_matches('.'));
        let format = by_extension.or_else(|| RdfFormat::from_media_type(name));
        return format.ok_or_else(|| LoadError::NoSuchFormat(name.to_owned()));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let bare = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let extension = bare.rsplit_once('.').map(|(_, extension)| extension);
    extension.and_then(RdfFormat::from_extension).ok_or_else(|| LoadError::UnknownFormat(path.to_owned()))
}

/// Unpacks by the magic bytes that the name's ending promises.
fn open_compressed(path: &Path, reader: Counted) -> Result<Box<dyn Read>, LoadError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let buffered = BufReader::with_capacity(READ_BUFFER_BYTES, reader);
    Ok(match extension.as_str() {
        "gz" => Box::new(BufReader::with_capacity(
            READ_BUFFER_BYTES,
            flate2::bufread::MultiGzDecoder::new(buffered),
        )),
        "zst" => {
            let decoder = zstd::Decoder::with_buffer(buffered)
                .map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
            Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, decoder))
        }
        _ => Box::new(buffered),
    })
}

/// A reader that tells how far it has come.
struct Counted {
    inner: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn load(name: &str, bytes: &[u8], lenient: bool) -> Result<(usize, Skipped), LoadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut reader =
            QuadReader::open(&LoadOptions { files: vec![path], lenient, ..LoadOptions::default() })?;
        let mut count = 0;
        for batch in &mut reader {
            count += batch?.len();
        }
        Ok((count, reader.finish()))
    }

    #[test]
    fn formats_and_compression_go_by_name() {
        let line = b"<http://e/s> <http://e/p> \"o\" .\n";
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(line).unwrap();
        let gz = gz.finish().unwrap();
        let zst = zstd::encode_all(&line[..], 3).unwrap();
        let xml = br#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/"><rdf:Description rdf:about="http://e/s"><e:p>o</e:p></rdf:Description></rdf:RDF>"#;
        let jsonld = br#"{"@id": "http://e/s", "http://e/p": "o"}"#;
        for (name, bytes) in [
            ("a.nt", &line[..]),
            ("a.nq", line),
            ("a.ttl", line),
            ("a.trig", line),
            ("A.NT.GZ", &gz),
            ("a.nq.zst", &zst),
            ("a.rdf", xml),
            ("a.jsonld", jsonld),
        ] {
            assert_eq!(load(name, bytes, false).unwrap().0, 1, "{name}");
        }
        assert!(matches!(load("a.csv", line, false), Err(LoadError::UnknownFormat(_))));
        assert!(matches!(load("a.nt.gz", line, false), Err(LoadError::Unreadable { .. })));
    }

    #[test]
    fn files_share_no_blank_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let texts = [
            "_:a <http://e/p> _:b .\n_:b <http://e/p> _:a .\n",
            "_:a <http://e/p> <<( _:b <http://e/p> _:a )>> .\n",
            "_:f0na <http://e/p> _:a .\n",
        ];
        let mut files = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let path = folder.path().join(format!("{index}.{}", ["nt", "ttl"][index % 2]));
            std::fs::write(&path, text).unwrap();
            files.push(path);
        }
        let read = |files: &[PathBuf]| -> Vec<String> {
            let options = LoadOptions { files: files.to_vec(), ..LoadOptions::default() };
            let quads = QuadReader::open(&options).unwrap().flat_map(Result::unwrap);
            quads.map(|quad| quad.to_string()).collect()
        };
        let expected = [
            "_:f0na <http://e/p> _:f0nb",
            "_:f0nb <http://e/p> _:f0na",
            "_:f1na <http://e/p> <<( _:f1nb <http://e/p> _:f1na )>>",
            "_:f2nf0na <http://e/p> _:f2na",
        ];
        assert_eq!(read(&files), expected);
        assert_eq!(read(&files), expected);
        assert_eq!(read(&files[..1])[0], "_:a <http://e/p> _:b");
    }

    #[test]
    fn a_fault_of_xml_has_its_line() {
        let head =
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"\n xmlns:e=\"http://e/\">\n";
        let good = "<rdf:Description rdf:about=\"http://e/s\">\n<e:p>o</e:p>\n</rdf:Description>\n";
        let many = good.repeat(500);
        for (bad, line) in [
            ("<rdf:Description rdf:about=\"http://e/s s\"/>\n", 1503),
            ("<e:c rdf:ID='1'/>\n", 1503),
            ("<rdf:Description></e:p>\n", 1503),
            ("<rdf:Description>\n<e:p>&nothing;</e:p>\n", 1504),
        ] {
            let text = format!("{head}{many}{bad}{good}</rdf:RDF>");
            let Err(LoadError::Malformed(fault)) = load("a.rdf", text.as_bytes(), false) else {
                panic!("{bad}")
            };
            assert_eq!((fault.line, fault.column), (line, 0), "{fault}");
            assert!(fault.to_string().contains(&format!("a.rdf:{line}: ")), "{fault}");
        }
    }

    #[test]
    fn a_fault_has_its_place_and_lenient_goes_on() {
        let text = b"<http://e/s> <http://e/p> \"1\" .\n<http://e/s> oops \"2\" .\n<http://e/s> <http://e/p> \"3\" .\n";
        for name in ["a.nt", "a.ttl"] {
            let Err(LoadError::Malformed(fault)) = load(name, text, false) else { panic!("{name}") };
            assert_eq!(fault.line, 2, "{name}: {fault}");
            assert!(fault.column > 1, "{name}: {fault}");
            assert!(fault.to_string().contains(&format!("{name}:2:")), "{name}: {fault}");
            assert!(!fault.message.contains("line"), "{name}: {fault}");
            let (count, skipped) = load(name, text, true).unwrap();
            assert_eq!((count, skipped.count, skipped.shown.len()), (2, 1, 1), "{name}: {skipped:?}");
        }
    }
}
