//! Files as a stream of quads, RDF documents and CSV tables: compression and format by name, errors with
//! their place.
//!
//! Knows files and formats, not what becomes of the quads.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use oxrdfio::RdfFormat;

use super::csv::{CsvSyntax, TableContext, TableLayout, TableOptions};
use super::lines::{BadLine, LineFormat, PARSERS, gather_lines};
use super::rdf_document::Document;
use super::{CommitId, Engine, EngineError};
use crate::execute::schema_rule::SchemaRule;
use crate::graph::WriteError;
use crate::model::{BlankNode, GraphName, NamedNode, Vocabulary, rename_blank_nodes};
use crate::workspace::{FeedError, Intake};

/// How many bad statements are shown in full; all are counted.
pub(super) const FAULTS_SHOWN_MAX: usize = 20;
pub(super) const READ_BUFFER_BYTES: usize = 256 << 10;
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// What to read, and how.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// RDF documents.
    pub files: Vec<PathBuf>,
    /// CSV tables, after the documents.
    pub tables: Vec<TableOptions>,
    pub csv: CsvSyntax,
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
    pub(super) fn note(&mut self, fault: Fault, lenient: bool) -> Result<(), LoadError> {
        if !lenient {
            return Err(LoadError::Malformed(fault));
        }
        self.count += 1;
        if self.shown.len() < FAULTS_SHOWN_MAX {
            self.shown.push(fault);
        }
        Ok(())
    }

    /// Takes note of what else was skipped.
    fn add(&mut self, other: Skipped) {
        self.count += other.count;
        self.shown.extend(other.shown);
        self.shown.truncate(FAULTS_SHOWN_MAX);
    }
}

/// A statement, or a row, that is none. Line and column count from 1; 0 where the format cannot tell: an
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

/// Files that are ready to be loaded.
pub struct LoadInput {
    files: Vec<InputFile>,
    graph: GraphName,
    lenient: bool,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

struct InputFile {
    path: PathBuf,
    file: File,
    content: Content,
}

enum Content {
    Rdf(RdfFormat),
    /// One file of a table; the header is in the first.
    Table {
        layout: Arc<TableLayout>,
        is_first: bool,
    },
}

impl LoadInput {
    /// Checks that all files exist and have a known format, and tables a header that makes sense.
    pub fn open(options: &LoadOptions) -> Result<LoadInput, LoadError> {
        let (mut files, mut bytes_total) = (Vec::new(), 0);
        let mut add = |path: &Path, content: Content| {
            let (file, bytes) = open_file(path)?;
            bytes_total += bytes;
            files.push(InputFile { path: path.to_owned(), file, content });
            Ok(())
        };
        for path in &options.files {
            add(path, Content::Rdf(format_of(path, options.format.as_deref())?))?;
        }
        for TableOptions { rows, files } in &options.tables {
            let Some(first) = files.first() else { continue };
            let bytes_read = Arc::default();
            let header = open_compressed(first, Counted { inner: open_file(first)?.0, bytes: bytes_read })?;
            let layout = Arc::new(TableLayout::read(first, header, rows, options.csv)?);
            for (index, path) in files.iter().enumerate() {
                add(path, Content::Table { layout: Arc::clone(&layout), is_first: index == 0 })?;
            }
        }
        Ok(LoadInput {
            files,
            graph: options.graph.clone().map_or(GraphName::DefaultGraph, GraphName::NamedNode),
            lenient: options.lenient,
            bytes_read: Arc::new(AtomicU64::new(0)),
            bytes_total,
        })
    }

