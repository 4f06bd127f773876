//! Rules `Pattern` to `LabelExpression`: paths of nodes and relationships.

use nom::Parser;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};

use super::expression::{expression, map};
use super::input::{Parsed, STEPS_MAX, Tokens, UNEXPECTED, any_name, keyword, nested, symbol, variable};
use crate::language::cypher::ast::{
    Direction, Expr, ExprKind, LabelExpression, Length, Link, Name, NodePattern, Pattern, QuantifiedPattern,
    RelationshipPattern, Search, Step,
};
use crate::language::cypher::token::{Span, Symbol, TokenKind};

/// Rule `PatternList`.
pub(super) fn pattern_list<'a>(input: Tokens<'a>) -> Parsed<'a, Vec<Pattern>> {
    let (rest, patterns) = separated_list1(symbol(Symbol::Comma), pattern).parse(input)?;
    if patterns.len() > STEPS_MAX * 100 {
        return input.refuse(UNEXPECTED, "this clause has too many patterns");
    }
    Ok((rest, patterns))
}

/// Rule `Pattern`.
pub(super) fn pattern<'a>(input: Tokens<'a>) -> Parsed<'a, Pattern> {
    if input.is_symbol(1, Symbol::Equal) {
        let (rest, name) = variable(input)?;
        let (rest, mut pattern) = cut(anonymous_pattern).parse(rest.advance(1))?;
        pattern.variable = Some(name);
        pattern.span = input.span_to(&rest);
        return Ok((rest, pattern));
    }
    anonymous_pattern(input)
}

/// Rule `AnonymousPattern`.
fn anonymous_pattern<'a>(input: Tokens<'a>) -> Parsed<'a, Pattern> {
    match shortest_keyword(&input) {
        Some(_) => shortest_path(input),
        None => path_pattern(input),
    }
}

fn shortest_keyword(input: &Tokens<'_>) -> Option<Search> {
    if !input.is_symbol(1, Symbol::LeftParen) {
        None
    } else if input.is_keyword(0, "SHORTESTPATH") {
        Some(Search::Shortest)
    } else if input.is_keyword(0, "ALLSHORTESTPATHS") {
        Some(Search::AllShortest)
    } else {
        None
    }
}

/// Rule `ShortestPath`.
pub(super) fn shortest_path<'a>(input: Tokens<'a>) -> Parsed<'a, Pattern> {
    let Some(search) = shortest_keyword(&input) else { return input.expected("shortestPath") };
    let inner = delimited(symbol(Symbol::LeftParen), path_pattern, symbol(Symbol::RightParen));
    let (rest, mut pattern) = cut(inner).parse(input.advance(1))?;
    if pattern.steps.len() != 1 || pattern.quantified().next().is_some() {
        return input.refuse(UNEXPECTED, "shortestPath takes a pattern with one relationship");
    }
    pattern.search = search;
    Ok((rest, pattern))
}

/// Rule `PathPattern`.
pub(super) fn path_pattern<'a>(input: Tokens<'a>) -> Parsed<'a, Pattern> {
    let (mut rest, start) = match is_group_start(&input) {
        true => (input, nameless_node(&input)),
        false => node_pattern(input)?,
    };
    let mut steps = Vec::new();
    loop {
        let (after, step) = if is_relationship_start(&rest, 0) {
            let (after, link) = cut(link).parse(rest)?;
            let (after, node) = cut(node_pattern).parse(after)?;
            (after, Step { link, node })
        } else if is_group_start(&rest) {
            let (after, quantified) = cut(quantified_pattern).parse(rest)?;
            let (after, node) = match after.is_symbol(0, Symbol::LeftParen) && !is_group_start(&after) {
                true => node_pattern(after)?,
                false => (after, nameless_node(&after)),
            };
            (after, Step { link: Link::Quantified(quantified), node })
        } else {
            break;
        };
        steps.push(step);
        rest = after;
        if steps.len() > STEPS_MAX {
            return input.refuse(UNEXPECTED, format!("a path has at most {STEPS_MAX} relationships"));
        }
    }
    let span = input.span_to(&rest);
    Ok((rest, Pattern { variable: None, search: Search::All, start, steps, span }))
}

