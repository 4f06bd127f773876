//! What the decoders of this room must bear, as functions of bytes: `fuzz/` calls them with whatever
//! it comes up with, the test below with every single-bit change of real encodings.
//!
//! Each decodes, which must not panic nor take memory out of proportion. What decodes is encoded
//! again, and must decode to the same; where there is one encoding only, to the same bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bits::{Packed, pack, packed_len};
use super::column::{COLUMN_VALUES_MAX, decode_column, encode_column};
use super::cursor::{Cursor, put_u32};
use super::dictionary::{DictionaryBlock, DictionaryEncoder, RawDictionary};
use super::facts::{RunStatistics, decode_schema, encode_schema};
use super::layer::Input;
use super::manifest::{
    Root, Section, decode_row_page, decode_terms_page, encode_row_page, encode_terms_page,
};
use super::rows::{EdgeRowBlock, Row, RowBlock, encode_rows};
use super::term_key::{KeyedTerm, parse_key, put_term_key};
use super::{
    Run, SortedTerms, TermsDecoder, WriteOptions, decode_quads, encode_quads, encode_terms, gather, write_run,
};
use crate::block::{
    BlockError, BlockId, BlockKind, BlockReader, BlockSink, BlockSource, Decode, PlainBlock, SealedBlock,
};
use crate::crypto::{EpochKey, WorkspaceId};
use crate::dataset::{Keys, Places, Scan};
use crate::model::{
    BlankNode, EdgePattern, GraphName, Literal, NamedNode, Permutation, PermutationSet, QuadPattern, Term,
    TermId, Triple, pg, rdf, xsd,
};

/// Name and function of each target.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("bits", bits),
    ("column", column),
    ("rows", rows),
    ("edge_rows", edge_rows),
    ("dictionary", dictionary),
    ("dictionary_body", dictionary_body),
    ("term_key", key_of_term),
    ("manifest_root", manifest_root),
    ("row_page", row_page),
    ("terms_page", terms_page),
    ("statistics", statistics),
    ("schema", schema),
    ("run", run),
];

/// Returns real encodings to begin with, and the name of the target that each is for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let shelf = Shelf::written();
    let mut seeds = Vec::new();
    for (place, (id, kind)) in shelf.order.iter().enumerate() {
        let content = shelf.open(*id, *kind);
        seeds.push(("run", [&[place as u8][..], &content].concat()));
        match kind {
            BlockKind::Manifest => seeds.push(("manifest_root", content)),
            BlockKind::ManifestPage => seeds.push((target_of_page(&content), page_seed(content))),
            BlockKind::Dictionary => {
                seeds.extend(body_seeds(&content));
                seeds.push(("dictionary", content));
            }
            BlockKind::Permutation => seeds.push(("rows", content)),
            _ => seeds.push(("edge_rows", content)),
        }
    }
    for values in columns() {
        let mut column = (values.len() as u16).to_le_bytes().to_vec();
        encode_column(&mut column, &values);
        seeds.push(("column", column));
    }
    let mut packed = vec![7, 100, 0];
    pack(&mut packed, 0..100, 7);
    seeds.push(("bits", packed));
    seeds
}

fn target_of_page(content: &[u8]) -> &'static str {
    match content.first().copied() {
        Some(1) => "terms_page",
        Some(16) => "statistics",
        Some(17) => "schema",
        _ => "row_page",
    }
}

/// Statistics and schema are decoded without the byte of their section.
fn page_seed(mut content: Vec<u8>) -> Vec<u8> {
    if content.first().is_some_and(|section| *section >= 16) {
        content.remove(0);
    }
    content
}

fn body_seeds(content: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let block = DictionaryBlock::parse(content).expect("it was encoded just now");
    let mut keys = Vec::new();
    block.for_each_key(|key| keys.push(("term_key", key.to_vec()))).expect("it was parsed");
    let mut body = (keys.len() as u16).to_le_bytes().to_vec();
    let compressed = content.get(9..).unwrap_or_default();
    body.extend(zstd::bulk::decompress(compressed, 1 << 20).expect("it was encoded just now"));
    keys.into_iter().chain([("dictionary_body", body)]).collect()
}

