//! N-Triples and N-Quads on several threads: a file is cut at line ends, and each thread parses and
//! gathers the chunks that it gets.
//!
//! Lines without escapes or oddities are taken apart here; every other line goes to the parser, which
//! alone says what is wrong with a line. Knows bytes and quads; where the bytes come from is `load`'s.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use oxiri::Iri;
use oxttl::{NQuadsParser, NTriplesParser, TurtleSyntaxError};

use super::load::BlankPrefix;
use super::plain_line::{PlainSyntax, parse_plain};
use crate::graph::{Gatherer, PlainNode, PlainTerm, Refused, WriteError};
use crate::model::{GraphName, Literal};
use crate::workspace::Intake;

/// How many threads parse.
pub const PARSERS: usize = 2;
/// How many chunks wait for a parser.
const CHUNKS_WAITING: usize = 2;
/// A chunk is so long, or longer until a line ends: some thousand quads.
const CHUNK_BYTES: usize = 1 << 20;
/// No line is longer; memory is bounded by it.
const LINE_BYTES_MAX: usize = 64 << 20;

/// A statement that did not parse. Line and column count from 1.
#[derive(Debug)]
pub struct BadLine {
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// How to read lines.
#[derive(Clone)]
pub struct LineFormat {
    pub has_graphs: bool,
    /// Where triples go that name no graph.
    pub graph: GraphName,
    /// What stands before the labels of blank nodes.
    pub blank: BlankPrefix,
}

struct Chunk {
    number: u64,
    bytes: Vec<u8>,
    /// How many lines come before it.
    lines_before: u64,
}

/// What became of a chunk: its bad lines.
type Done = (u64, Result<Vec<BadLine>, WriteError>);

/// Gathers all quads of `reader`. Hands each bad line to `note`, in the order of the file, and ends with
/// the first that is an error.
///
/// # Errors
/// Those of the reader, of gathering, and of `note`.
pub fn gather_lines<E: From<io::Error> + From<WriteError>>(
    reader: impl Read,
    format: &LineFormat,
    intake: &Intake<'_>,
    mut note: impl FnMut(BadLine) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        let (to_parsers, chunks) = sync_channel::<Chunk>(CHUNKS_WAITING);
        let chunks = Arc::new(Mutex::new(chunks));
        let (sender, done) = channel();
        let parsers: Vec<_> = (0..PARSERS)
            .map(|_| {
                let (chunks, sender) = (Arc::clone(&chunks), sender.clone());
                scope.spawn(move || parse_chunks(&chunks, format, intake.gatherer(), &sender))
            })
            .collect();
        // Once all parsers have ended, nobody is left to send to.
        drop((sender, chunks));
        let mut results = InOrder::default();
        let read = read_chunks(reader, |chunk| {
            to_parsers.send(chunk).map_err(|_| io::Error::other("a parser ended before its input"))?;
            done.try_iter().try_for_each(|chunk| results.add(chunk, &mut note))
        });
        drop(to_parsers);
        // What was read before the reader failed may hold an earlier mistake.
        let noted = match results.is_refused {
            true => Ok(()),
            false => done.iter().try_for_each(|chunk| results.add(chunk, &mut note)),
        };
        for parser in parsers {
            parser.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        noted.and(read)
    })
}

/// Puts what comes back from the parsers into the order of the file.
#[derive(Default)]
struct InOrder {
    next: u64,
    /// Whether a mistake was an error to whom it was told.
    is_refused: bool,
    waiting: BTreeMap<u64, Result<Vec<BadLine>, WriteError>>,
}

impl InOrder {
    fn add<E: From<WriteError>>(
        &mut self,
        (number, bad): Done,
        note: &mut impl FnMut(BadLine) -> Result<(), E>,
    ) -> Result<(), E> {
        self.waiting.insert(number, bad);
        while let Some(bad) = self.waiting.remove(&self.next) {
            self.next += 1;
            let noted = bad?.into_iter().try_for_each(&mut *note);
            self.is_refused |= noted.is_err();
            noted?;
        }
        Ok(())
    }
}

