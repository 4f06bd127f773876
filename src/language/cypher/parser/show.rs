//! Rule `Show`: commands that tell about the server. Each reads as a call of the procedure behind it,
//! with YIELD as a WITH over its columns, so that what follows the parser knows no such commands.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;

use super::clause::{projection, projection_end, where_clause};
use super::input::{Parsed, Tokens, any_name, keyword, symbol};
use crate::language::cypher::ast::{
    Call, Clause, ClauseKind, Expr, ExprKind, Item, Name, Projection, Query, SingleQuery, YieldItem, Yields,
};
use crate::language::cypher::show::{self, Table};
use crate::language::cypher::token::{Span, Symbol, TokenKind};

/// What stands before YIELD: the table, and what narrows it.
struct Shown {
    table: &'static Table,
    argument: Option<ExprKind>,
}

/// Rule `Show`, after the keyword.
pub(super) fn show<'a>(input: Tokens<'a>) -> Parsed<'a, Query> {
    let (rest, shown) =
        alt((databases, functions, procedures, current_user, indexes, constraints)).parse(input)?;
    let span = input.span_to(&rest);
    let (rest, clauses) = match rest.is_keyword(0, "YIELD") {
        true => yielding(shown, span, rest.advance(1))?,
        false => usual(shown, span, rest)?,
    };
    Ok((rest, Query { first: SingleQuery { clauses }, unions: Vec::new() }))
}

/// The usual columns, those rows that WHERE keeps.
fn usual<'a>(shown: Shown, span: Span, input: Tokens<'a>) -> Parsed<'a, Vec<Clause>> {
    let (rest, filter) = opt(where_clause).parse(input)?;
    let names = || shown.table.usual_columns().map(|column| Name { text: column.to_owned(), span });
    let last = ClauseKind::Return(plain(names().map(|name| (name.clone(), name)).collect()));
    let first = call(&shown, span, names().collect(), filter);
    Ok((rest, vec![first, Clause { kind: last, span }]))
}

/// Rule `ShowYield`, after the keyword.
fn yielding<'a>(shown: Shown, span: Span, input: Tokens<'a>) -> Parsed<'a, Vec<Clause>> {
    let columns: Vec<Name> =
        shown.table.columns().map(|column| Name { text: column.to_owned(), span }).collect();
    let item = |input| {
        let (rest, field) = any_name(input)?;
        let (rest, alias) = opt(preceded(keyword("AS"), cut(any_name))).parse(rest)?;
        let alias = alias.unwrap_or_else(|| field.clone());
        Ok((rest, (field, alias)))
    };
    let (rest, chosen) = match input.is_symbol(0, Symbol::Star) {
        true => (input.advance(1), columns.iter().map(|name| (name.clone(), name.clone())).collect()),
        false => cut(separated_list1(symbol(Symbol::Comma), item)).parse(input)?,
    };
    let names: Vec<Name> = chosen.iter().map(|(_, alias): &(Name, Name)| alias.clone()).collect();
    let (rest, with) = projection_end(rest, plain(chosen), true)?;
    let with = Clause { kind: ClauseKind::With(with), span: input.span_to(&rest) };
    let (rest, last) = opt(preceded(keyword("RETURN"), cut(|input| projection(input, false)))).parse(rest)?;
    let last = last.unwrap_or_else(|| plain(names.into_iter().map(|name| (name.clone(), name)).collect()));
    let last = Clause { kind: ClauseKind::Return(last), span: input.span_to(&rest) };
    Ok((rest, vec![call(&shown, span, columns, None), with, last]))
}

fn call(shown: &Shown, span: Span, columns: Vec<Name>, filter: Option<Expr>) -> Clause {
    let items = columns.into_iter().map(|field| YieldItem { field, alias: None }).collect();
    let procedure = Name { text: shown.table.name.to_owned(), span };
    let arguments = Some(shown.argument.iter().map(|kind| Expr { kind: kind.clone(), span }).collect());
    let yields = Some(Yields::Items { items, filter });
    Clause { kind: ClauseKind::Call(Call { optional: false, procedure, arguments, yields }), span }
}

