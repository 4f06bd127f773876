//! Dictionary blocks: sorted terms, front-coded in buckets of sixteen, then zstd.
//!
//! Triple terms stand in blocks of their own, for they name others by rank. A block of others holds terms only, and
//! where it ends depends only on the terms about there: so two dictionaries share the blocks between which they do
//! not differ. Drawn in `docs/block_format.md`.
#![deny(clippy::indexing_slicing)]

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use super::cursor::{Cursor, Malformed, put_bytes, put_u32, put_varint};
use super::keys::shared_len;
use super::term_key::{KeyedTerm, TERM_BYTES_MAX, parse_key};
use crate::block::{BlockError, BlockKind, Decode, PlainBlock};
use crate::model::TermKind;

const VERSION: u8 = 2;
const BUCKET_TERMS: usize = 16;
/// A block below this size does not end.
const BODY_BYTES_MIN: usize = 24 << 10;
/// A block does not grow past this size, unless by its first term.
const BODY_BYTES_MAX: usize = 96 << 10;
/// Nor do its terms, written in full, those within triple terms too.
pub(super) const EXPANDED_BYTES_MAX: usize = 1 << 20;
/// Past the minimum, one term in so many begins a block: one whose hash is zero modulo this.
const BOUNDARY_MODULUS: u16 = 512;
const ZSTD_LEVEL: i32 = 3;

thread_local! {
    // Making one costs more than a small dictionary.
    static COMPRESSOR: RefCell<Compressor<'static>> =
        RefCell::new(Compressor::new(ZSTD_LEVEL).expect("there is memory for a compressor"));
    static DECOMPRESSOR: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("there is memory for a decompressor"));
}

/// Appends terms in order and cuts them into the contents of blocks.
#[derive(Default)]
pub struct DictionaryEncoder {
    body: Vec<u8>,
    count: usize,
    expanded_bytes: usize,
    previous: Vec<u8>,
    first: Vec<u8>,
    last_of_block_before: Option<Vec<u8>>,
}

/// The content of one dictionary block, and what its entry in the manifest says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedDictionary {
    pub content: Vec<u8>,
    /// A shortest byte string above all terms of the block before, not above the first of this one.
    pub separator: Vec<u8>,
    pub terms: u32,
}

impl DictionaryEncoder {
    /// Makes one that goes on where keys of lesser kinds ended, with another block.
    pub fn after_lesser_kinds() -> DictionaryEncoder {
        DictionaryEncoder { last_of_block_before: Some(Vec::new()), ..DictionaryEncoder::default() }
    }

    /// Appends a key, of a term that takes so many bytes in full; returns the block that it closed, if it begins a
    /// new one.
    ///
    /// # Panics
    /// If the key is not above the one before, or longer than [`TERM_BYTES_MAX`].
    pub fn push(&mut self, key: &[u8], expanded_bytes: usize) -> Option<RawDictionary> {
        assert!(key.len() <= TERM_BYTES_MAX, "a dictionary's terms are bounded");
        let (shared, suffix) = split_shared(&self.previous, key);
        let is_first = self.count == 0 && self.last_of_block_before.is_none();
        assert!(is_first || suffix.first() > self.previous.get(shared), "sorted");
        let closed = if self.begins_block(key, expanded_bytes) { self.finish() } else { None };
        if self.count == 0 {
            self.first = key.to_vec();
        }
        if self.count.is_multiple_of(BUCKET_TERMS) {
            put_bytes(&mut self.body, key);
        } else {
            put_varint(&mut self.body, shared as u64);
            put_bytes(&mut self.body, suffix);
        }
        self.count += 1;
        self.expanded_bytes += expanded_bytes;
        self.previous.clear();
        self.previous.extend_from_slice(key);
        closed
    }

    /// Returns the last block, if any key was pushed since the one before.
    pub fn finish(&mut self) -> Option<RawDictionary> {
        if self.count == 0 {
            return None;
        }
        let separator = match &self.last_of_block_before {
            Some(last) => separator(last, &self.first),
            None => Vec::new(),
        };
        let body = std::mem::take(&mut self.body);
        let block = RawDictionary { body, separator, terms: self.count as u32 };
        self.last_of_block_before = Some(self.previous.clone());
        (self.count, self.expanded_bytes) = (0, 0);
        Some(block)
    }

