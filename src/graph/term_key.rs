//! Terms as byte strings. But for triple terms, their order, byte by byte, is `model::compare_terms`.
//!
//! ```text
//! blank node     1 | label
//! IRI            2 | iri
//! triple term    3 | depth | the ids of subject, predicate and object, each of eight bytes, the highest first
//! string         4 | value
//! language       5 | value* | language* | direction (0 none, 1 ltr, 2 rtl)
//! other literal  6 | value* | datatype
//! field*         the bytes, each 00 written as 00 FF; then 00 01
//! ```
//!
//! The ids are of the dictionary that the key of a triple term stands in, so that each part is written once there. The
//! depth is 1, and one more for each triple term within: so those come before it.
#![deny(clippy::indexing_slicing)]

use std::borrow::Cow;

use oxrdf::{BaseDirection, LiteralRef, TermRef};

use super::cursor::{Cursor, Malformed};
use crate::model::{BlankNode, Literal, NamedNode, Term, TermId, TermKind};

/// No term takes more bytes as a key.
pub const TERM_BYTES_MAX: usize = 1 << 20;
/// Triple terms do not nest deeper.
pub const TRIPLE_DEPTH_MAX: u8 = 64;

const ESCAPED_ZERO: [u8; 2] = [0, 0xFF];
const END: [u8; 2] = [0, 1];

/// Appends the key of a term that is no triple term.
///
/// # Errors
/// If the term is too long for a dictionary; `out` then ends in a part of it.
///
/// # Panics
/// If it is a triple term.
pub fn put_term_key<'a>(out: &mut Vec<u8>, term: impl Into<TermRef<'a>>) -> Result<(), Malformed> {
    let start = out.len();
    match term.into() {
        TermRef::BlankNode(node) => {
            out.push(TermKind::BlankNode as u8);
            out.extend_from_slice(node.as_str().as_bytes());
        }
        TermRef::NamedNode(node) => {
            out.push(TermKind::NamedNode as u8);
            out.extend_from_slice(node.as_str().as_bytes());
        }
        TermRef::Literal(literal) => put_literal(out, literal),
        TermRef::Triple(_) => panic!("the key of a triple term is made of the ids of its parts"),
    }
    if out.len() - start > TERM_BYTES_MAX {
        return Err(Malformed("a term is longer than 1 MiB"));
    }
    Ok(())
}

/// Returns the key of a term, or `None` if no dictionary can hold it.
///
/// # Panics
/// If it is a triple term.
pub fn term_key(term: &Term) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    put_term_key(&mut key, term).ok().map(|()| key)
}

/// Refuses triple terms that no dictionary holds, though it may hold all their parts.
///
/// # Errors
/// If it nests too deep, or is too long with all that is in it.
pub fn check_size(mut term: TermRef<'_>) -> Result<(), Malformed> {
    let (mut depth, mut bytes) = (0, 0);
    while let TermRef::Triple(triple) = term {
        depth += 1;
        if depth > TRIPLE_DEPTH_MAX {
            return Err(Malformed("a triple term nests deeper than 64 levels"));
        }
        bytes += text_bytes(triple.subject.as_ref().into()) + text_bytes(triple.predicate.as_ref().into());
        term = triple.object.as_ref();
    }
    match depth > 0 && bytes + text_bytes(term) > TERM_BYTES_MAX {
        true => Err(Malformed("a term is longer than 1 MiB")),
        false => Ok(()),
    }
}

/// Returns how many bytes the texts of a term take, 0 for a triple term.
fn text_bytes(term: TermRef<'_>) -> usize {
    match term {
        TermRef::NamedNode(node) => node.as_str().len(),
        TermRef::BlankNode(node) => node.as_str().len(),
        TermRef::Literal(literal) => literal.value().len() + literal.datatype().as_str().len(),
        TermRef::Triple(_) => 0,
    }
}

/// Returns the depth of a term as keys have it, 0 for what is no triple term; past [`TRIPLE_DEPTH_MAX`] if it is deeper
/// than dictionaries hold.
pub fn depth_of(mut term: &Term) -> u8 {
    let mut depth = 0u8;
    while let Term::Triple(triple) = term {
        depth = depth.saturating_add(1);
        term = &triple.object;
    }
    depth
}

/// What the key of a triple term says; sorts as keys do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TripleKey {
    /// 1, and one more for each triple term within.
    pub depth: u8,
    /// The ids of subject, predicate and object.
    pub parts: [u64; 3],
}

impl TripleKey {
    /// How many bytes it has, the kind not counted.
    const BODY_BYTES: usize = 1 + 3 * 8;

