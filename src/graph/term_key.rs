//! Terms as byte strings whose order, byte by byte, is `model::compare_terms`.
//!
//! ```text
//! blank node     1 | label
//! IRI            2 | iri
//! triple term    3 | kind of subject (1 or 2) | subject* | predicate* | object, as a key itself
//! string         4 | value
//! language       5 | value* | language* | direction (0 none, 1 ltr, 2 rtl)
//! other literal  6 | value* | datatype
//! field*         the bytes, each 00 written as 00 FF; then 00 01
//! ```
#![deny(clippy::indexing_slicing)]

use std::borrow::Cow;

use oxrdf::{BaseDirection, LiteralRef, NamedOrBlankNodeRef, TermRef};

use super::cursor::Malformed;
use crate::model::{BlankNode, Literal, NamedNode, NamedOrBlankNode, Term, TermKind, Triple};

/// No term takes more bytes as a key.
pub const TERM_BYTES_MAX: usize = 1 << 20;
/// Triple terms do not nest deeper.
pub const TRIPLE_DEPTH_MAX: usize = 64;

const ESCAPED_ZERO: [u8; 2] = [0, 0xFF];
const END: [u8; 2] = [0, 1];

/// Appends the key of a term.
///
/// # Errors
/// If the term is too large or too deep for a dictionary; `out` then ends in a part of it.
pub fn put_term_key<'a>(out: &mut Vec<u8>, term: impl Into<TermRef<'a>>) -> Result<(), Malformed> {
    let start = out.len();
    let mut term = term.into();
    for _ in 0..=TRIPLE_DEPTH_MAX {
        match term {
            TermRef::BlankNode(node) => {
                out.push(TermKind::BlankNode as u8);
                out.extend_from_slice(node.as_str().as_bytes());
            }
            TermRef::NamedNode(node) => {
                out.push(TermKind::NamedNode as u8);
                out.extend_from_slice(node.as_str().as_bytes());
            }
            TermRef::Literal(literal) => put_literal(out, literal),
            TermRef::Triple(triple) => {
                out.push(TermKind::Triple as u8);
                put_subject(out, triple.subject.as_ref());
                put_field(out, triple.predicate.as_str().as_bytes());
                term = triple.object.as_ref();
                continue;
            }
        }
        if out.len() - start > TERM_BYTES_MAX {
            return Err(Malformed("a term is longer than 1 MiB"));
        }
        return Ok(());
    }
    Err(Malformed("a triple term nests deeper than 64 levels"))
}