/// A column of every coding.
fn columns() -> Vec<Vec<u64>> {
    let of = |value: fn(u64) -> u64| (0..200).map(value).collect();
    vec![
        vec![5],
        of(|_| 7),
        of(|n| (n * 2_654_435_761) & 0xFFFF),
        of(|n| n * 1000 + n % 7),
        of(|n| (n / 50) << 40),
        of(|n| (((n * 2_654_435_761) >> 7) & 3) << 40),
        of(|n| ((2 + n % 3 * 4) << 60) | n),
    ]
}

/// Bytes: width, count (u16), packed values.
pub fn bits(bytes: &[u8]) {
    let Some(([width, low, high], packed)) = bytes.split_first_chunk::<3>() else { return };
    let count = usize::from(u16::from_le_bytes([*low, *high]));
    let Ok(packed) = Packed::new(packed, count, *width, 0) else { return };
    let mut values = Vec::new();
    packed.append(0..count, &mut values);
    let mut again = Vec::new();
    pack(&mut again, values.iter().copied(), *width);
    assert_eq!(again.len(), packed_len(count, *width));
    let mut twice = Vec::new();
    Packed::new(&again, count, *width, 0).expect("it was packed just now").append(0..count, &mut twice);
    assert_eq!(twice, values);
}

/// Bytes: count (u16), column.
pub fn column(bytes: &[u8]) {
    let Some((count, bytes)) = bytes.split_first_chunk::<2>() else { return };
    let count = usize::from(u16::from_le_bytes(*count)) % (COLUMN_VALUES_MAX + 1);
    let mut values = Vec::new();
    if decode_column(&mut Cursor::new(bytes), count, &mut values).is_err() {
        return;
    }
    assert_eq!(values.len(), count);
    let mut again = Vec::new();
    encode_column(&mut again, &values);
    let mut cursor = Cursor::new(&again);
    let mut twice = Vec::new();
    assert_eq!(decode_column(&mut cursor, count, &mut twice), Ok(()));
    assert_eq!((twice, cursor.remaining()), (values, 0));
}

/// Bytes: the content of a permutation block.
pub fn rows(bytes: &[u8]) {
    for permutation in [Permutation::Spo, Permutation::Ops, Permutation::Sop, Permutation::Osp] {
        let Ok(mut quads) = decode_quads(bytes, permutation) else { continue };
        quads.sort_unstable_by_key(|quad| permutation.key(quad));
        quads.dedup();
        let again = encode_quads(&quads, permutation);
        let twice = again.iter().map(|content| decode_quads(content, permutation));
        assert_eq!(twice.collect::<Result<Vec<_>, _>>().map(|all| all.concat()), Ok(quads));
    }
    if let Ok(block) = RowBlock::decode(plain(BlockKind::Permutation, bytes)) {
        check_pieces(&block);
    }
}

/// Bytes: the content of an edge block.
pub fn edge_rows(bytes: &[u8]) {
    if let Ok(block) = EdgeRowBlock::decode(plain(BlockKind::Edges, bytes)) {
        check_pieces(&block.0);
    }
}

fn check_pieces(block: &RowBlock) {
    let mut rows: Vec<Row> = Vec::new();
    let mut index = 0;
    while let Some(first) = block.first_of(index) {
        assert!(block.first_piece_from(first) <= index || block.first_of(index + 1).is_some());
        for inclusive in [false, true] {
            let piece = |index| Ok(Arc::new(block.piece(index, |_| true)?.into_owned()));
            let rank = block.rank(first, inclusive, piece);
            assert!(rank.is_err() || rank.is_ok_and(|rank| rank <= block.rows()));
        }
        let Ok(of_piece) = rows_of(block, index) else { return };
        rows.extend(of_piece);
        index += 1;
    }
    assert_eq!(rows.len(), block.rows());
    assert!(block.piece(index, |_| true).is_err());
    let again = match block.width() {
        4 => encode_rows(&rows.iter().map(|[a, b, c, d, _]| [*a, *b, *c, *d]).collect::<Vec<_>>()),
        _ => encode_rows(&rows),
    };
    let again = RowBlock::decode(plain(BlockKind::Permutation, &again)).expect("it was encoded just now");
    let twice = (0..index).flat_map(|index| rows_of(&again, index).expect("it was encoded just now"));
    assert_eq!(twice.collect::<Vec<_>>(), rows);
}

