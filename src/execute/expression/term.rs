//! Functions of RDF terms: their parts, their kinds, and making them.

use oxiri::Iri;
use oxrdf::BaseDirection;

use super::column::Arguments;
use super::datum::Datum;
use super::math::random;
use super::node::Outcome;
use crate::execute::{Context, ExecuteError};
use crate::model::{BlankNode, Literal, NamedNode, NamedOrBlankNode, Term, TermId, TermKind, Triple};

pub(super) fn str(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(match arguments[0].to_term() {
        Some(Term::NamedNode(node)) => Datum::string(node.as_str()),
        Some(Term::Literal(literal)) => Datum::string(literal.value()),
        _ => Datum::Undefined,
    })
}

pub(super) fn lang(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let tag = |literal: Literal| Datum::string(literal.language().unwrap_or_default());
    Ok(arguments[0].to_literal().map(tag).into())
}

pub(super) fn lang_direction(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let direction = |literal: Literal| match literal.direction() {
        Some(BaseDirection::Ltr) => "ltr",
        Some(BaseDirection::Rtl) => "rtl",
        None => "",
    };
    Ok(arguments[0].to_literal().map(|literal| Datum::string(direction(literal))).into())
}

/// RFC 4647 basic filtering.
pub(super) fn lang_matches(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let tag_and_range = arguments[0].as_string().zip(arguments[1].as_string());
    Ok(tag_and_range.map(|(tag, range)| matches_range(tag, range)).into())
}

fn matches_range(tag: &str, range: &str) -> bool {
    if range == "*" {
        return !tag.is_empty();
    }
    let mut subtags = tag.split('-');
    range.split('-').all(|wanted| subtags.next().is_some_and(|subtag| subtag.eq_ignore_ascii_case(wanted)))
}

pub(super) fn has_lang(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(arguments[0].as_lang_string().is_some()))
}

pub(super) fn has_lang_direction(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(arguments[0].as_lang_string().is_some_and(|literal| literal.direction().is_some())))
}

pub(super) fn datatype(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(arguments[0].to_literal().map(|literal| Datum::term(literal.datatype().into_owned())).into())
}

/// IRI(x) and IRI(x, base).
pub(super) fn iri(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    if arguments[0].as_iri().is_some() {
        return Ok(arguments[0].clone());
    }
    let Some(text) = arguments[0].as_string() else { return Ok(Datum::Undefined) };
    let base = arguments.get(1).and_then(|base| match base.to_term() {
        Some(Term::NamedNode(node)) => Some(node.into_string()),
        Some(Term::Literal(literal)) => Some(literal.value().to_owned()),
        _ => None,
    });
    let iri = match base.and_then(|base| Iri::parse(base).ok()) {
        Some(base) => base.resolve(text).ok(),
        None => Iri::parse(text.to_owned()).ok(),
    };
    Ok(iri.map(|iri| Datum::term(NamedNode::new_unchecked(iri.into_inner()))).into())
}

pub(super) fn fresh_blank_node() -> Outcome {
    let text = data_encoding::HEXLOWER.encode(&random::<16>()?);
    Ok(Datum::term(BlankNode::new_unchecked(format!("b{text}"))))
}

pub(super) fn str_dt(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let text_and_datatype = arguments[0].as_string().zip(arguments[1].as_iri());
    Ok(text_and_datatype.map(|(text, datatype)| Datum::typed(text, datatype.clone())).into())
}

pub(super) fn str_lang(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let text_and_tag = arguments[0].as_string().zip(arguments[1].as_string());
    let literal = text_and_tag.and_then(|(text, tag)| Literal::new_language_tagged_literal(text, tag).ok());
    Ok(literal.map(Datum::term).into())
}