/// Returns a projection of variables under other names.
fn plain(columns: Vec<(Name, Name)>) -> Projection {
    let item = |(field, alias): (Name, Name)| Item {
        expression: Expr { kind: ExprKind::Variable(field.text), span: field.span },
        name: alias.text,
        has_alias: true,
    };
    Projection {
        distinct: false,
        star: false,
        items: columns.into_iter().map(item).collect(),
        order: Vec::new(),
        skip: None,
        limit: None,
        filter: None,
    }
}

/// `DATABASES`, `DATABASE name`, `DEFAULT DATABASE`, `HOME DATABASE`; here the home is the default.
fn databases<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    let (rest, special) = opt(alt((keyword("DEFAULT"), keyword("HOME")))).parse(input)?;
    if special.is_some() {
        let (rest, ()) = cut(keyword("DATABASE")).parse(rest)?;
        return Ok((rest, Shown { table: Table::of(show::DEFAULT_DATABASE), argument: None }));
    }
    let table = Table::of(show::DATABASES);
    if let Ok((rest, ())) = keyword("DATABASES")(rest) {
        return Ok((rest, Shown { table, argument: None }));
    }
    let (rest, ()) = keyword("DATABASE")(rest)?;
    let is_done = ["YIELD", "WHERE"].iter().any(|word| rest.is_keyword(0, word));
    let (rest, argument) = match &rest.peek(0).kind {
        TokenKind::Parameter(name) => (rest.advance(1), Some(ExprKind::Parameter(name.clone()))),
        TokenKind::String(text) => (rest.advance(1), Some(ExprKind::String(text.clone()))),
        TokenKind::Word | TokenKind::QuotedName(_) if !is_done => {
            let (rest, name) = super::clause::dotted_name(rest)?;
            (rest, Some(ExprKind::String(name.text)))
        }
        _ => (rest, None),
    };
    Ok((rest, Shown { table, argument }))
}

/// `[ALL | FULLTEXT | ...] INDEXES`.
fn indexes<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    const KINDS: [&str; 7] = ["ALL", "FULLTEXT", "LOOKUP", "POINT", "RANGE", "TEXT", "VECTOR"];
    let kind = KINDS.iter().find(|kind| input.is_keyword(0, kind));
    let rest = input.advance(usize::from(kind.is_some()));
    let (rest, ()) = alt((keyword("INDEXES"), keyword("INDEX"))).parse(rest)?;
    let argument = kind.filter(|kind| **kind != "ALL").map(|kind| ExprKind::String((*kind).to_owned()));
    Ok((rest, Shown { table: Table::of(show::INDEXES), argument }))
}