/// Returns a node that nothing is said of: where a quantified pattern begins or ends a path.
fn nameless_node(place: &Tokens<'_>) -> NodePattern {
    let start = place.peek(0).span.start;
    let span = Span { start, end: start };
    NodePattern { variable: None, labels: None, properties: None, filter: None, span }
}

/// Returns whether a pattern in parentheses begins here: a node's parentheses hold no others.
fn is_group_start(input: &Tokens<'_>) -> bool {
    let inside = if input.is_symbol(2, Symbol::Equal) { 3 } else { 1 };
    input.is_symbol(0, Symbol::LeftParen) && input.is_symbol(inside, Symbol::LeftParen)
}

/// Rule `QuantifiedPattern`.
fn quantified_pattern<'a>(input: Tokens<'a>) -> Parsed<'a, QuantifiedPattern> {
    let (rest, ()) = symbol(Symbol::LeftParen)(input)?;
    if rest.is_symbol(1, Symbol::Equal) {
        return rest.refuse(UNEXPECTED, "a path cannot be named inside a quantified pattern");
    }
    let (rest, pattern) = nested(path_pattern, rest)?;
    let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
    let (rest, (min, max)) = quantifier(rest)?;
    let span = input.span_to(&rest);
    Ok((rest, QuantifiedPattern { pattern: Box::new(pattern), filter, min, max, span }))
}

/// Rule `Quantifier`.
fn quantifier<'a>(input: Tokens<'a>) -> Parsed<'a, (u32, Option<u32>)> {
    if input.is_symbol(0, Symbol::Plus) {
        return Ok((input.advance(1), (1, None)));
    }
    if input.is_symbol(0, Symbol::Star) {
        return Ok((input.advance(1), (0, None)));
    }
    if !input.is_symbol(0, Symbol::LeftBrace) {
        return input.expected("a quantifier");
    }
    let (rest, min) = bound(input.advance(1))?;
    let (rest, max) = match rest.is_symbol(0, Symbol::Comma) {
        true => bound(rest.advance(1))?,
        false if min.is_none() => return rest.expected("a number"),
        false => (rest, min),
    };
    let (rest, ()) = symbol(Symbol::RightBrace)(rest)?;
    let min = min.unwrap_or(0);
    if max == Some(0) || max.is_some_and(|max| max < min) {
        let message = "the upper bound of a quantifier is at least 1 and not below the lower one";
        return input.refuse(UNEXPECTED, message);
    }
    Ok((rest, (min, max)))
}

/// A relationship, and its quantifier if it has one.
fn link<'a>(input: Tokens<'a>) -> Parsed<'a, Link> {
    let (rest, relationship) = relationship_pattern(input)?;
    let quantifiers = [Symbol::Plus, Symbol::Star, Symbol::LeftBrace];
    if !quantifiers.iter().any(|symbol| rest.is_symbol(0, *symbol)) {
        return Ok((rest, Link::Relationship(relationship)));
    }
    if relationship.length.is_some() {
        return rest.refuse(UNEXPECTED, "a relationship has a length or a quantifier, not both");
    }
    let (start, node) = (nameless_node(&input), nameless_node(&rest));
    let (span, search) = (relationship.span, Search::All);
    let steps = vec![Step { link: Link::Relationship(relationship), node }];
    let pattern = Box::new(Pattern { variable: None, search, start, steps, span });
    let (rest, (min, max)) = cut(quantifier).parse(rest)?;
    let span = input.span_to(&rest);
    Ok((rest, Link::Quantified(QuantifiedPattern { pattern, filter: None, min, max, span })))
}

fn is_relationship_start(input: &Tokens<'_>, ahead: usize) -> bool {
    input.is_symbol(ahead, Symbol::Minus)
        || input.is_symbol(ahead, Symbol::Less) && input.is_symbol(ahead + 1, Symbol::Minus)
}