pub(super) fn str_lang_direction(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let direction = match arguments[2].as_string() {
        Some("ltr") => BaseDirection::Ltr,
        Some("rtl") => BaseDirection::Rtl,
        _ => return Ok(Datum::Undefined),
    };
    let literal = arguments[0]
        .as_string()
        .zip(arguments[1].as_string())
        .and_then(|(text, tag)| Literal::new_directional_language_tagged_literal(text, tag, direction).ok());
    Ok(literal.map(Datum::term).into())
}

pub(super) fn is_iri(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(matches!(arguments[0].to_term(), Some(Term::NamedNode(_)))))
}

pub(super) fn is_blank(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(matches!(arguments[0].to_term(), Some(Term::BlankNode(_)))))
}

pub(super) fn is_literal(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(matches!(arguments[0].to_term(), Some(Term::Literal(_)))))
}

pub(super) fn is_numeric(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(arguments[0].as_number().is_some()))
}

pub(super) fn is_triple(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(matches!(arguments[0].to_term(), Some(Term::Triple(_)))))
}

pub(super) fn is_iri_id(id: TermId) -> Option<Option<bool>> {
    of_kind(id, |kind| kind == TermKind::NamedNode)
}

pub(super) fn is_blank_id(id: TermId) -> Option<Option<bool>> {
    of_kind(id, |kind| kind == TermKind::BlankNode)
}

pub(super) fn is_literal_id(id: TermId) -> Option<Option<bool>> {
    of_kind(id, |kind| !matches!(kind, TermKind::NamedNode | TermKind::BlankNode | TermKind::Triple))
}

/// A typed literal may be of any of the many numeric types.
pub(super) fn is_numeric_id(id: TermId) -> Option<Option<bool>> {
    let is_number = |kind| matches!(kind, TermKind::Integer | TermKind::Decimal | TermKind::Double);
    if id.kind() == TermKind::TypedLiteral { None } else { of_kind(id, is_number) }
}

pub(super) fn is_triple_id(id: TermId) -> Option<Option<bool>> {
    of_kind(id, |kind| kind == TermKind::Triple)
}

/// Answers by the kind that an id tells; what a query computed must be looked at.
fn of_kind(id: TermId, test: impl Fn(TermKind) -> bool) -> Option<Option<bool>> {
    match id.kind() {
        TermKind::Undefined => Some(None),
        TermKind::Local => None,
        kind => Some(Some(test(kind))),
    }
}

pub(super) fn triple(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let parts = [arguments[0].to_term(), arguments[1].to_term(), arguments[2].to_term()];
    let [Some(subject), Some(Term::NamedNode(predicate)), Some(object)] = parts else {
        return Ok(Datum::Undefined);
    };
    let subject: NamedOrBlankNode = match subject {
        Term::NamedNode(node) => node.into(),
        Term::BlankNode(node) => node.into(),
        _ => return Ok(Datum::Undefined),
    };
    Ok(Datum::term(Triple::new(subject, predicate, object)))
}

fn part(datum: &Datum, part: fn(&Triple) -> Term) -> Outcome {
    Ok(match datum.as_decoded().map(|decoded| &decoded.term) {
        Some(Term::Triple(triple)) => Datum::term(part(triple)),
        _ => Datum::Undefined,
    })
}

pub(super) fn subject(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    part(&arguments[0], |triple| triple.subject.clone().into())
}

pub(super) fn predicate(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    part(&arguments[0], |triple| triple.predicate.clone().into())
}

pub(super) fn object(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    part(&arguments[0], |triple| triple.object.clone())
}

pub(super) fn uuid(_: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::term(NamedNode::new_unchecked(format!("urn:uuid:{}", uuid_text()?))))
}

pub(super) fn str_uuid(_: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(uuid_text()?))
}

/// Returns a random (version 4) UUID.
fn uuid_text() -> Result<String, ExecuteError> {
    let mut bytes = random::<16>()?;
    bytes[6] = bytes[6] & 0x0F | 0x40;
    bytes[8] = bytes[8] & 0x3F | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