    fn begins_block(&self, key: &[u8], expanded_bytes: usize) -> bool {
        if self.count == 0 {
            return false;
        }
        is_triple(key) != is_triple(&self.previous)
            || self.body.len() + key.len() > BODY_BYTES_MAX
            || self.expanded_bytes + expanded_bytes > EXPANDED_BYTES_MAX
            || self.body.len() >= BODY_BYTES_MIN && is_boundary(key)
    }
}

/// A block of terms that is not compressed yet; that is most of the work, and any thread can do it.
pub struct RawDictionary {
    body: Vec<u8>,
    separator: Vec<u8>,
    terms: u32,
}

impl RawDictionary {
    pub fn compress(self) -> EncodedDictionary {
        let compressed = COMPRESSOR.with_borrow_mut(|compressor| compressor.compress(&self.body));
        let compressed = compressed.expect("compressing memory into memory does not fail");
        let mut content = vec![VERSION];
        put_u32(&mut content, self.terms);
        put_u32(&mut content, self.body.len() as u32);
        content.extend_from_slice(&compressed);
        EncodedDictionary { content, separator: self.separator, terms: self.terms }
    }
}

fn is_triple(key: &[u8]) -> bool {
    key.first() == Some(&(TermKind::Triple as u8))
}

fn is_boundary(key: &[u8]) -> bool {
    let hash = blake3::hash(key);
    let low = hash.as_bytes().first_chunk::<2>().map_or(1, |bytes| u16::from_le_bytes(*bytes));
    low.is_multiple_of(BOUNDARY_MODULUS)
}

/// Splits `key` after what it shares with `previous`.
fn split_shared<'a>(previous: &[u8], key: &'a [u8]) -> (usize, &'a [u8]) {
    let shared = shared_len(previous, key);
    (shared, key.get(shared..).unwrap_or_default())
}

fn separator(below: &[u8], first: &[u8]) -> Vec<u8> {
    let (shared, _) = split_shared(below, first);
    first.get(..shared + 1).unwrap_or(first).to_vec()
}

/// An unpacked dictionary block.
pub struct DictionaryBlock {
    body: Vec<u8>,
    /// Where each bucket begins in `body`.
    buckets: Vec<u32>,
    count: usize,
}

/// Where a key is, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    At(usize),
    /// Not there; so many terms are below it.
    Before(usize),
}

impl DictionaryBlock {
    /// Unpacks and checks a content as [`DictionaryEncoder`] makes it.
    pub fn parse(content: &[u8]) -> Result<DictionaryBlock, Malformed> {
        let mut cursor = Cursor::new(content);
        if cursor.u8()? != VERSION {
            return Err(Malformed("a dictionary is of an unknown version"));
        }
        let (count, body_len) = (cursor.u32()? as usize, cursor.u32()? as usize);
        if body_len > BODY_BYTES_MAX + TERM_BYTES_MAX + 16 || count > body_len {
            return Err(Malformed("a dictionary is too large"));
        }
        let body = DECOMPRESSOR.with_borrow_mut(|unpacker| unpacker.decompress(cursor.rest(), body_len));
        let body = body.map_err(|_| Malformed("a dictionary does not unpack"))?;
        if body.len() != body_len {
            return Err(Malformed("a dictionary has a wrong length"));
        }
        let buckets = find_buckets(&body, count)?;
        Ok(DictionaryBlock { body, buckets, count })
    }

