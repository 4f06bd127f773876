//! Functions of strings: SPARQL's over simple and language-tagged strings, and Cypher's.

use oxrdf::BaseDirection;

use super::column::Arguments;
use super::datum::Datum;
use super::node::{Outcome, TextTest};
use super::{argument_error, type_error};
use crate::execute::Context;
use crate::model::Literal;

/// What a string is tagged with: language and direction.
type Tag<'a> = Option<(&'a str, Option<BaseDirection>)>;

/// Returns the text and tag of a string literal.
fn tagged(datum: &Datum) -> Option<(&str, Tag<'_>)> {
    match datum.as_lang_string() {
        Some(literal) => Some((literal.value(), Some((literal.language()?, literal.direction())))),
        None => Some((datum.as_string()?, None)),
    }
}

/// Makes a string with a tag.
fn with_tag(text: impl Into<String>, tag: Tag<'_>) -> Datum {
    let text = text.into();
    match tag {
        None => Datum::string(text),
        Some((language, None)) => Datum::term(Literal::new_language_tagged_literal_unchecked(text, language)),
        Some((language, Some(direction))) => {
            Datum::term(Literal::new_directional_language_tagged_literal_unchecked(text, language, direction))
        }
    }
}

/// Returns the texts of two compatible arguments (SPARQL 1.1, 17.4.3.1.2) and the tag of the first.
fn compatible<'a>(arguments: &'a Arguments<'_>) -> Option<(&'a str, &'a str, Tag<'a>)> {
    let ((a, tag), (b, other)) = (tagged(&arguments[0])?, tagged(&arguments[1])?);
    (other.is_none() || tag == other).then_some((a, b, tag))
}

pub(super) fn str_len(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(arguments[0].as_text().map(|text| Datum::integer(text.chars().count() as i64)).into())
}

pub(super) fn sub_str(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(substring(arguments).into())
}

/// fn:substring: positions count characters from 1; both numbers are rounded first.
fn substring(arguments: &Arguments<'_>) -> Option<Datum> {
    let (text, tag) = tagged(&arguments[0])?;
    let position =
        |datum: &Datum| Some(oxsdatatypes::Double::from(datum.as_number()?.to_f64()).round().into());
    let start: f64 = position(&arguments[1])?;
    let end: f64 = match arguments.get(2) {
        Some(length) => start + position(length)?,
        None => f64::INFINITY,
    };
    let kept = text.chars().zip(1u64..).filter(|(_, at)| *at as f64 >= start && (*at as f64) < end);
    Some(with_tag(kept.map(|(character, _)| character).collect::<String>(), tag))
}

pub(super) fn upper(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(tagged(&arguments[0]).map(|(text, tag)| with_tag(text.to_uppercase(), tag)).into())
}

pub(super) fn lower(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(tagged(&arguments[0]).map(|(text, tag)| with_tag(text.to_lowercase(), tag)).into())
}

pub(super) fn starts(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(compatible(arguments).map(|(text, part, _)| text.starts_with(part)).into())
}

pub(super) fn ends(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(compatible(arguments).map(|(text, part, _)| text.ends_with(part)).into())
}

pub(super) fn contains(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(compatible(arguments).map(|(text, part, _)| text.contains(part)).into())
}

/// What [`starts`] and Cypher's STARTS WITH tell of plain strings.
pub(super) fn starting_with(part: &str) -> TextTest {
    let part = part.to_owned();
    Box::new(move |text| text.starts_with(part.as_bytes()))
}

/// What [`ends`] and Cypher's ENDS WITH tell of plain strings.
pub(super) fn ending_with(part: &str) -> TextTest {
    let part = part.to_owned();
    Box::new(move |text| text.ends_with(part.as_bytes()))
}

/// What [`contains`] and Cypher's CONTAINS tell of plain strings.
pub(super) fn containing(part: &str) -> TextTest {
    let finder = memchr::memmem::Finder::new(part).into_owned();
    Box::new(move |text| finder.find(text).is_some())
}

pub(super) fn before(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(compatible(arguments)
        .map(|(text, part, tag)| match text.find(part) {
            Some(position) => with_tag(&text[..position], tag),
            None => Datum::string(""),
        })
        .into())
}

pub(super) fn after(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(compatible(arguments)
        .map(|(text, part, tag)| match text.find(part) {
            Some(position) => with_tag(&text[position + part.len()..], tag),
            None => Datum::string(""),
        })
        .into())
}

pub(super) fn encode_for_uri(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    Ok(arguments[0]
        .as_text()
        .map(|text| Datum::string(utf8_percent_encode(text, RESERVED).to_string()))
        .into())
}