fn parse_chunks(
    chunks: &Mutex<Receiver<Chunk>>,
    format: &LineFormat,
    gatherer: Gatherer<'_>,
    done: &Sender<Done>,
) -> Result<(), WriteError> {
    let mut lines = Lines { format, gatherer, bad: Vec::new() };
    loop {
        let chunk = chunks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(chunk) = chunk else { break };
        let parsed = lines.chunk(&chunk).map(|()| std::mem::take(&mut lines.bad));
        // Who hung up wants nothing more.
        if done.send((chunk.number, parsed)).is_err() {
            break;
        }
    }
    lines.gatherer.finish()
}

/// Parses lines into a gatherer.
struct Lines<'a> {
    format: &'a LineFormat,
    gatherer: Gatherer<'a>,
    bad: Vec<BadLine>,
}

impl Lines<'_> {
    fn chunk(&mut self, chunk: &Chunk) -> Result<(), WriteError> {
        let syntax = PlainSyntax {
            has_graphs: self.format.has_graphs,
            blank_prefix: self.format.blank.as_str(),
            graph: match &self.format.graph {
                GraphName::NamedNode(name) => Some(PlainNode::Iri(name.as_str())),
                _ => None,
            },
        };
        let text = std::str::from_utf8(&chunk.bytes).ok();
        let (mut start, mut number) = (0, chunk.lines_before);
        while start < chunk.bytes.len() {
            let rest = &chunk.bytes[start..];
            let end = memchr::memchr(b'\n', rest).map_or(chunk.bytes.len(), |at| start + at);
            let plain = text.and_then(|text| parse_plain(&text[start..end], &syntax));
            let taken = match plain {
                Some(quad) => match self.gatherer.insert_plain(&quad, &is_valid) {
                    Ok(()) => true,
                    Err(Refused::Term) => false,
                    Err(Refused::Write(error)) => return Err(error),
                },
                None => false,
            };
            if !taken {
                // With its end, without which the parser would expect more.
                self.line(&chunk.bytes[start..chunk.bytes.len().min(end + 1)], number)?;
            }
            start = end + 1;
            number += 1;
        }
        Ok(())
    }

    /// Parses a line that is not plain; so many lines come before it.
    fn line(&mut self, line: &[u8], lines_before: u64) -> Result<(), WriteError> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        if self.format.has_graphs {
            self.gather(NQuadsParser::new().for_slice(line), lines_before)
        } else {
            let triples = NTriplesParser::new().for_slice(line);
            let quads = triples.map(|triple| triple.map(|triple| triple.in_graph(GraphName::DefaultGraph)));
            self.gather(quads, lines_before)
        }
    }

    fn gather(
        &mut self,
        quads: impl Iterator<Item = Result<oxrdf::Quad, TurtleSyntaxError>>,
        lines_before: u64,
    ) -> Result<(), WriteError> {
        let quads = match quads.collect::<Result<Vec<_>, _>>() {
            Ok(quads) => quads,
            // The parser may hand a statement out beside its complaint; what is wrong is left out.
            Err(error) => {
                let at = error.location().start;
                let (line, column) = (lines_before + at.line + 1, at.column + 1);
                self.bad.push(BadLine { line, column, message: error.message().to_owned() });
                return Ok(());
            }
        };
        for mut quad in quads {
            if quad.graph_name == GraphName::DefaultGraph {
                quad.graph_name = self.format.graph.clone();
            }
            self.format.blank.rename(&mut quad);
            self.gatherer.insert(&quad)?;
        }
        Ok(())
    }
}

/// Checks what a plain line leaves unchecked: IRIs and language tags.
pub(super) fn is_valid(term: PlainTerm<'_>) -> bool {
    match term {
        PlainTerm::Node(PlainNode::Iri(iri)) | PlainTerm::Typed(_, iri) => Iri::parse(iri).is_ok(),
        PlainTerm::Node(PlainNode::Constant(constant)) => Iri::parse(constant.iri()).is_ok(),
        // Digits after an IRI leave it one.
        PlainTerm::Node(PlainNode::Numbered(series, _)) => Iri::parse(series.start()).is_ok(),
        PlainTerm::LangString(_, language) => Literal::new_language_tagged_literal("", language).is_ok(),
        PlainTerm::Node(PlainNode::Blank(..)) | PlainTerm::String(_) | PlainTerm::Inline(_) => true,
    }
}

