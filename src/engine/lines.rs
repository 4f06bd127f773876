//! N-Triples and N-Quads on several threads: a file is cut at line ends, its chunks are parsed side
//! by side and handed on in the order of the file.
//!
//! Knows bytes and quads; where the bytes come from and what becomes of the quads is `load`'s.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use oxttl::{NQuadsParser, NTriplesParser, TurtleSyntaxError};

use crate::model::GraphName;

const PARSERS: usize = 2;
/// How many chunks are under way at once: each parser has one at hand and one waiting.
const CHUNKS_UNDER_WAY: usize = PARSERS * 2;
/// A chunk is so long, or longer until a line ends: some thousand quads.
const CHUNK_BYTES: usize = 1 << 20;
/// No line is longer; memory is bounded by it.
const LINE_BYTES_MAX: usize = 64 << 20;

/// A statement that did not parse. Line and column count from 1.
pub struct BadLine {
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// What a chunk held.
pub struct Parsed {
    pub quads: Vec<oxrdf::Quad>,
    pub bad: Vec<BadLine>,
}

/// How to read lines.
#[derive(Clone)]
pub struct LineFormat {
    pub has_graphs: bool,
    /// Where triples go that name no graph.
    pub graph: GraphName,
    /// Whether a chunk is read on after a statement that does not parse.
    pub lenient: bool,
}

struct Chunk {
    bytes: Vec<u8>,
    /// How many lines come before it.
    lines_before: u64,
}

/// Feeds what each chunk held to `consume`, in order, until it has enough (`Ok(false)`) or the input
/// ends (`Ok(true)`).
///
/// # Errors
/// Those of the reader and of `consume`.
pub fn parse_lines<E: From<io::Error>>(
    reader: impl Read,
    format: &LineFormat,
    mut consume: impl FnMut(Parsed) -> Result<bool, E>,
) -> Result<bool, E> {
    thread::scope(|scope| {
        let parsers: [(SyncSender<Chunk>, Receiver<Parsed>); PARSERS] = std::array::from_fn(|_| {
            let (to_parser, chunks) = sync_channel::<Chunk>(CHUNKS_UNDER_WAY);
            let (sender, parsed) = sync_channel(CHUNKS_UNDER_WAY);
            scope.spawn(move || {
                while let Ok(chunk) = chunks.recv()
                    && sender.send(parse_chunk(&chunk, format)).is_ok()
                {}
            });
            (to_parser, parsed)
        });
        let mut chunks = Chunks { reader, rest: Vec::new(), lines: 0 };
        let (mut sent, mut received) = (0, 0);
        loop {
            let next = chunks.next()?;
            let is_end = next.is_none();
            if let Some(chunk) = next {
                parsers[sent % PARSERS].0.send(chunk).map_err(|_| ended())?;
                sent += 1;
            }
            while received < sent && (is_end || sent - received == CHUNKS_UNDER_WAY) {
                let parsed = parsers[received % PARSERS].1.recv().map_err(|_| ended())?;
                received += 1;
                if !consume(parsed)? {
                    return Ok(false);
                }
            }
            if is_end {
                return Ok(true);
            }
        }
    })
}

fn ended() -> io::Error {
    io::Error::other("a parser ended before its input")
}

fn parse_chunk(chunk: &Chunk, format: &LineFormat) -> Parsed {
    // Lines of about 128 bytes are usual.
    let mut parsed = Parsed { quads: Vec::with_capacity(chunk.bytes.len() / 128), bad: Vec::new() };
    if format.has_graphs {
        gather(NQuadsParser::new().for_slice(&chunk.bytes), chunk, format, &mut parsed);
    } else {
        let triples = NTriplesParser::new().for_slice(&chunk.bytes);
        let quads = triples.map(|triple| triple.map(|triple| triple.in_graph(GraphName::DefaultGraph)));
        gather(quads, chunk, format, &mut parsed);
    }
    parsed
}

fn gather(
    quads: impl Iterator<Item = Result<oxrdf::Quad, TurtleSyntaxError>>,
    chunk: &Chunk,
    format: &LineFormat,
    parsed: &mut Parsed,
) {
    let has_graph = format.graph != GraphName::DefaultGraph;
    for quad in quads {
        match quad {
            Ok(mut quad) => {
                if has_graph && quad.graph_name == GraphName::DefaultGraph {
                    quad.graph_name = format.graph.clone();
                }
                parsed.quads.push(quad);
            }
            Err(error) => {
                let at = error.location().start;
                parsed.bad.push(BadLine {
                    line: chunk.lines_before + at.line + 1,
                    column: at.column + 1,
                    message: error.message().to_owned(),
                });
                if !format.lenient {
                    return;
                }
            }
        }
    }
}

/// A reader cut at line ends.
struct Chunks<R> {
    reader: R,
    /// What was read past the end of the last chunk.
    rest: Vec<u8>,
    lines: u64,
}

impl<R: Read> Chunks<R> {
    fn next(&mut self) -> io::Result<Option<Chunk>> {
        let mut bytes = std::mem::take(&mut self.rest);
        let cut = loop {
            let searched = bytes.len();
            let wanted = CHUNK_BYTES.saturating_sub(searched).max(CHUNK_BYTES / 2);
            bytes.reserve(wanted);
            let read = self.reader.by_ref().take(wanted as u64).read_to_end(&mut bytes)?;
            if read < wanted {
                break bytes.len();
            }
            if let Some(end) = memchr::memrchr(b'\n', &bytes[searched..]) {
                break searched + end + 1;
            }
            if bytes.len() > LINE_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 64 MiB"));
            }
        };
        self.rest = bytes.split_off(cut);
        let lines_before = self.lines;
        self.lines += memchr::memchr_iter(b'\n', &bytes).count() as u64;
        Ok((!bytes.is_empty()).then_some(Chunk { bytes, lines_before }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, format: &LineFormat) -> (Vec<oxrdf::Quad>, Vec<BadLine>) {
        let (mut quads, mut bad) = (Vec::new(), Vec::new());
        let all = parse_lines::<io::Error>(text.as_bytes(), format, |parsed| {
            quads.extend(parsed.quads);
            bad.extend(parsed.bad);
            Ok(true)
        });
        assert!(all.unwrap());
        (quads, bad)
    }

    #[test]
    fn chunks_come_in_order_with_their_lines() {
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
        let graph = GraphName::NamedNode(crate::model::NamedNode::new_unchecked("http://e/g"));
        let format = LineFormat { has_graphs: false, graph: graph.clone(), lenient: true };
        for text in [text.as_str(), text.trim_end()] {
            let (quads, bad) = parse(text, &format);
            let subjects = quads.iter().map(|quad| quad.subject.to_string());
            let expected = (0..count).filter(|n| !broken.contains(n)).map(|n| format!("<http://e/s{n}>"));
            assert!(subjects.eq(expected));
            assert!(quads.iter().all(|quad| quad.graph_name == graph));
            assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [8, 20_001, 59_999]);
        }
    }

    #[test]
    fn graphs_are_kept_and_the_rest_goes_where_told() {
        let graph = GraphName::NamedNode(crate::model::NamedNode::new_unchecked("http://e/g"));
        let format = LineFormat { has_graphs: true, graph, lenient: false };
        let (quads, bad) = parse(
            "<http://e/s> <http://e/p> _:a <http://e/h> .\n# a comment\n_:a <http://e/p> _:a .",
            &format,
        );
        let graphs: Vec<String> = quads.iter().map(|quad| quad.graph_name.to_string()).collect();
        assert_eq!((graphs, bad.len()), (vec!["<http://e/h>".to_owned(), "<http://e/g>".to_owned()], 0));
    }
}