    /// Returns how many terms there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Starts to read terms; cheapest at ascending places.
    pub fn walk(&self) -> TermWalk<'_> {
        TermWalk { block: self, cursor: Cursor::new(&self.body), next: 0, key: Vec::new() }
    }

    /// Returns where `key` is.
    pub fn find(&self, key: &[u8]) -> Result<Place, Malformed> {
        let (mut low, mut high) = (0, self.buckets.len());
        let mut probe = Vec::new();
        while low < high {
            let middle = (low + high) / 2;
            advance(&mut self.bucket(middle)?, 0, &mut probe)?;
            if probe.as_slice() <= key { low = middle + 1 } else { high = middle }
        }
        let Some(bucket_index) = low.checked_sub(1) else { return Ok(Place::Before(0)) };
        let mut bucket = self.bucket(bucket_index)?;
        let begin = bucket_index * BUCKET_TERMS;
        for index in begin..self.count.min(begin + BUCKET_TERMS) {
            advance(&mut bucket, index, &mut probe)?;
            match probe.as_slice().cmp(key) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Place::At(index)),
                std::cmp::Ordering::Greater => return Ok(Place::Before(index)),
            }
        }
        Ok(Place::Before(self.count.min(begin + BUCKET_TERMS)))
    }

    /// Hands every key, in order, to `visit`.
    pub fn for_each_key(&self, mut visit: impl FnMut(&[u8])) -> Result<(), Malformed> {
        walk(&self.body, self.count, |_, key| visit(key))
    }

    /// Returns where a bucket begins.
    fn bucket(&self, index: usize) -> Result<Cursor<'_>, Malformed> {
        let start = self.buckets.get(index).map(|start| *start as usize);
        let rest = start.and_then(|start| self.body.get(start..));
        Ok(Cursor::new(rest.ok_or(Malformed("a bucket is missing"))?))
    }
}

/// Reads terms of one block, going on from the one before where it can.
pub struct TermWalk<'a> {
    block: &'a DictionaryBlock,
    cursor: Cursor<'a>,
    /// The place after the one whose key is at hand.
    next: usize,
    key: Vec<u8>,
}

impl TermWalk<'_> {
    /// Returns the term at `index`, or `None` past the end.
    pub fn term(&mut self, index: usize) -> Result<Option<KeyedTerm>, Malformed> {
        self.key(index)?.map(parse_key).transpose()
    }

    /// Returns the text of the plain string at `index`; `None` past the end, or if it is none.
    pub fn string(&mut self, index: usize) -> Result<Option<&[u8]>, Malformed> {
        Ok(match self.key(index)? {
            Some([kind, text @ ..]) if *kind == TermKind::String as u8 => Some(text),
            _ => None,
        })
    }

    /// Returns the key at `index`, or `None` past the end.
    fn key(&mut self, index: usize) -> Result<Option<&[u8]>, Malformed> {
        if index >= self.block.count {
            return Ok(None);
        }
        let start = index - index % BUCKET_TERMS;
        // From the key at hand the way leads on, but not into another bucket, where a shorter one begins.
        if index + 1 < self.next || self.next < start {
            self.cursor = self.block.bucket(index / BUCKET_TERMS)?;
            self.next = start;
        }
        while self.next <= index {
            advance(&mut self.cursor, self.next, &mut self.key)?;
            self.next += 1;
        }
        Ok(Some(&self.key))
    }
}

/// Makes `key` that of the term at `index`; it must hold the one before, and the cursor stand behind that.
#[inline]
fn advance(cursor: &mut Cursor<'_>, index: usize, key: &mut Vec<u8>) -> Result<(), Malformed> {
    let shared = if index.is_multiple_of(BUCKET_TERMS) { 0 } else { cursor.varint()? };
    let suffix = cursor.bytes()?;
    match usize::try_from(shared) {
        Ok(shared) if shared <= key.len() => key.truncate(shared),
        _ => return Err(Malformed("a term shares more than there is")),
    }
    key.extend_from_slice(suffix);
    Ok(())
}

/// Checks the whole body, its order and the UTF-8 of its strings included, and returns where its buckets begin.
fn find_buckets(body: &[u8], count: usize) -> Result<Vec<u32>, Malformed> {
    const UNSORTED: Malformed = Malformed("the terms of a dictionary are not sorted");
    let mut buckets = Vec::with_capacity(count.div_ceil(BUCKET_TERMS));
    let mut expanded_bytes = 0usize;
    let mut cursor = Cursor::new(body);
    let mut key = Vec::new();
    for index in 0..count {
        if index.is_multiple_of(BUCKET_TERMS) {
            buckets.push((body.len() - cursor.remaining()) as u32);
            let first = cursor.bytes()?;
            if index > 0 && first <= key.as_slice() {
                return Err(UNSORTED);
            }
            key.clear();
            key.extend_from_slice(first);
        } else {
            let shared = cursor.varint()?;
            let suffix = cursor.bytes()?;
            let shared = usize::try_from(shared).ok().filter(|shared| *shared <= key.len());
            let shared = shared.ok_or(Malformed("a term shares more than there is"))?;
            // It shares as much as it can, so the first byte that differs tells the order.
            if key.get(shared) >= suffix.first() {
                return Err(UNSORTED);
            }
            key.truncate(shared);
            key.extend_from_slice(suffix);
        }
        // Their texts are handed out as they stand.
        if let [kind, text @ ..] = key.as_slice()
            && *kind == TermKind::String as u8
            && std::str::from_utf8(text).is_err()
        {
            return Err(Malformed("a string is not UTF-8"));
        }
        expanded_bytes += key.len();
        if expanded_bytes > EXPANDED_BYTES_MAX + TERM_BYTES_MAX {
            return Err(Malformed("the terms of a dictionary are too long"));
        }
    }
    cursor.end()?;
    Ok(buckets)
}