fn rows_of(block: &RowBlock, index: usize) -> Result<Vec<Row>, BlockError> {
    let piece = block.piece(index, |_| true)?;
    let mut rows = vec![Row::default(); piece.rows()];
    let mut column = Vec::new();
    for place in 0..block.width() {
        column.clear();
        piece
            .append_ranges(place, std::slice::from_ref(&(0..piece.rows())), &mut column)
            .map_err(|error| block.corrupt(error))?;
        rows.iter_mut().zip(&column).for_each(|(row, id)| row[place] = *id);
    }
    Ok(rows)
}

/// Bytes: the content of a dictionary block.
pub fn dictionary(bytes: &[u8]) {
    let Ok(block) = DictionaryBlock::parse(bytes) else { return };
    let mut count = 0;
    let mut longest = Vec::new();
    let walked = block.for_each_key(|key| {
        count += 1;
        if key.len() > longest.len() {
            longest = key.to_vec();
        }
    });
    assert_eq!((walked, count), (Ok(()), block.len()), "what is parsed can be walked");
    for key in [&longest[..], b"", b"\x02http://example.org/1", b"\xFF"] {
        let _ = block.find(key);
    }
    let mut walk = block.walk();
    for index in [0, 1, 40, 17, 16, block.len() / 2, block.len()] {
        let term = walk.term(index);
        assert!(index < block.len() || term == Ok(None));
    }
    let mut decoder = TermsDecoder::default();
    if decoder.push(bytes).is_err() {
        return;
    }
    let Ok(terms) = decoder.finish() else { return };
    assert_eq!(terms.len(), block.len());
    if let Ok(sorted) = SortedTerms::of(&terms) {
        let mut again = TermsDecoder::default();
        let contents = encode_terms(sorted.keys());
        assert!(contents.iter().all(|block| again.push(&block.content).is_ok()));
        let again = again.finish().expect("it was encoded just now");
        assert!(terms.iter().all(|term| sorted.id_of(term).is_some()) && again.len() == sorted.len());
    }
}

/// Bytes: count of terms (u16), the body of a dictionary block, not compressed.
pub fn dictionary_body(bytes: &[u8]) {
    let Some((count, body)) = bytes.split_first_chunk::<2>() else { return };
    let mut content = vec![2];
    put_u32(&mut content, u16::from_le_bytes(*count).into());
    put_u32(&mut content, body.len() as u32);
    content.extend(zstd::bulk::compress(body, 1).expect("compressing memory into memory does not fail"));
    dictionary(&content);
}

/// Bytes: the key of a term.
pub fn key_of_term(bytes: &[u8]) {
    let Ok(term) = parse_key(bytes) else { return };
    let mut key = Vec::new();
    let is_short = match &term {
        KeyedTerm::Simple(term) => put_term_key(&mut key, term).is_ok(),
        KeyedTerm::Triple(triple) => {
            triple.put(&mut key);
            true
        }
    };
    if is_short {
        assert_eq!(key, bytes, "a term has one key");
        let mut encoder = DictionaryEncoder::default();
        encoder.push(&key, key.len());
        let block = encoder.finish().map(RawDictionary::compress);
        assert!(block.is_some_and(|block| DictionaryBlock::parse(&block.content).is_ok()));
    }
}

pub fn manifest_root(bytes: &[u8]) {
    if let Ok(root) = Root::decode(bytes) {
        assert_eq!(root.encode(), bytes);
    }
}

pub fn row_page(bytes: &[u8]) {
    for section in [Section::Spo, Section::Pso, Section::EdgesPso, Section::EdgesByEdge] {
        if let Ok(entries) = decode_row_page(section, bytes) {
            assert_eq!(encode_row_page(section, &entries), bytes);
        }
    }
}

pub fn terms_page(bytes: &[u8]) {
    if let Ok(entries) = decode_terms_page(bytes) {
        assert_eq!(encode_terms_page(&entries), bytes);
    }
}

pub fn statistics(bytes: &[u8]) {
    if let Ok(facts) = RunStatistics::decode(bytes) {
        assert_eq!(facts.encode(), bytes);
    }
}

pub fn schema(bytes: &[u8]) {
    if let Ok(schema) = decode_schema(bytes) {
        assert_eq!(decode_schema(&encode_schema(&schema)), Ok(schema));
    }
}