/// Cuts a reader at line ends, into chunks of whole lines.
fn read_chunks<E: From<io::Error>>(
    mut reader: impl Read,
    mut consume: impl FnMut(Chunk) -> Result<(), E>,
) -> Result<(), E> {
    let (mut rest, mut lines) = (Vec::new(), 0);
    for number in 0.. {
        let mut bytes = std::mem::take(&mut rest);
        let cut = loop {
            let searched = bytes.len();
            let wanted = CHUNK_BYTES.saturating_sub(searched).max(CHUNK_BYTES / 2);
            bytes.reserve(wanted);
            let read = reader.by_ref().take(wanted as u64).read_to_end(&mut bytes)?;
            if read < wanted {
                break bytes.len();
            }
            if let Some(end) = memchr::memrchr(b'\n', &bytes[searched..]) {
                break searched + end + 1;
            }
            if bytes.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 64 MiB").into());
            }
        };
        rest = bytes.split_off(cut);
        if bytes.is_empty() {
            break;
        }
        let lines_before = lines;
        lines += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        consume(Chunk { number, bytes, lines_before })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Dataset;
    use crate::engine::{Engine, LoadInput, LoadOptions};
    use crate::model::{Permutation, QuadPattern};

    /// Loads lines, in leniency; returns the quads as text, sorted, and the lines that are bad.
    fn load(text: &str, has_graphs: bool) -> (Vec<String>, Vec<u64>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if has_graphs { "a.nq" } else { "a.nt" });
        std::fs::write(&path, text).unwrap();
        let graph = crate::model::NamedNode::new_unchecked("http://e/else");
        let options =
            LoadOptions { files: vec![path], lenient: true, graph: Some(graph), ..Default::default() };
        let engine = Engine::in_memory();
        let hosted = engine.create_workspace("w", Default::default(), 0).unwrap();
        let loaded = engine.load(None, None, LoadInput::open(&options).unwrap(), "load", 1, &|_| {}).unwrap();
        let snapshot = hosted.workspace().snapshot(loaded.commit).unwrap();
        let mut scan = snapshot.scan(&QuadPattern::default(), Permutation::Spo).unwrap();
        let mut quads = Vec::new();
        while let Some(batch) = scan.next_batch().unwrap() {
            for row in 0..batch.rows() {
                let ids: Vec<_> = batch.columns().iter().map(|column| column[row]).collect();
                let terms = snapshot.terms(&ids).unwrap();
                quads.push(terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
            }
        }
        quads.sort_unstable();
        (quads, loaded.skipped.shown.iter().map(|fault| fault.line).collect())
    }

    /// Checks that a line is read as the parser alone reads it, but for what it complains of.
    fn check(text: &str, has_graphs: bool) {
        let (mut quads, mut bad) = (Vec::new(), Vec::new());
        let mut note = |result: Result<oxrdf::Quad, TurtleSyntaxError>| match result {
            Ok(quad) => {
                let graph = match &quad.graph_name {
                    GraphName::DefaultGraph => "<http://e/else>".to_owned(),
                    graph => graph.to_string(),
                };
                quads.push(format!("{} {} {} {graph}", quad.subject, quad.predicate, quad.object));
            }
            Err(error) => bad.push(error.location().start.line + 1),
        };
        if has_graphs {
            NQuadsParser::new().for_slice(text.as_bytes()).for_each(&mut note);
        } else {
            let triples = NTriplesParser::new().for_slice(text.as_bytes());
            triples.for_each(|triple| note(triple.map(|triple| triple.in_graph(GraphName::DefaultGraph))));
        }
        if !bad.is_empty() {
            quads.clear();
        }
        let (found, found_bad) = load(text, has_graphs);
        assert_eq!(found, quads, "{text}");
        // One statement, one mistake: the parser goes on to complain of what is missing after it.
        bad.truncate(1);
        assert_eq!(found_bad, bad, "{text}");
    }

    const LINES: &[&str] = &[
        r#"<http://e/s> <http://e/p> "plain" ."#,
        r#"<http://e/s>	<http://e/p>   "tabs and spaces" . "#,
        r#"  <http://e/s> <http://e/p> "indented"."#,
        r#"<http://e/s> <http://e/p> "escapes \n \u00e9 \" é" ."#,
        r#"<http://e/s> <http://e/p> "é"@fr ."#,
        r#"<http://e/s> <http://e/p> "upper"@EN-gb ."#,
        r#"<http://e/s> <http://e/p> "direction"@ar--rtl ."#,
        r#"<http://e/s> <http://e/p> "nonsense"@toolonglanguage-x ."#,
        r#"<http://e/s> <http://e/p> "7"^^<http://www.w3.org/2001/XMLSchema#integer> ."#,
        r#"<http://e/s> <http://e/p> "07"^^<http://www.w3.org/2001/XMLSchema#integer> ."#,
        r#"<http://e/s> <http://e/p> "text"^^<http://www.w3.org/2001/XMLSchema#string> ."#,
        r#"<http://e/s> <http://e/p> "x"^^<http://www.w3.org/1999/02/22-rdf-syntax-ns#langString> ."#,
        r#"<http://e/s> <http://e/p> "x"^^<not an iri> ."#,
        r#"<http://e/s> <http://e/p> <http://e/o\u00e9> ."#,
        r#"<http://e/s> <http://e/p> <relative> ."#,
        r#"<http://e/s s> <http://e/p> <http://e/o> ."#,
        r#"<http://e/s> <http://e/p> <http://e/o> # a comment"#,
        r#"<http://e/s> <http://e/p> <http://e/o> . # a comment"#,
        r#"# a comment"#,
        r#""#,
        r#"<http://e/s> <http://e/p> ."#,
        r#"<http://e/s> <http://e/p> <http://e/o>"#,
        r#"<http://e/s> "no predicate" <http://e/o> ."#,
        r#""no subject" <http://e/p> <http://e/o> ."#,
        r#"<http://e/s> <http://e/p> "unended ."#,
        r#"<http://e/s> <http://e/p> <<( <http://e/s> <http://e/p> "o" )>> ."#,
        r#"<http://e/s><http://e/p><http://e/o>."#,
        r#"<http://e/s> <http://e/p> "o"@en."#,
    ];

    #[test]
    fn lines_are_read_as_the_parser_reads_them() {
        for line in LINES {
            for text in [format!("{line}\n"), format!("{line}\r\n"), (*line).to_owned()] {
                for has_graphs in [false, true] {
                    check(&text, has_graphs);
                }
            }
        }
        let graphs = LINES.iter().flat_map(|line| {
            let graphs =
                ["<http://e/g> .", "<http://e/g>.", "<g> .", "\"g\" .", "<http://e/g> <http://e/g> ."];
            graphs.map(|graph| line.replacen(" .", &format!(" {graph}"), 1))
        });
        graphs.for_each(|text| check(&format!("{text}\n"), true));
    }

    #[test]
    fn mistakes_come_in_the_order_of_the_file() {
        let count = 60_000;
        let broken = [7, 20_000, 59_998];
        let lines: Vec<String> = (0..count)
            .map(|n| match broken.contains(&n) {
                true => format!("<http://e/s{n}> nonsense .\n"),
                false => format!("<http://e/s{n}> <http://e/p> \"{n} é, some more text\" .\n"),
            })
            .collect();
        let text = lines.concat();
        assert!(text.len() > 3 * CHUNK_BYTES);
        for text in [text.as_str(), text.trim_end()] {
            let (quads, bad) = load(text, false);
            assert_eq!((quads.len(), bad), (count - 3, vec![8, 20_001, 59_999]));
        }
    }
}