/// Returns whether a path with at least one relationship begins here, by its shape alone.
pub(super) fn is_path_start(input: &Tokens<'_>) -> bool {
    let is_name = |ahead| matches!(input.peek(ahead).kind, TokenKind::Word | TokenKind::QuotedName(_));
    if !input.is_symbol(0, Symbol::LeftParen) {
        return false;
    }
    let inside = if is_name(1) { 2 } else { 1 };
    let opens = [Symbol::RightParen, Symbol::Colon, Symbol::LeftBrace];
    if !opens.iter().any(|symbol| input.is_symbol(inside, *symbol)) {
        return false;
    }
    let Some(close) = input.closing(0) else { return false };
    let mut at = close + 1;
    at += usize::from(input.is_symbol(at, Symbol::Less));
    if !input.is_symbol(at, Symbol::Minus) {
        return false;
    }
    at += 1;
    if input.is_symbol(at, Symbol::LeftBracket) {
        match input.closing(at) {
            Some(close) => at = close + 1,
            None => return false,
        }
    }
    if !input.is_symbol(at, Symbol::Minus) {
        return false;
    }
    at += 1;
    at += usize::from(input.is_symbol(at, Symbol::Greater));
    if input.is_symbol(at, Symbol::LeftBrace) {
        at = input.closing(at).map_or(at, |close| close + 1);
    } else if input.is_symbol(at, Symbol::Plus) || input.is_symbol(at, Symbol::Star) {
        at += 1;
    }
    input.is_symbol(at, Symbol::LeftParen)
}

/// Rule `NodePattern`.
fn node_pattern<'a>(input: Tokens<'a>) -> Parsed<'a, NodePattern> {
    let (rest, ()) = symbol(Symbol::LeftParen)(input)?;
    let (rest, variable) = opt(variable).parse(rest)?;
    let (rest, labels) = opt(label_expression).parse(rest)?;
    let (rest, properties) = opt(properties).parse(rest)?;
    let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
    let span = input.span_to(&rest);
    Ok((rest, NodePattern { variable, labels, properties, filter, span }))
}

/// Rule `Properties`.
fn properties<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    if let TokenKind::Parameter(name) = &input.peek(0).kind {
        let span = input.peek(0).span;
        return Ok((input.advance(1), Expr { kind: ExprKind::Parameter(name.clone()), span }));
    }
    map(input)
}

/// Rule `RelationshipPattern`.
fn relationship_pattern<'a>(input: Tokens<'a>) -> Parsed<'a, RelationshipPattern> {
    let points_left = input.is_symbol(0, Symbol::Less);
    let rest = input.advance(usize::from(points_left));
    let (rest, ()) = symbol(Symbol::Minus)(rest)?;
    let mut relationship = RelationshipPattern {
        variable: None,
        types: Vec::new(),
        direction: Direction::Either,
        length: None,
        properties: None,
        filter: None,
        span: input.peek(0).span,
    };
    let mut rest = rest;
    if rest.is_symbol(0, Symbol::LeftBracket) {
        rest = relationship_detail(rest.advance(1), &mut relationship)?.0;
    }
    let (rest, ()) = symbol(Symbol::Minus)(rest)?;
    let points_right = rest.is_symbol(0, Symbol::Greater);
    let rest = rest.advance(usize::from(points_right));
    relationship.direction = match (points_left, points_right) {
        (true, true) => Direction::Both,
        (true, false) => Direction::Left,
        (false, true) => Direction::Right,
        (false, false) => Direction::Either,
    };
    relationship.span = input.span_to(&rest);
    Ok((rest, relationship))
}

/// Rule `RelationshipDetail`, after its bracket.
fn relationship_detail<'a>(input: Tokens<'a>, into: &mut RelationshipPattern) -> Parsed<'a, ()> {
    let (rest, name) = opt(variable).parse(input)?;
    let (rest, types) = opt(preceded(symbol(Symbol::Colon), cut(relationship_types))).parse(rest)?;
    let (rest, length) = opt(path_length).parse(rest)?;
    if rest.is_symbol(0, Symbol::DotDot) {
        return rest.refuse("SyntaxError.InvalidRelationshipPattern", "a range needs a '*' before it");
    }
    let (rest, properties) = opt(properties).parse(rest)?;
    let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, ()) = symbol(Symbol::RightBracket)(rest)?;
    into.variable = name;
    into.types = types.unwrap_or_default();
    into.length = length;
    into.properties = properties;
    into.filter = filter;
    Ok((rest, ()))
}