fn walk(body: &[u8], count: usize, mut visit: impl FnMut(usize, &[u8])) -> Result<(), Malformed> {
    let (mut cursor, mut key) = (Cursor::new(body), Vec::new());
    for index in 0..count {
        advance(&mut cursor, index, &mut key)?;
        visit(index, &key);
    }
    Ok(())
}

impl Decode for DictionaryBlock {
    const KIND: BlockKind = BlockKind::Dictionary;

    fn decode(block: PlainBlock) -> Result<DictionaryBlock, BlockError> {
        DictionaryBlock::parse(block.data()).map_err(|error| block.corrupt(error.0))
    }

    fn weight_bytes(&self) -> usize {
        self.body.len() + self.buckets.len() * 4 + size_of::<DictionaryBlock>()
    }
}

/// Encodes the keys of sorted, distinct terms, the parts of triple terms among them, as the contents of dictionary
/// blocks; for change sets.
///
/// # Panics
/// If the keys are not sorted or not distinct, or the parts of a triple term are not there.
pub fn encode_terms(keys: &[Vec<u8>]) -> Vec<EncodedDictionary> {
    let mut encoder = DictionaryEncoder::default();
    let mut blocks = Vec::new();
    // What each takes in full, by rank; those yet to come are no triple terms.
    let mut expanded: Vec<usize> = Vec::with_capacity(keys.len());
    for key in keys {
        let expanded_bytes = match parse_key(key) {
            Ok(KeyedTerm::Triple(triple)) => {
                let length =
                    |rank: usize| expanded.get(rank).copied().or_else(|| Some(keys.get(rank)?.len()));
                triple.expanded_bytes(length).expect("parts are there")
            }
            _ => key.len(),
        };
        expanded.push(expanded_bytes);
        blocks.extend(encoder.push(key, expanded_bytes));
    }
    blocks.extend(encoder.finish());
    blocks.into_iter().map(RawDictionary::compress).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::term_key::{
        term_key,
        tests::{simple_terms, terms},
    };
    use crate::graph::{SortedTerms, TermsDecoder};
    use crate::model::{Literal, NamedNode, Term, Triple, compare_terms};
    use proptest::prelude::*;

    fn encoded(terms: &[Term]) -> Vec<EncodedDictionary> {
        encode_terms(&terms.iter().map(|term| term_key(term).unwrap()).collect::<Vec<_>>())
    }

    fn decode_terms(content: &[u8]) -> Result<Vec<Term>, Malformed> {
        decode_all([content])
    }

    fn decode_all<'c>(contents: impl IntoIterator<Item = &'c [u8]>) -> Result<Vec<Term>, Malformed> {
        let mut decoder = TermsDecoder::default();
        contents.into_iter().try_for_each(|content| decoder.push(content))?;
        decoder.finish()
    }

    fn check(terms: &[Term]) -> Vec<EncodedDictionary> {
        let blocks = encoded(terms);
        let decoded: Vec<Term> = blocks.iter().flat_map(|b| decode_terms(&b.content).unwrap()).collect();
        assert_eq!(decoded, terms);
        let mut rank = 0;
        for encoded in &blocks {
            let block = DictionaryBlock::parse(&encoded.content).unwrap();
            assert_eq!(block.len(), encoded.terms as usize);
            for index in 0..block.len() {
                let term = terms.get(rank).cloned().map(KeyedTerm::Simple);
                assert_eq!(block.walk().term(index).unwrap(), term);
                let key = term_key(&terms[rank]).unwrap();
                assert_eq!(block.find(&key), Ok(Place::At(index)));
                assert!(key >= encoded.separator);
                let above = [&key[..], &[0]].concat();
                let place = block.find(&above);
                assert!(matches!(place, Ok(Place::At(at) | Place::Before(at)) if at == index + 1));
                rank += 1;
            }
            assert_eq!(block.walk().term(block.len()), Ok(None));
            assert_eq!(block.find(&[]), Ok(Place::Before(0)));
        }
        blocks
    }

    fn many(count: usize) -> Vec<Term> {
        (0..count)
            .map(|n| NamedNode::new_unchecked(format!("http://example.org/vessel/{n:08}/call")).into())
            .collect()
    }

    #[test]
    fn long_lists_take_many_blocks() {
        let blocks = check(&many(20_000));
        assert!(blocks.len() > 2, "{}", blocks.len());
        let bytes: usize = blocks.iter().map(|block| block.content.len()).sum();
        assert!(bytes < 20_000 * 4, "{bytes}");
        check(&[]);
        check(&[Literal::new_simple_literal("x".repeat(TERM_BYTES_MAX - 1)).into()]);
    }

    /// Returns the content of a block with this body.
    fn content(count: u32, body: &[u8]) -> Vec<u8> {
        let mut content = vec![VERSION];
        put_u32(&mut content, count);
        put_u32(&mut content, body.len() as u32);
        content.extend(zstd::bulk::compress(body, 1).unwrap());
        content
    }

    /// Returns a bucket: the bytes of the first key, then for each other what it shares and what it adds.
    fn bucket(keys: &[(u8, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (index, (shared, suffix)) in keys.iter().enumerate() {
            if index > 0 {
                body.push(*shared);
            }
            put_bytes(&mut body, suffix);
        }
        body
    }

    #[test]
    fn strings_that_are_no_utf8_are_refused() {
        let count = |keys: &[(u8, &[u8])]| {
            DictionaryBlock::parse(&content(keys.len() as u32, &bucket(keys))).map(|block| block.len())
        };
        // A character may be cut by what is shared.
        assert_eq!(count(&[(0, b"\x04\xc3\xa4"), (2, b"\xb6")]), Ok(2));
        let refused = Err(Malformed("a string is not UTF-8"));
        assert_eq!(count(&[(0, b"\x04\xff")]), refused);
        assert_eq!(count(&[(0, b"\x04\xc3\xa4"), (2, b"\xff")]), refused);
    }

    /// A few bytes must not stand for the same terms over and over.
    #[test]
    fn terms_out_of_order_are_refused() {
        let count = |content: &[u8]| DictionaryBlock::parse(content).map(|block| block.len());
        assert_eq!(count(&content(3, &bucket(&[(0, b"\x02b"), (1, b"c"), (2, b"a")]))), Ok(3));
        let unsorted = Err(Malformed("the terms of a dictionary are not sorted"));
        for second in [(1, &b"a"[..]), (2, b""), (1, b""), (1, b"ba"), (0, b"\x02c")] {
            assert_eq!(count(&content(2, &bucket(&[(0, b"\x02b"), second]))), unsorted, "{second:?}");
        }
        let sixteen: Vec<(u8, &[u8])> =
            (0..16).map(|n| if n == 0 { (0, &b"\x02"[..]) } else { (n, &b"b"[..]) }).collect();
        for (first, expected) in
            [(&b"\x02c"[..], Ok(17)), (b"\x02a", unsorted), (b"\x02bbbbbbbbbbbbbbb", unsorted)]
        {
            let body = [bucket(&sixteen), bucket(&[(0, first)])].concat();
            assert_eq!(count(&content(17, &body)), expected);
        }
        // 590,000 terms of nothing in a hundred bytes.
        assert_eq!(count(&content(590_000, &vec![0; 16 + 590_000 / 16 * 31])), unsorted);
    }

    #[test]
    fn a_new_term_changes_only_the_blocks_about_it() {
        let mut terms = many(60_000);
        let before = encoded(&terms);
        terms.push(NamedNode::new_unchecked("http://example.org/vessel/00030000/new").into());
        terms.sort_by(compare_terms);
        let after = encoded(&terms);
        let changed = after.iter().filter(|block| !before.iter().any(|old| old.content == block.content));
        let changed = changed.count();
        assert!(before.len() >= 6 && changed <= 3, "{changed} of {}", before.len());
    }

    /// A few bytes must not stand for the same long terms over and over.
    #[test]
    fn triple_terms_of_long_parts_stand_in_many_blocks_or_are_refused() {
        let node = |text: String| NamedNode::new_unchecked(text);
        let terms: Vec<Term> = (0..80)
            .map(|n| {
                let (subject, predicate) = (node(n.to_string()).into(), node("p".repeat(100_000)));
                Term::Triple(Box::new(Triple { subject, predicate, object: node("o".to_owned()).into() }))
            })
            .collect();
        let sorted = SortedTerms::of(&terms).unwrap();
        let contents: Vec<Vec<u8>> =
            encode_terms(sorted.keys()).into_iter().map(|block| block.content).collect();
        assert!(contents.len() >= 9, "{}", contents.len());
        assert_eq!(decode_all(contents.iter().map(Vec::as_slice)).unwrap().len(), sorted.len());
        // As who counts no parts would cut them.
        let mut together = DictionaryEncoder::default();
        let mut blocks: Vec<RawDictionary> =
            sorted.keys().iter().filter_map(|key| together.push(key, 0)).collect();
        blocks.extend(together.finish());
        let contents: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.compress().content).collect();
        let all = contents.iter().map(Vec::as_slice);
        let too_long = Malformed("the triple terms of a dictionary are too long");
        assert_eq!(decode_all(all).map(|terms| terms.len()), Err(too_long));
    }

    proptest! {
        #[test]
        fn terms_read_back(mut terms in proptest::collection::vec(simple_terms(), 0..80)) {
            terms.sort_by(compare_terms);
            terms.dedup();
            check(&terms);
        }

        #[test]
        fn triple_terms_read_back(terms in proptest::collection::vec(terms(), 0..80)) {
            let sorted = SortedTerms::of(&terms).unwrap();
            let blocks = encode_terms(sorted.keys());
            let read = decode_all(blocks.iter().map(|block| block.content.as_slice())).unwrap();
            prop_assert_eq!(read.len(), sorted.len());
            for (rank, term) in read.iter().enumerate() {
                prop_assert_eq!(sorted.id_of(term), Some(sorted.id(rank)));
            }
            for term in terms {
                prop_assert!(read.contains(&term));
            }
            for block in &blocks {
                let keys = DictionaryBlock::parse(&block.content).unwrap();
                let (mut walk, mut triples) = (keys.walk(), 0);
                for index in 0..keys.len() {
                    triples += usize::from(matches!(walk.term(index), Ok(Some(KeyedTerm::Triple(_)))));
                }
                prop_assert!(triples == 0 || triples == keys.len());
            }
        }

        #[test]
        fn changed_bytes_never_panic(terms in proptest::collection::vec(terms(), 1..40), block: prop::sample::Index, at: prop::sample::Index, byte: u8) {
            let sorted = SortedTerms::of(&terms).unwrap();
            let mut contents: Vec<Vec<u8>> =
                encode_terms(sorted.keys()).into_iter().map(|block| block.content).collect();
            prop_assume!(!contents.is_empty());
            let block = block.index(contents.len());
            let content = &mut contents[block];
            let at = at.index(content.len());
            content[at] = byte;
            let _ = decode_all(contents.iter().map(Vec::as_slice));
        }

        #[test]
        fn a_changed_body_never_panics(count in 0usize..100, body: Vec<u8>) {
            let mut content = vec![VERSION];
            put_u32(&mut content, count as u32);
            put_u32(&mut content, body.len() as u32);
            content.extend(zstd::bulk::compress(&body, 1).unwrap());
            let _ = decode_terms(&content);
            if let Ok(block) = DictionaryBlock::parse(&content) {
                let _ = (block.find(b"a"), block.walk().term(count / 2));
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            prop_assert!(DictionaryBlock::parse(&bytes).is_err());
        }
    }
}