/// Bytes: which block of a real run (u8), what it holds instead. Reads all of that run.
pub fn run(bytes: &[u8]) {
    let Some((place, content)) = bytes.split_first() else { return };
    let shelf = Shelf::written();
    let (id, kind) = shelf.order[usize::from(*place) % shelf.order.len()];
    let forged = SealedBlock::seal(kind, content, key()).labelled(id);
    let source = Arc::new(Forged { shelf, forged });
    let reader = Arc::new(BlockReader::new(source, key().clone(), 1 << 20));
    if let Ok(run) = Run::open(shelf.root, reader) {
        read_all(&run);
    }
}

fn read_all(run: &Run) {
    let all = QuadPattern::default();
    for permutation in run.permutations().iter() {
        if let Ok(mut scan) = run.scan(&all, permutation) {
            while let Ok(Some(_)) = scan.next_runs(permutation.positions()[0]) {}
        }
        let Ok(mut scan) = run.scan(&all, permutation) else { continue };
        while let Ok(Some(batch)) = scan.next_batch() {
            let mut ids = batch.columns().concat();
            let _ = run.terms(&ids);
            ids.sort_unstable();
            ids.dedup();
            let ends = ids.first().copied().unwrap_or_default()..=ids.last().copied().unwrap_or_default();
            for keys in [Keys::Listed(&ids), Keys::Within(&ends)] {
                let Ok(mut keyed) = run.scan_keys(&all, permutation, Places::ALL, keys) else { continue };
                while let Ok(Some(_)) = keyed.next_batch() {}
            }
            for id in ids.into_iter().take(50) {
                let pattern = QuadPattern { subject: Some(id), object: Some(id), ..QuadPattern::default() };
                let _ = (run.terms(&[id]), run.estimate(&pattern));
                let _ = run.scan(&pattern, permutation).map(|mut scan| scan.next_batch());
            }
        }
    }
    for edge in [None, Some(TermId::from_bool(true))] {
        if let Ok(mut scan) = run.scan_edges(&EdgePattern { edge, ..EdgePattern::default() }) {
            while let Ok(Some(_)) = scan.next_batch() {}
        }
    }
    let terms = [iri(1).into(), iri(99).into(), BlankNode::new_unchecked("").into()];
    let _ = (run.ids_of(&terms), run.schema(), run.named_graphs(), run.blocks(), run.estimate(&all));
}

/// A real run, in memory.
pub(super) struct Shelf {
    blocks: Mutex<HashMap<BlockId, SealedBlock>>,
    /// All blocks, the root first.
    pub(super) order: Vec<(BlockId, BlockKind)>,
    root: BlockId,
}

impl Shelf {
    /// Returns the one run that all share, in every order, written at the first call.
    pub(super) fn written() -> &'static Shelf {
        static SHELF: OnceLock<Shelf> = OnceLock::new();
        SHELF.get_or_init(|| Shelf::write(Permutation::ALL.into_iter().collect()))
    }

    /// Writes the same quads in other orders.
    pub(super) fn write(permutations: PermutationSet) -> Shelf {
        let mut shelf =
            Shelf { blocks: Mutex::default(), order: Vec::new(), root: BlockId::from_bytes([0; 32]) };
        let quads: Vec<oxrdf::Quad> = quads().into_iter().collect();
        let parts = gather(&quads).expect("its terms are short");
        let input = Input::of_parts(&parts);
        let scratch = &crate::block::MemoryScratch;
        let (key, memory_bytes, threads) = (key(), 64 << 20, 1);
        let options = WriteOptions { key, sink: &shelf, scratch, memory_bytes, threads, permutations };
        shelf.root = write_run(&input, &options).expect("memory takes all").root;
        let blocks = std::mem::take(&mut shelf.blocks);
        let source = Arc::new(Shelf { blocks, order: Vec::new(), root: shelf.root });
        let reader = Arc::new(BlockReader::new(source.clone(), key.clone(), 1 << 20));
        shelf.order = Run::open(shelf.root, reader).expect("it was written just now").blocks();
        shelf.blocks = Mutex::new(source.blocks.lock().unwrap_or_else(PoisonError::into_inner).clone());
        shelf
    }

    pub(super) fn open(&self, id: BlockId, kind: BlockKind) -> Vec<u8> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.get(&id).expect("every block of the run is there");
        block.clone().open(kind, key()).expect("it was sealed under this key").data().to_vec()
    }
}