/// `[ALL | NODE | RELATIONSHIP] [UNIQUENESS | KEY | ...] CONSTRAINTS`.
fn constraints<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    const ENTITIES: [(&str, &[&str]); 4] = [
        ("ALL", &["NODE", "RELATIONSHIP"]),
        ("NODE", &["NODE"]),
        ("RELATIONSHIP", &["RELATIONSHIP"]),
        ("REL", &["RELATIONSHIP"]),
    ];
    const KINDS: [(&[&str], &str); 10] = [
        (&["PROPERTY", "EXISTENCE"], "PROPERTY_EXISTENCE"),
        (&["PROPERTY", "EXIST"], "PROPERTY_EXISTENCE"),
        (&["PROPERTY", "TYPE"], "PROPERTY_TYPE"),
        (&["PROPERTY", "UNIQUENESS"], "UNIQUENESS"),
        (&["PROPERTY", "UNIQUE"], "UNIQUENESS"),
        (&["EXISTENCE"], "PROPERTY_EXISTENCE"),
        (&["EXIST"], "PROPERTY_EXISTENCE"),
        (&["UNIQUENESS"], "UNIQUENESS"),
        (&["UNIQUE"], "UNIQUENESS"),
        (&["KEY"], "KEY"),
    ];
    let entities = ENTITIES.iter().find(|(word, _)| input.is_keyword(0, word));
    let rest = input.advance(usize::from(entities.is_some()));
    let stands = |words: &[&str]| words.iter().enumerate().all(|(at, word)| rest.is_keyword(at, word));
    let kind = KINDS.iter().find(|(words, _)| stands(words));
    let rest = rest.advance(kind.map_or(0, |(words, _)| words.len()));
    let (rest, ()) = alt((keyword("CONSTRAINTS"), keyword("CONSTRAINT"))).parse(rest)?;
    let entities = entities.map_or(["NODE", "RELATIONSHIP"].as_slice(), |(_, entities)| *entities);
    let kinds = match kind {
        Some((_, kind)) => vec![*kind],
        None => vec!["PROPERTY_EXISTENCE", "PROPERTY_TYPE", "UNIQUENESS", "KEY"],
    };
    // The types as the table's column has them: only those of nodes' uniqueness bear no entity's name.
    let named = |entity: &str, kind: &str| match (entity, kind) {
        ("NODE", "UNIQUENESS") => kind.to_owned(),
        _ => format!("{entity}_{kind}"),
    };
    let types = entities.iter().flat_map(|entity| kinds.iter().map(|kind| named(entity, kind)));
    let span = input.span_to(&rest);
    let types = types.map(|name| Expr { kind: ExprKind::String(name), span }).collect();
    Ok((rest, Shown { table: Table::of(show::CONSTRAINTS), argument: Some(ExprKind::List(types)) }))
}

fn procedures<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    let (rest, ()) = alt((keyword("PROCEDURES"), keyword("PROCEDURE"))).parse(input)?;
    let (rest, ()) = executable(rest)?;
    Ok((rest, Shown { table: Table::of(show::PROCEDURES), argument: None }))
}

/// `[ALL | BUILT IN | USER DEFINED] FUNCTIONS`.
fn functions<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    const ORIGINS: [(&[&str], Option<&str>); 4] = [
        (&["ALL"], None),
        (&["BUILT", "IN"], Some("built in")),
        (&["USER", "DEFINED"], Some("user defined")),
        (&[], None),
    ];
    let stands = |words: &[&str]| words.iter().enumerate().all(|(at, word)| input.is_keyword(at, word));
    let origin = ORIGINS.iter().find(|(words, _)| stands(words));
    let rest = input.advance(origin.map_or(0, |(words, _)| words.len()));
    let (rest, ()) = alt((keyword("FUNCTIONS"), keyword("FUNCTION"))).parse(rest)?;
    let (rest, ()) = executable(rest)?;
    let argument = origin.and_then(|(_, origin)| *origin).map(|origin| ExprKind::String(origin.to_owned()));
    Ok((rest, Shown { table: Table::of(show::FUNCTIONS), argument }))
}

fn current_user<'a>(input: Tokens<'a>) -> Parsed<'a, Shown> {
    let (rest, ()) = keyword("CURRENT")(input)?;
    let (rest, ()) = cut(keyword("USER")).parse(rest)?;
    Ok((rest, Shown { table: Table::of(show::CURRENT_USER), argument: None }))
}

/// `EXECUTABLE [BY CURRENT USER]`: whoever may ask may execute all.
fn executable<'a>(input: Tokens<'a>) -> Parsed<'a, ()> {
    let (rest, executable) = opt(keyword("EXECUTABLE")).parse(input)?;
    if executable.is_none() || !rest.is_keyword(0, "BY") {
        return Ok((rest, ()));
    }
    let (rest, ()) = cut(keyword("CURRENT")).parse(rest.advance(1))?;
    cut(keyword("USER")).parse(rest)
}