    pub fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[TermKind::Triple as u8, self.depth]);
        self.parts.iter().for_each(|part| out.extend_from_slice(&part.to_be_bytes()));
    }

    pub fn to_bytes(self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + TripleKey::BODY_BYTES);
        self.put(&mut key);
        key
    }

    /// Returns how many bytes it takes in full, given by rank what other terms do; `None` if `length` does not know a
    /// part.
    pub fn expanded_bytes(&self, length: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let ids = self.parts.iter().filter_map(|part| TermId::from_bits(*part)?.as_dictionary());
        ids.map(|id| length(usize::try_from(id.rank).ok()?)).sum()
    }

    /// Takes the key of a triple term apart, but for its first byte.
    fn parse(body: &[u8]) -> Result<TripleKey, Malformed> {
        let mut cursor = Cursor::new(body);
        let depth = cursor.u8()?;
        let mut parts = [0; 3];
        for part in &mut parts {
            // The cursor reads the lowest byte first.
            *part = cursor.u64()?.swap_bytes();
        }
        cursor.end()?;
        let kinds = parts.map(|part| {
            let id = TermId::from_bits(part)?;
            let is_of_a_dictionary = id.as_dictionary().is_some_and(|id| id.layer == 0);
            (is_of_a_dictionary || id.is_inline()).then_some(id.kind())
        });
        let [Some(TermKind::BlankNode | TermKind::NamedNode), Some(TermKind::NamedNode), Some(object)] =
            kinds
        else {
            return Err(Malformed("a triple term has parts of wrong kinds"));
        };
        let is_depth_right = match object {
            TermKind::Triple => (2..=TRIPLE_DEPTH_MAX).contains(&depth),
            _ => depth == 1,
        };
        match is_depth_right {
            true => Ok(TripleKey { depth, parts }),
            false => Err(Malformed("a triple term has a wrong depth")),
        }
    }
}

/// What stands in a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyedTerm {
    Simple(Term),
    Triple(TripleKey),
}

/// The kinds of terms in a dictionary, in the order of their ranks.
pub const DICTIONARY_KINDS: [TermKind; 6] = [
    TermKind::BlankNode,
    TermKind::NamedNode,
    TermKind::Triple,
    TermKind::String,
    TermKind::LangString,
    TermKind::TypedLiteral,
];

/// Returns the kind of the term of a key.
pub fn kind_of_key(key: &[u8]) -> Option<TermKind> {
    DICTIONARY_KINDS.into_iter().find(|kind| key.first() == Some(&(*kind as u8)))
}

/// Takes a key apart.
pub fn parse_key(key: &[u8]) -> Result<KeyedTerm, Malformed> {
    let kind = kind_of_key(key).ok_or(Malformed("a term is of an unknown kind"))?;
    let (_, body) = key.split_first().ok_or(Malformed("a term is empty"))?;
    match kind {
        TermKind::Triple => TripleKey::parse(body).map(KeyedTerm::Triple),
        kind => parse_simple(kind, body).map(KeyedTerm::Simple),
    }
}

/// Returns the term of a key that is of no triple term.
pub fn parse_term_key(key: &[u8]) -> Result<Term, Malformed> {
    match parse_key(key)? {
        KeyedTerm::Simple(term) => Ok(term),
        KeyedTerm::Triple(_) => Err(Malformed("a triple term stands where none can")),
    }
}