/// Returns the key of a term, or `None` if no dictionary can hold it.
pub fn term_key(term: &Term) -> Option<Vec<u8>> {
    let mut key = Vec::new();
    put_term_key(&mut key, term).ok().map(|()| key)
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

/// Returns the term of a key.
pub fn parse_term_key(key: &[u8]) -> Result<Term, Malformed> {
    let mut around: Vec<(NamedOrBlankNode, NamedNode)> = Vec::new();
    let mut rest = key;
    let innermost = loop {
        let kind = kind_of_key(rest).ok_or(Malformed("a term is of an unknown kind"))?;
        let (_, body) = rest.split_first().ok_or(Malformed("a term is empty"))?;
        if kind != TermKind::Triple {
            break parse_simple(kind, body)?;
        }
        if around.len() == TRIPLE_DEPTH_MAX {
            return Err(Malformed("a triple term is too deep"));
        }
        let (subject, after) = take_subject(body)?;
        let (predicate, after) = take_field(after)?;
        around.push((subject, NamedNode::new_unchecked(predicate)));
        rest = after;
    };
    Ok(around.into_iter().rev().fold(innermost, |object, (subject, predicate)| {
        Term::Triple(Box::new(Triple { subject, predicate, object }))
    }))
}

/// Returns the keys of subject, predicate and object of the key of a triple term.
pub fn triple_parts(key: &[u8]) -> Result<[Vec<u8>; 3], Malformed> {
    let (kind, body) = key.split_first().ok_or(Malformed("a term is empty"))?;
    if *kind != TermKind::Triple as u8 {
        return Err(Malformed("a term is no triple term"));
    }
    let (subject, after) = take_subject(body)?;
    let (predicate, object) = take_field(after)?;
    let parts =
        [subject.into(), NamedNode::new_unchecked(predicate).into()].map(|term: Term| term_key(&term));
    let [Some(subject), Some(predicate)] = parts else {
        return Err(Malformed("a part of a triple term is too long"));
    };
    Ok([subject, predicate, object.to_vec()])
}

/// Appends what the key of a triple term has before its object, given the keys of subject and predicate.
///
/// # Panics
/// If one of them is empty.
pub fn put_triple_start_key(out: &mut Vec<u8>, subject: &[u8], predicate: &[u8]) {
    let (kind, subject) = subject.split_first().expect("keys begin with their kind");
    let (_, predicate) = predicate.split_first().expect("keys begin with their kind");
    out.push(TermKind::Triple as u8);
    out.push(*kind);
    put_field(out, subject);
    put_field(out, predicate);
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

fn put_subject(out: &mut Vec<u8>, subject: NamedOrBlankNodeRef<'_>) {
    let (kind, text) = match subject {
        NamedOrBlankNodeRef::BlankNode(node) => (TermKind::BlankNode, node.as_str()),
        NamedOrBlankNodeRef::NamedNode(node) => (TermKind::NamedNode, node.as_str()),
    };
    out.push(kind as u8);
    put_field(out, text.as_bytes());
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

fn take_subject(bytes: &[u8]) -> Result<(NamedOrBlankNode, &[u8]), Malformed> {
    let (kind, body) = bytes.split_first().ok_or(Malformed("a triple term has no subject"))?;
    let (text, after) = take_field(body)?;
    let subject = match *kind {
        kind if kind == TermKind::BlankNode as u8 => BlankNode::new_unchecked(text).into(),
        kind if kind == TermKind::NamedNode as u8 => NamedNode::new_unchecked(text).into(),
        _ => return Err(Malformed("the subject of a triple term is of an unknown kind")),
    };
    Ok((subject, after))
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
    use crate::model::compare_terms;
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

    proptest! {
        #[test]
        fn terms_read_back(term in terms()) {
            prop_assert_eq!(parse_term_key(&term_key(&term).unwrap()), Ok(term));
        }

        #[test]
        fn keys_sort_as_terms(a in terms(), b in terms()) {
            prop_assert_eq!(term_key(&a).cmp(&term_key(&b)), compare_terms(&a, &b));
        }

        #[test]
        fn parts_are_keys(term in terms()) {
            let parts = triple_parts(&term_key(&term).unwrap());
            match term {
                Term::Triple(triple) => {
                    let expected = [triple.subject.into(), triple.predicate.into(), triple.object]
                        .map(|part: Term| term_key(&part).unwrap());
                    prop_assert_eq!(parts, Ok(expected));
                }
                _ => prop_assert!(parts.is_err()),
            }
        }

        #[test]
        fn foreign_bytes_never_panic(kind in 0u8..8, bytes in "[\\x00-\\x02ab]{0,30}") {
            let key = [&[kind], bytes.as_bytes()].concat();
            let _ = (parse_term_key(&key), triple_parts(&key));
        }
    }

    /// Else one term could stand in a dictionary twice, with two ids.
    #[test]
    fn a_string_has_one_key() {
        let string = b"\x04ab";
        assert_eq!(parse_term_key(string), Ok(Literal::new_simple_literal("ab").into()));
        let typed = b"\x06ab\x00\x01http://www.w3.org/2001/XMLSchema#string";
        assert!(parse_term_key(typed).is_err());
        assert!(parse_term_key(&[b"\x03\x02s\x00\x01p\x00\x01", &typed[..]].concat()).is_err());
    }

    #[test]
    fn what_no_block_holds_is_refused() {
        let mut deep: Term = NamedNode::new_unchecked("o").into();
        for _ in 0..=TRIPLE_DEPTH_MAX {
            let subject = NamedNode::new_unchecked("s").into();
            let predicate = NamedNode::new_unchecked("p");
            deep = Term::Triple(Box::new(Triple { subject, predicate, object: deep }));
        }
        assert_eq!(term_key(&deep), None);
        let long = "x".repeat(TERM_BYTES_MAX);
        assert_eq!(term_key(&Literal::new_simple_literal(long).into()), None);
    }
}