    /// Returns a counter of the bytes read from disk so far, before decompression.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        self.bytes_read.clone()
    }

    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    /// Gathers the quads of all files, in order; returns the statements that were skipped. The names of tables
    /// are those of a vocabulary.
    pub fn feed(self, vocabulary: &Vocabulary, intake: &Intake<'_>) -> Result<Skipped, FeedError<LoadError>> {
        let mut skipped = Skipped::default();
        let has_several_files = self.files.len() > 1;
        for (index, InputFile { path, file, content }) in self.files.into_iter().enumerate() {
            // Within one file equal labels mean one node, across files they do not.
            let prefix = match has_several_files {
                true => format!("{}f{index}", intake.blank_prefix()),
                false => intake.blank_prefix().to_owned(),
            };
            let reader = Counted { inner: file, bytes: self.bytes_read.clone() };
            let reader = open_compressed(&path, reader).map_err(FeedError::Input)?;
            let format = match content {
                Content::Rdf(format) => format,
                Content::Table { layout, is_first } => {
                    let (graph, lenient) = (&self.graph, self.lenient);
                    let context = TableContext { vocabulary, graph, lenient };
                    skipped.add(layout.feed(&path, reader, is_first, &context, &prefix, intake)?);
                    continue;
                }
            };
            if matches!(format, RdfFormat::NTriples | RdfFormat::NQuads) {
                let format = LineFormat {
                    has_graphs: format == RdfFormat::NQuads,
                    graph: self.graph.clone(),
                    blank: BlankPrefix(format!("{prefix}b")),
                };
                feed_lines(&path, reader, &format, self.lenient, intake, &mut skipped)?;
            } else {
                let document =
                    Document { path: &path, format, graph: self.graph.clone(), lenient: self.lenient };
                document.feed(reader, &prefix, intake, &mut skipped)?;
            }
        }
        Ok(skipped)
    }
}

/// Opens a file; returns how long it is.
fn open_file(path: &Path) -> Result<(File, u64), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    match metadata.is_dir() {
        true => Err(unreadable(io::Error::new(io::ErrorKind::IsADirectory, "is a folder"))),
        false => Ok((file, metadata.len())),
    }
}

fn feed_lines(
    path: &Path,
    reader: impl Read,
    format: &LineFormat,
    lenient: bool,
    intake: &Intake<'_>,
    skipped: &mut Skipped,
) -> Result<(), FeedError<LoadError>> {
    let note = |BadLine { line, column, message }: BadLine| {
        let fault = Fault { path: path.to_owned(), line, column, message };
        skipped.note(fault, lenient).map_err(LineError::Load)
    };
    gather_lines(reader, format, intake, note).map_err(|error| match error {
        LineError::Load(error) => FeedError::Input(error),
        LineError::Read(source) => FeedError::Input(LoadError::Unreadable { path: path.to_owned(), source }),
        LineError::Write(error) => FeedError::Write(error),
    })
}

enum LineError {
    Read(io::Error),
    Load(LoadError),
    Write(WriteError),
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> LineError {
        LineError::Read(error)
    }
}

impl From<WriteError> for LineError {
    fn from(error: WriteError) -> LineError {
        LineError::Write(error)
    }
}

/// What stands before the labels of all blank nodes of a file.
#[derive(Clone, Debug)]
pub struct BlankPrefix(String);

impl BlankPrefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn rename(&self, quad: &mut oxrdf::Quad) {
        rename_blank_nodes(quad, |node| {
            *node = BlankNode::new_unchecked(format!("{}{}", self.0, node.as_str()));
        });
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
    /// Loads all of `input` as one commit, or nothing if it fails. `progress` is told from time to time
    /// how many quads were read so far.
    pub fn load(
        &self,
        workspace: Option<&str>,
        branch: Option<&str>,
        input: LoadInput,
        message: &str,
        now_ms: i64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Loaded, EngineError> {
        let hosted = self.hosted(workspace)?;
        let workspace = hosted.workspace();
        let branch = match branch {
            Some(branch) => branch.to_owned(),
            None => workspace.default_branch()?,
        };
        let vocabulary = workspace.settings()?.vocabulary.clone();
        let snapshot = workspace.snapshot(workspace.branch(&branch)?)?;
        let rules = SchemaRule::all(&*snapshot)?;
        if let Some(rule) = rules.iter().find(|rule| rule.kind.is_constraint()) {
            // A load is laid down as it comes, and cannot be taken back.
            let message = format!(
                "the branch '{branch}' has constraints, such as '{}': drop them, load, and make them again, \
                 which checks the data",
                rule.name
            );
            return Err(EngineError::Forbidden(message));
        }
        let mut skipped = Skipped::default();
        let feed = |intake: &Intake<'_>| {
            skipped = watched(intake, progress, || input.feed(&vocabulary, intake))?;
            Ok(())
        };
        let loaded = workspace.load_from(&branch, PARSERS, feed, message, now_ms)?;
        Ok(Loaded {
            workspace: hosted.name().to_owned(),
            branch,
            commit: loaded.commit,
            quads_read: loaded.quads_read,
            quads_added: loaded.quads_added,
            skipped,
        })
    }
}