fn put_field(out: &mut Vec<u8>, mut text: &[u8]) {
    while let Some((before, after)) = memchr::memchr(0, text).and_then(|zero| text.split_at_checked(zero)) {
        out.extend_from_slice(before);
        out.extend_from_slice(&ESCAPED_ZERO);
        text = after.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(text);
    out.extend_from_slice(&END);
}

fn put_literal(out: &mut Vec<u8>, literal: LiteralRef<'_>) {
    if let Some(language) = literal.language() {
        put_lang_string_key(out, literal.value(), language, literal.direction());
    } else if literal.datatype() == crate::model::xsd::STRING {
        out.push(TermKind::String as u8);
        out.extend_from_slice(literal.value().as_bytes());
    } else {
        put_typed_literal_key(out, literal.value(), literal.datatype().as_str());
    }
}

/// Appends the key of a literal with a language.
pub fn put_lang_string_key(out: &mut Vec<u8>, value: &str, language: &str, direction: Option<BaseDirection>) {
    out.push(TermKind::LangString as u8);
    put_field(out, value.as_bytes());
    put_field(out, language.as_bytes());
    out.push(match direction {
        None => 0,
        Some(BaseDirection::Ltr) => 1,
        Some(BaseDirection::Rtl) => 2,
    });
}

/// Appends the key of a literal of a datatype that is neither `xsd:string` nor told by its language.
pub fn put_typed_literal_key(out: &mut Vec<u8>, value: &str, datatype: &str) {
    out.push(TermKind::TypedLiteral as u8);
    put_field(out, value.as_bytes());
    out.extend_from_slice(datatype.as_bytes());
}

/// Returns the datatype of the key of a literal that has no kind of its own.
pub fn datatype_of_key(key: &[u8]) -> Option<&[u8]> {
    match *key.first()? {
        kind if kind == TermKind::LangString as u8 => Some(match key.last()? {
            0 => oxrdf::vocab::rdf::LANG_STRING.as_str().as_bytes(),
            _ => oxrdf::vocab::rdf::DIR_LANG_STRING.as_str().as_bytes(),
        }),
        kind if kind == TermKind::TypedLiteral as u8 => {
            key.get(memchr::memmem::find(key, &END)? + END.len()..)
        }
        _ => None,
    }
}

fn parse_simple(kind: TermKind, body: &[u8]) -> Result<Term, Malformed> {
    Ok(match kind {
        TermKind::BlankNode => BlankNode::new_unchecked(text(body)?).into(),
        TermKind::NamedNode => NamedNode::new_unchecked(text(body)?).into(),
        TermKind::String => Literal::new_simple_literal(text(body)?).into(),
        TermKind::LangString => {
            let (value, after) = take_field(body)?;
            let (language, direction) = take_field(after)?;
            parse_language(value, language, direction)?.into()
        }
        _ => {
            let (value, datatype) = take_field(body)?;
            let datatype = NamedNode::new_unchecked(text(datatype)?);
            if datatype == crate::model::xsd::STRING {
                return Err(Malformed("a string is keyed as another literal"));
            }
            Literal::new_typed_literal(value, datatype).into()
        }
    })
}

fn parse_language(value: String, language: String, direction: &[u8]) -> Result<Literal, Malformed> {
    let direction = match direction {
        [0] => return Ok(Literal::new_language_tagged_literal_unchecked(value, language)),
        [1] => BaseDirection::Ltr,
        [2] => BaseDirection::Rtl,
        _ => return Err(Malformed("a literal has an unknown direction")),
    };
    Ok(Literal::new_directional_language_tagged_literal_unchecked(value, language, direction))
}

/// Splits a terminated field off.
fn take_field(bytes: &[u8]) -> Result<(String, &[u8]), Malformed> {
    let mut field = Cow::Borrowed(&[][..]);
    let mut rest = bytes;
    loop {
        let zero = memchr::memchr(0, rest).ok_or(Malformed("a field of a term has no end"))?;
        let (part, after) = rest.split_at_checked(zero).unwrap_or_default();
        if field.is_empty() {
            field = Cow::Borrowed(part);
        } else {
            field.to_mut().extend_from_slice(part);
        }
        match after.split_first_chunk::<2>() {
            Some((&END, after)) => return Ok((text(&field)?, after)),
            Some((&ESCAPED_ZERO, after)) => {
                field.to_mut().push(0);
                rest = after;
            }
            _ => return Err(Malformed("a zero byte of a term is not escaped")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed("a term is not UTF-8"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::{DictionaryId, NamedOrBlankNode, Triple, compare_terms};
    use proptest::prelude::*;

    /// Terms that are close to each other, zero bytes included.
    pub fn terms() -> impl Strategy<Value = Term> {
        let text = "[ab\\x00\\x01é]{0,4}";
        let leaf = prop_oneof![
            text.prop_map(|t| BlankNode::new_unchecked(t).into()),
            text.prop_map(|t| NamedNode::new_unchecked(t).into()),
            text.prop_map(|t| Literal::new_simple_literal(t).into()),
            (text, "[a-b]{1,2}")
                .prop_map(|(t, l)| { Literal::new_language_tagged_literal_unchecked(t, l).into() }),
            (text, "[a-b]{1,2}", any::<bool>()).prop_map(|(t, l, ltr)| {
                let direction = if ltr { BaseDirection::Ltr } else { BaseDirection::Rtl };
                Literal::new_directional_language_tagged_literal_unchecked(t, l, direction).into()
            }),
            (text, text).prop_map(|(t, d)| Literal::new_typed_literal(t, NamedNode::new_unchecked(d)).into()),
        ];
        leaf.prop_recursive(3, 8, 1, move |object| {
            (any::<bool>(), text, text, object).prop_map(|(blank, s, p, object)| {
                let subject: NamedOrBlankNode = if blank {
                    BlankNode::new_unchecked(s).into()
                } else {
                    NamedNode::new_unchecked(s).into()
                };
                Term::Triple(Box::new(Triple { subject, predicate: NamedNode::new_unchecked(p), object }))
            })
        })
    }

    /// As [`terms`], without triple terms.
    pub fn simple_terms() -> impl Strategy<Value = Term> {
        terms().prop_map(|mut term| {
            while let Term::Triple(triple) = term {
                term = triple.object;
            }
            term
        })
    }

    fn id(kind: TermKind, rank: u64) -> u64 {
        TermId::dictionary(DictionaryId { kind, layer: 0, rank }).to_bits()
    }

    proptest! {
        #[test]
        fn terms_read_back(term in simple_terms()) {
            prop_assert_eq!(parse_term_key(&term_key(&term).unwrap()), Ok(term));
        }

        #[test]
        fn keys_sort_as_terms(a in simple_terms(), b in simple_terms()) {
            prop_assert_eq!(term_key(&a).cmp(&term_key(&b)), compare_terms(&a, &b));
        }

        #[test]
        fn keys_of_triple_terms_sort_as_they_do(ranks in proptest::array::uniform6(0u64..1 << 48), deep: [bool; 2]) {
            let [a, b, c, d, e, f] = ranks;
            let key = |[s, p, o]: [u64; 3], is_deep: bool| {
                let object = if is_deep { TermKind::Triple } else { TermKind::String };
                let parts = [id(TermKind::BlankNode, s), id(TermKind::NamedNode, p), id(object, o)];
                TripleKey { depth: 1 + u8::from(is_deep), parts }
            };
            let keys = [key([a, b, c], deep[0]), key([d, e, f], deep[1])];
            for key in keys {
                prop_assert_eq!(parse_key(&key.to_bytes()), Ok(KeyedTerm::Triple(key)));
            }
            prop_assert_eq!(keys[0].to_bytes().cmp(&keys[1].to_bytes()), keys[0].cmp(&keys[1]));
        }

        #[test]
        fn foreign_bytes_never_panic(kind in 0u8..8, bytes in "[\\x00-\\x02ab]{0,30}") {
            let _ = parse_key(&[&[kind], bytes.as_bytes()].concat());
        }
    }

    /// Else one term could stand in a dictionary twice, with two ids.
    #[test]
    fn a_string_has_one_key() {
        let string = b"\x04ab";
        assert_eq!(parse_term_key(string), Ok(Literal::new_simple_literal("ab").into()));
        let typed = b"\x06ab\x00\x01http://www.w3.org/2001/XMLSchema#string";
        assert!(parse_term_key(typed).is_err());
    }

    #[test]
    fn triple_terms_of_wrong_parts_are_refused() {
        use TermKind::{BlankNode, NamedNode, String, Triple};
        let parse = |depth, parts| parse_key(&TripleKey { depth, parts }.to_bytes());
        let [node, name, string, triple] = [BlankNode, NamedNode, String, Triple].map(|kind| id(kind, 7));
        assert!(parse(1, [node, name, string]).is_ok());
        assert!(parse(64, [name, name, triple]).is_ok());
        let integer = TermId::inline(&Literal::from(4)).unwrap().to_bits();
        assert!(parse(1, [name, name, integer]).is_ok());
        for parts in [
            [string, name, name],
            [name, node, name],
            [name, name, 0],
            [0, name, name],
            [integer, name, name],
        ] {
            assert!(parse(1, parts).is_err(), "{parts:x?}");
        }
        for (depth, object) in [(0, name), (2, name), (0, triple), (1, triple), (65, triple)] {
            assert!(parse(depth, [name, name, object]).is_err(), "{depth}");
        }
        let foreign = TermId::dictionary(DictionaryId { kind: NamedNode, layer: 1, rank: 7 }).to_bits();
        assert!(parse(1, [foreign, name, name]).is_err());
        assert!(parse_key(&TripleKey { depth: 1, parts: [name, name, name] }.to_bytes()[..25]).is_err());
    }

    #[test]
    fn what_no_block_holds_is_refused() {
        let mut deep: Term = NamedNode::new_unchecked("o").into();
        for depth in 1..=TRIPLE_DEPTH_MAX + 1 {
            let subject = NamedNode::new_unchecked("s").into();
            let predicate = NamedNode::new_unchecked("p");
            deep = Term::Triple(Box::new(Triple { subject, predicate, object: deep }));
            assert_eq!(depth_of(&deep), depth);
            assert_eq!(check_size((&deep).into()).is_ok(), depth <= TRIPLE_DEPTH_MAX);
        }
        let (subject, predicate) =
            (NamedNode::new_unchecked("x".repeat(TERM_BYTES_MAX / 2)), NamedNode::new_unchecked("p"));
        let object = subject.clone().into();
        let long = Term::Triple(Box::new(Triple { subject: subject.into(), predicate, object }));
        assert!(check_size((&long).into()).is_err());
        let long = "x".repeat(TERM_BYTES_MAX);
        assert_eq!(term_key(&Literal::new_simple_literal(long).into()), None);
    }
}