/// Rule `RelationshipTypes`: `A|B`, or `A|:B` as of old.
fn relationship_types<'a>(input: Tokens<'a>) -> Parsed<'a, Vec<Name>> {
    let colon_name = |input| preceded(opt(symbol(Symbol::Colon)), any_name).parse(input);
    separated_list1(symbol(Symbol::Pipe), colon_name).parse(input)
}

/// Rule `PathLength`.
fn path_length<'a>(input: Tokens<'a>) -> Parsed<'a, Length> {
    let (rest, ()) = symbol(Symbol::Star)(input)?;
    if rest.is_symbol(0, Symbol::Minus) {
        return rest.refuse("SyntaxError.InvalidRelationshipPattern", "a length cannot be negative");
    }
    let (rest, min) = bound(rest)?;
    if !rest.is_symbol(0, Symbol::DotDot) {
        return Ok((rest, Length { min, max: min }));
    }
    let (rest, max) = bound(rest.advance(1))?;
    Ok((rest, Length { min: min.or(Some(1)), max }))
}

fn bound<'a>(input: Tokens<'a>) -> Parsed<'a, Option<u32>> {
    match input.peek(0).kind {
        TokenKind::Integer(value) => match u32::try_from(value) {
            Ok(value) => Ok((input.advance(1), Some(value))),
            Err(_) => input.refuse("SyntaxError.IntegerOverflow", "this length is too large"),
        },
        _ => Ok((input, None)),
    }
}

/// Rule `LabelExpression`: `:A:B`, `:A&B`, `:A|B`, `:!A`, `:%`, `:(A)`; `IS A`.
pub(super) fn label_expression<'a>(input: Tokens<'a>) -> Parsed<'a, LabelExpression> {
    let (mut rest, ()) = symbol(Symbol::Colon)(input)?;
    let (after, first) = cut(label_or).parse(rest)?;
    rest = after;
    let mut all = vec![first];
    while rest.is_symbol(0, Symbol::Colon) {
        let (after, next) = cut(label_or).parse(rest.advance(1))?;
        all.push(next);
        rest = after;
    }
    Ok((rest, single_or(all, LabelExpression::And)))
}

fn label_or<'a>(input: Tokens<'a>) -> Parsed<'a, LabelExpression> {
    let (rest, all) = separated_list1(symbol(Symbol::Pipe), label_and).parse(input)?;
    Ok((rest, single_or(all, LabelExpression::Or)))
}

fn label_and<'a>(input: Tokens<'a>) -> Parsed<'a, LabelExpression> {
    let (rest, all) = separated_list1(symbol(Symbol::Ampersand), label_factor).parse(input)?;
    Ok((rest, single_or(all, LabelExpression::And)))
}

fn label_factor<'a>(input: Tokens<'a>) -> Parsed<'a, LabelExpression> {
    if input.is_symbol(0, Symbol::Bang) {
        let (rest, inner) = nested(label_factor, input.advance(1))?;
        return Ok((rest, LabelExpression::Not(Box::new(inner))));
    }
    if input.is_symbol(0, Symbol::Percent) {
        return Ok((input.advance(1), LabelExpression::Any));
    }
    if input.is_symbol(0, Symbol::LeftParen) {
        let (rest, inner) = nested(label_or, input.advance(1))?;
        return symbol(Symbol::RightParen)(rest).map(|(rest, ())| (rest, inner));
    }
    any_name(input).map(|(rest, name)| (rest, LabelExpression::Label(name)))
}

fn single_or(
    mut all: Vec<LabelExpression>,
    many: fn(Vec<LabelExpression>) -> LabelExpression,
) -> LabelExpression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            many(all)
        }
    }
}