impl BlockSource for Shelf {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.iter().map(|id| blocks.get(id).cloned()).collect())
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(ids.iter().map(|id| blocks.contains_key(id)).collect())
    }
}

impl BlockSink for Shelf {
    fn put(&self, blocks: &[SealedBlock]) -> Result<(), BlockError> {
        let blocks = blocks.iter().map(|block| (block.id(), block.clone()));
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).extend(blocks);
        Ok(())
    }

    fn sync(&self) -> Result<(), BlockError> {
        Ok(())
    }
}

/// The run, with one block in the place of another.
struct Forged {
    shelf: &'static Shelf,
    forged: SealedBlock,
}

impl BlockSource for Forged {
    fn get(&self, ids: &[BlockId]) -> Result<Vec<Option<SealedBlock>>, BlockError> {
        let mut found = self.shelf.get(ids)?;
        for (id, slot) in ids.iter().zip(&mut found) {
            if *id == self.forged.id() {
                *slot = Some(self.forged.clone());
            }
        }
        Ok(found)
    }

    fn has(&self, ids: &[BlockId]) -> Result<Vec<bool>, BlockError> {
        self.shelf.has(ids)
    }
}

/// Few quads with all that a run can hold: types, edges, graphs, and terms of each kind.
fn quads() -> Vec<oxrdf::Quad> {
    let edge = Triple::new(iri(1), iri("calls"), iri(2));
    let objects: Vec<(NamedNode, Term)> = vec![
        (rdf::TYPE.into_owned(), iri("Vessel").into()),
        (iri("calls"), iri(2).into()),
        (iri("calls"), BlankNode::new_unchecked("b").into()),
        (iri("name"), Literal::new_simple_literal("Kraken").into()),
        (iri("name"), Literal::new_language_tagged_literal_unchecked("Krake", "de").into()),
        (iri("length"), Literal::from(120).into()),
        (iri("length"), Literal::new_typed_literal("0120", xsd::INTEGER).into()),
        (iri("length"), Literal::new_typed_literal("12.5", xsd::DECIMAL).into()),
        (iri("length"), Literal::new_typed_literal("1.5E0", xsd::DOUBLE).into()),
        (iri("insured"), Literal::from(true).into()),
        (iri("launched"), Literal::new_typed_literal("1997-06-01", xsd::DATE).into()),
        (iri("called"), Literal::new_typed_literal("2024-02-29T12:00:00Z", xsd::DATE_TIME).into()),
        (iri("tide"), Literal::new_typed_literal("06:12:30.5", xsd::TIME).into()),
        (pg::REIFIES.into_owned(), edge.into()),
    ];
    let mut quads = Vec::new();
    for (predicate, object) in &objects {
        for subject in 0..3 {
            let graph = if subject == 2 { iri("g").into() } else { GraphName::DefaultGraph };
            quads.push(oxrdf::Quad::new(iri(subject), predicate.clone(), object.clone(), graph));
        }
    }
    quads
}

fn iri(name: impl std::fmt::Display) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{name}"))
}

fn plain(kind: BlockKind, content: &[u8]) -> PlainBlock {
    SealedBlock::seal(kind, content, key()).open(kind, key()).expect("it was sealed just now")
}

fn key() -> &'static EpochKey {
    static KEY: OnceLock<EpochKey> = OnceLock::new();
    KEY.get_or_init(|| EpochKey::from_secret([3; 32], WorkspaceId([9; 32])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fuzzing::change_bits;

    /// Every single-bit change of a real encoding is refused, or is well-formed itself. The first seed
    /// of a target is changed in every bit, others in some;
    /// runs in few, since each is read as a whole.
    #[test]
    fn no_single_bit_does_harm() {
        let mut seen = Vec::new();
        for (name, seed) in seeds() {
            let (_, target) = TARGETS.iter().find(|(other, _)| *other == name).unwrap();
            let step = match name {
                "run" => 997,
                name if seen.contains(&name) => 13,
                _ => 1,
            };
            seen.push(name);
            target(&seed);
            change_bits(&seed, step, target);
            for len in (0..seed.len()).step_by(step) {
                target(&seed[..len]);
            }
        }
    }

    #[test]
    fn every_target_has_a_seed() {
        for (name, _) in TARGETS {
            assert!(seeds().iter().any(|(other, _)| other == name), "{name}");
        }
    }
}