/// Does `work`, and tells `progress` how far it has come meanwhile.
fn watched<T>(intake: &Intake<'_>, progress: &(dyn Fn(u64) + Sync), work: impl FnOnce() -> T) -> T {
    let (sender, is_done) = sync_channel::<()>(0);
    thread::scope(|scope| {
        scope.spawn(move || {
            while is_done.recv_timeout(PROGRESS_EVERY) == Err(RecvTimeoutError::Timeout) {
                progress(intake.quads());
            }
        });
        let done = work();
        drop(sender);
        done
    })
}

pub(super) fn format_of(path: &Path, named: Option<&str>) -> Result<RdfFormat, LoadError> {
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
fn open_compressed(path: &Path, reader: Counted) -> Result<Box<dyn Read + Send>, LoadError> {
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
    use crate::dataset::Dataset;
    use crate::workspace::WorkspaceError;
    use std::io::Write;

    fn load(name: &str, bytes: &[u8], lenient: bool) -> Result<(usize, Skipped), LoadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let input = LoadInput::open(&LoadOptions { files: vec![path], lenient, ..LoadOptions::default() })?;
        let engine = Engine::in_memory();
        let hosted = engine.create_workspace("w", Default::default(), 0).unwrap();
        let mut skipped = Skipped::default();
        let feed = |intake: &Intake<'_>| {
            skipped = input.feed(&Vocabulary::default(), intake)?;
            Ok(())
        };
        match hosted.workspace().load_from("main", PARSERS, feed, "load", 1) {
            Ok(loaded) => Ok((loaded.quads_read as usize, skipped)),
            Err(WorkspaceError::Input(error)) => Err(*error.downcast().unwrap()),
            Err(error) => panic!("{error}"),
        }
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

    /// Returns how many quads and how many subjects there are once these files are loaded as one.
    fn load_files(texts: &[(&str, &str)]) -> (u64, u64) {
        let folder = tempfile::tempdir().unwrap();
        let paths = texts.iter().map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        });
        let options = LoadOptions { files: paths.collect(), ..LoadOptions::default() };
        let engine = Engine::in_memory();
        let hosted = engine.create_workspace("w", Default::default(), 0).unwrap();
        let input = LoadInput::open(&options).unwrap();
        let loaded = engine.load(None, None, input, "load", 1, &|_| {}).unwrap();
        let statistics = hosted.workspace().snapshot(loaded.commit).unwrap().statistics();
        (loaded.quads_added, statistics.distinct_subjects)
    }

    #[test]
    fn files_share_no_blank_nodes() {
        let two = "_:a <http://e/p> _:b .\n_:b <http://e/p> _:a .\n";
        let nested = "_:a <http://e/p> <<( _:b <http://e/p> _:a )>> .\n";
        assert_eq!(load_files(&[("0.nt", two), ("1.nt", two)]), (4, 4));
        assert_eq!(load_files(&[("0.nt", two), ("1.ttl", two)]), (4, 4));
        assert_eq!(load_files(&[("0.ttl", two), ("1.ttl", two), ("2.ttl", nested)]), (5, 5));
        assert_eq!(load_files(&[("0.nt", two), ("1.nt", "_:f0na <http://e/p> <http://e/o> .\n")]), (3, 3));
        // In one file, equal labels are one node, however odd the lines about them are.
        assert_eq!(load_files(&[("0.nt", &format!("{two}  _:a <http://e/p> \"\\n\"  .\n"))]), (3, 2));
        assert_eq!(load_files(&[("0.nt", "_:a.b <http://e/p> _:a .\n_:a <http://e/p> _:a.b .\n")]), (2, 2));
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