/// CONCAT: the result is tagged if all arguments have the same tag.
pub(super) fn concat(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (mut joined, mut common): (String, Option<Tag<'_>>) = (String::new(), None);
    for datum in arguments.iter() {
        let Some((text, tag)) = tagged(datum) else { return Ok(Datum::Undefined) };
        joined.push_str(text);
        common = Some(match common {
            None => tag,
            Some(common) if common == tag => tag,
            Some(_) => None,
        });
    }
    Ok(with_tag(joined, common.flatten()))
}

// Cypher: null for what is no string in the comparing ones, an error in the others

fn two<'a>(arguments: &'a Arguments<'_>) -> Option<(&'a str, &'a str)> {
    arguments[0].as_text().zip(arguments[1].as_text())
}

pub(super) fn cypher_starts_with(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(two(arguments).map(|(text, part)| text.starts_with(part)).into())
}

pub(super) fn cypher_ends_with(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(two(arguments).map(|(text, part)| text.ends_with(part)).into())
}

pub(super) fn cypher_contains(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(two(arguments).map(|(text, part)| text.contains(part)).into())
}

/// Returns the text of an argument, or the error of a function that takes strings only.
fn text_of<'a>(datum: &'a Datum, function: &str) -> Result<&'a str, crate::execute::ExecuteError> {
    datum.as_text().ok_or_else(|| {
        type_error("InvalidArgumentType", format!("{function}() takes no {}", super::kind_name(datum)))
    })
}

fn count_of(datum: &Datum, function: &str) -> Result<usize, crate::execute::ExecuteError> {
    let Some(count) = datum.as_integer() else {
        let message = format!("{function}() takes no {}", super::kind_name(datum));
        return Err(type_error("InvalidArgumentType", message));
    };
    usize::try_from(count).map_err(|_| {
        argument_error("NegativeIntegerArgument", format!("{function}() takes no negative number"))
    })
}

pub(super) fn cypher_substring(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let text = text_of(&arguments[0], "substring")?;
    let start = count_of(&arguments[1], "substring")?;
    let length = match arguments.get(2) {
        Some(length) => count_of(length, "substring")?,
        None => usize::MAX,
    };
    Ok(Datum::string(text.chars().skip(start).take(length).collect::<String>()))
}

pub(super) fn cypher_left(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (text, count) = (text_of(&arguments[0], "left")?, count_of(&arguments[1], "left")?);
    Ok(Datum::string(text.chars().take(count).collect::<String>()))
}

pub(super) fn cypher_right(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let (text, count) = (text_of(&arguments[0], "right")?, count_of(&arguments[1], "right")?);
    let length = text.chars().count();
    Ok(Datum::string(text.chars().skip(length.saturating_sub(count)).collect::<String>()))
}

pub(super) fn cypher_trim(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(text_of(&arguments[0], "trim")?.trim()))
}

pub(super) fn cypher_trim_start(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(text_of(&arguments[0], "ltrim")?.trim_start()))
}

pub(super) fn cypher_trim_end(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(text_of(&arguments[0], "rtrim")?.trim_end()))
}

pub(super) fn cypher_replace(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let text = text_of(&arguments[0], "replace")?;
    let (search, with) = (text_of(&arguments[1], "replace")?, text_of(&arguments[2], "replace")?);
    Ok(Datum::string(if search.is_empty() { text.to_owned() } else { text.replace(search, with) }))
}

/// split(text, delimiter): the delimiter is a string or a list of them.
pub(super) fn cypher_split(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    let text = text_of(&arguments[0], "split")?;
    let delimiters: Vec<&str> = match arguments[1].as_list() {
        Some(items) => items.iter().map(|item| text_of(item, "split")).collect::<Result<_, _>>()?,
        None => vec![text_of(&arguments[1], "split")?],
    };
    if delimiters.iter().any(|delimiter| delimiter.is_empty()) {
        return Ok(Datum::list(text.chars().map(|character| Datum::string(character.to_string())).collect()));
    }
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((position, length)) =
        delimiters.iter().filter_map(|d| rest.find(d).map(|position| (position, d.len()))).min()
    {
        parts.push(Datum::string(&rest[..position]));
        rest = &rest[position + length..];
    }
    parts.push(Datum::string(rest));
    Ok(Datum::list(parts))
}

pub(super) fn cypher_to_lower(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(text_of(&arguments[0], "toLower")?.to_lowercase()))
}

pub(super) fn cypher_to_upper(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::string(text_of(&arguments[0], "toUpper")?.to_uppercase()))
}

/// Reverses a string or a list.
pub(super) fn reverse(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    if let Some(items) = arguments[0].as_list() {
        return Ok(Datum::list(items.iter().rev().cloned().collect()));
    }
    Ok(Datum::string(text_of(&arguments[0], "reverse")?.chars().rev().collect::<String>()))
}

/// Makes a string with the language and direction of another.
pub(super) fn tagged_like(literal: &Literal, text: String) -> Datum {
    with_tag(text, literal.language().map(|language| (language, literal.direction())))
}
