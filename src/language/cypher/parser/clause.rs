//! Rules `Statement` to `RemoveItem`: clauses.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, terminated};

use super::expression::{expression, plain_labels, postfixed};
use super::input::{
    CLAUSES_MAX, Parsed, Tokens, UNEXPECTED, any_name, keyword, keywords, nested, symbol, variable,
};
use super::pattern::{label_expression, pattern, pattern_list};
use super::schema_command::{is_schema_command, schema_command};
use super::show::show;
use crate::language::cypher::ast::{
    Call, Clause, ClauseKind, Expr, ExprKind, Imports, Item, LoadCsv, Mode, Name, OnError, OrderItem,
    Projection, Query, RemoveItem, SetItem, SingleQuery, Statement, SubqueryCall, Transactions, Union,
    YieldItem, Yields,
};
use crate::language::cypher::token::{Symbol, TokenKind};

/// Rule `Statement`.
pub(super) fn statement<'a>(input: Tokens<'a>) -> Parsed<'a, Statement> {
    let mode = match () {
        () if input.is_keyword(0, "EXPLAIN") => Mode::Explain,
        () if input.is_keyword(0, "PROFILE") => Mode::Profile,
        () => Mode::Run,
    };
    let start = input.advance(usize::from(mode != Mode::Run));
    let (mut rest, query) = match () {
        () if start.is_keyword(0, "SHOW") => cut(show).parse(start.advance(1))?,
        () if is_schema_command(&start) => cut(schema_command).parse(start)?,
        () => query(start)?,
    };
    while rest.is_symbol(0, Symbol::Semicolon) {
        rest = rest.advance(1);
    }
    if rest.peek(0).kind != TokenKind::End {
        return rest.expected("the end of the query");
    }
    Ok((rest, Statement { mode, query }))
}

/// Rule `Query`.
pub(super) fn query<'a>(input: Tokens<'a>) -> Parsed<'a, Query> {
    let (mut rest, first) = single_query(input)?;
    let mut unions = Vec::new();
    while rest.is_keyword(0, "UNION") {
        let span = rest.peek(0).span;
        let (after, all) = opt(alt((keyword("ALL").map(|()| true), keyword("DISTINCT").map(|()| false))))
            .parse(rest.advance(1))?;
        let (after, query) = cut(single_query).parse(after)?;
        unions.push(Union { all: all.unwrap_or(false), span, query });
        if unions.len() > CLAUSES_MAX {
            return rest.refuse(UNEXPECTED, "this query has too many unions");
        }
        rest = after;
    }
    Ok((rest, Query { first, unions }))
}

/// Rule `SingleQuery`.
fn single_query<'a>(input: Tokens<'a>) -> Parsed<'a, SingleQuery> {
    let (rest, clauses) = clauses(input)?;
    Ok((rest, SingleQuery { clauses }))
}

fn clauses<'a>(input: Tokens<'a>) -> Parsed<'a, Vec<Clause>> {
    let (mut rest, first) = clause(input)?;
    let mut clauses = vec![first];
    loop {
        match clause(rest) {
            Ok((after, next)) => {
                clauses.push(next);
                rest = after;
            }
            Err(nom::Err::Error(_)) => return Ok((rest, clauses)),
            Err(refused) => return Err(refused),
        }
        if clauses.len() > CLAUSES_MAX {
            return rest.refuse(UNEXPECTED, format!("a query has at most {CLAUSES_MAX} clauses"));
        }
    }
}

/// Rule `Clause`.
fn clause<'a>(input: Tokens<'a>) -> Parsed<'a, Clause> {
    let (rest, kind) = alt((
        match_clause,
        preceded(keyword("UNWIND"), cut(unwind)),
        preceded(keyword("LOAD"), cut(load_csv)).map(ClauseKind::LoadCsv),
        preceded(keyword("WITH"), cut(|input| projection(input, true))).map(ClauseKind::With),
        preceded(keyword("RETURN"), cut(|input| projection(input, false))).map(ClauseKind::Return),
        preceded(keyword("CREATE"), cut(pattern_list)).map(ClauseKind::Create),
        preceded(keyword("MERGE"), cut(merge)),
        preceded(keyword("SET"), cut(set_items)).map(ClauseKind::Set),
        preceded(keyword("REMOVE"), cut(separated_list1(symbol(Symbol::Comma), remove_item)))
            .map(ClauseKind::Remove),
        delete,
        preceded(keyword("FOREACH"), cut(foreach)),
        call_clause,
        preceded(keyword("USE"), cut(graph_name)).map(ClauseKind::Use),
    ))
    .parse(input)?;
    Ok((rest, Clause { kind, span: input.span_to(&rest) }))
}

/// Rule `Match`.
fn match_clause<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let (rest, optional) = opt(keyword("OPTIONAL")).parse(input)?;
    let (rest, ()) = keyword("MATCH")(rest)?;
    let (rest, patterns) = cut(pattern_list).parse(rest)?;
    let (rest, filter) = opt(where_clause).parse(rest)?;
    Ok((rest, ClauseKind::Match { optional: optional.is_some(), patterns, filter }))
}

/// Rule `Where`.
pub(super) fn where_clause<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    preceded(keyword("WHERE"), cut(expression)).parse(input)
}

/// Rule `Unwind`.
fn unwind<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let (rest, list) = expression(input)?;
    let (rest, name) = preceded(keyword("AS"), any_name).parse(rest)?;
    Ok((rest, ClauseKind::Unwind { list, variable: name }))
}

/// Rule `LoadCsv`, after its first keyword.
fn load_csv<'a>(input: Tokens<'a>) -> Parsed<'a, LoadCsv> {
    let (rest, ()) = keyword("CSV")(input)?;
    let (rest, headers) = opt(keywords(&["WITH", "HEADERS"])).parse(rest)?;
    let (rest, source) = preceded(keyword("FROM"), expression).parse(rest)?;
    let (rest, name) = preceded(keyword("AS"), variable).parse(rest)?;
    let (rest, separator) = opt(preceded(keyword("FIELDTERMINATOR"), cut(separator))).parse(rest)?;
    let separator = separator.unwrap_or(b',');
    Ok((rest, LoadCsv { has_headers: headers.is_some(), source, variable: name, separator }))
}

fn separator<'a>(input: Tokens<'a>) -> Parsed<'a, u8> {
    let TokenKind::String(text) = &input.peek(0).kind else { return input.expected("a string") };
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\\' | b'\n' | b'\r') => {
            Ok((input.advance(1), *byte))
        }
        _ => {
            input.refuse(UNEXPECTED, "fields are separated by one ASCII character, no quote and no line end")
        }
    }
}

/// Rules `With` and `Return`, after the keyword.
pub(super) fn projection<'a>(input: Tokens<'a>, is_with: bool) -> Parsed<'a, Projection> {
    let (rest, distinct) = opt(keyword("DISTINCT")).parse(input)?;
    let (mut rest, star) = opt(symbol(Symbol::Star)).parse(rest)?;
    let mut items = Vec::new();
    if star.is_none() || rest.is_symbol(0, Symbol::Comma) {
        let start = rest.advance(usize::from(star.is_some()));
        (rest, items) = separated_list1(symbol(Symbol::Comma), item).parse(start)?;
    }
    let (distinct, star) = (distinct.is_some(), star.is_some());
    let items =
        Projection { distinct, star, items, order: Vec::new(), skip: None, limit: None, filter: None };
    projection_end(rest, items, is_with)
}

/// What may follow the items of a projection: ORDER BY, SKIP, LIMIT, and WHERE after WITH.
pub(super) fn projection_end<'a>(
    input: Tokens<'a>,
    items: Projection,
    is_with: bool,
) -> Parsed<'a, Projection> {
    let order_by =
        preceded(keywords(&["ORDER", "BY"]), cut(separated_list1(symbol(Symbol::Comma), order_item)));
    let (rest, order) = opt(order_by).parse(input)?;
    let skip = preceded(alt((keyword("SKIP"), keyword("OFFSET"))), cut(expression));
    let (rest, skip) = opt(skip).parse(rest)?;
    let (rest, limit) = opt(preceded(keyword("LIMIT"), cut(expression))).parse(rest)?;
    let (rest, filter) = if is_with { opt(where_clause).parse(rest)? } else { (rest, None) };
    Ok((rest, Projection { order: order.unwrap_or_default(), skip, limit, filter, ..items }))
}

/// Rule `ProjectionItem`.
fn item<'a>(input: Tokens<'a>) -> Parsed<'a, Item> {
    let (rest, expression) = expression(input)?;
    let (rest, alias) = opt(preceded(keyword("AS"), cut(any_name))).parse(rest)?;
    let has_alias = alias.is_some();
    let name = match (alias, &expression.kind) {
        (Some(alias), _) => alias.text,
        (None, ExprKind::Variable(name)) => name.clone(),
        (None, _) => {
            let span = expression.span;
            input.state.text[span.start as usize..span.end as usize].to_owned()
        }
    };
    Ok((rest, Item { expression, name, has_alias }))
}

/// Rule `SortItem`.
fn order_item<'a>(input: Tokens<'a>) -> Parsed<'a, OrderItem> {
    let (rest, expression) = expression(input)?;
    let descending = alt((keyword("DESCENDING"), keyword("DESC"))).map(|()| true);
    let ascending = alt((keyword("ASCENDING"), keyword("ASC"))).map(|()| false);
    let (rest, descending) = opt(alt((descending, ascending))).parse(rest)?;
    Ok((rest, OrderItem { expression, descending: descending.unwrap_or(false) }))
}

/// Rule `Merge`, after the keyword.
fn merge<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let (mut rest, pattern) = pattern(input)?;
    let (mut on_match, mut on_create) = (Vec::new(), Vec::new());
    while rest.is_keyword(0, "ON") {
        let matched = keyword("MATCH").map(|()| true);
        let (after, is_match) =
            cut(alt((matched, keyword("CREATE").map(|()| false)))).parse(rest.advance(1))?;
        let (after, items) = cut(preceded(keyword("SET"), set_items)).parse(after)?;
        if is_match { &mut on_match } else { &mut on_create }.extend(items);
        rest = after;
    }
    let _ = rest.expected::<()>("ON");
    Ok((rest, ClauseKind::Merge { pattern, on_match, on_create }))
}

/// Rule `Set`, after the keyword.
fn set_items<'a>(input: Tokens<'a>) -> Parsed<'a, Vec<SetItem>> {
    separated_list1(symbol(Symbol::Comma), set_item).parse(input)
}

/// Rule `SetItem`.
fn set_item<'a>(input: Tokens<'a>) -> Parsed<'a, SetItem> {
    for (operator, replace) in [(Symbol::Equal, true), (Symbol::PlusEqual, false)] {
        if input.is_symbol(1, operator) {
            let (rest, variable) = variable(input)?;
            let (rest, value) = cut(expression).parse(rest.advance(1))?;
            return Ok((rest, SetItem::Properties { variable, value, replace }));
        }
    }
    if input.is_symbol(1, Symbol::Colon) && input.is_symbol(2, Symbol::Dollar) {
        let (rest, variable) = variable(input)?;
        let inside = delimited(symbol(Symbol::LeftParen), expression, symbol(Symbol::RightParen));
        let (rest, labels) = { cut(inside) }.parse(rest.advance(2))?;
        return Ok((rest, SetItem::DynamicLabels { variable, labels }));
    }
    if input.is_symbol(1, Symbol::Colon) {
        let (rest, (variable, labels)) = labelled(input)?;
        return Ok((rest, SetItem::Labels { variable, labels }));
    }
    let (rest, (target, key)) = property_target(input)?;
    let (rest, value) = cut(preceded(symbol(Symbol::Equal), expression)).parse(rest)?;
    Ok((rest, SetItem::Property { target, key, value }))
}

/// Rule `RemoveItem`.
fn remove_item<'a>(input: Tokens<'a>) -> Parsed<'a, RemoveItem> {
    if input.is_symbol(1, Symbol::Colon) {
        let (rest, (variable, labels)) = labelled(input)?;
        return Ok((rest, RemoveItem::Labels { variable, labels }));
    }
    let (rest, (target, key)) = property_target(input)?;
    Ok((rest, RemoveItem::Property { target, key }))
}

fn labelled<'a>(input: Tokens<'a>) -> Parsed<'a, (Name, Vec<Name>)> {
    let (rest, variable) = variable(input)?;
    let (after, labels) = label_expression(rest)?;
    match plain_labels(labels) {
        Some(labels) => Ok((after, (variable, labels))),
        None => rest.refuse(UNEXPECTED, "labels to set or remove are a plain list, as in :A:B"),
    }
}

/// A property that may be set: `expression.key`.
fn property_target<'a>(input: Tokens<'a>) -> Parsed<'a, (Expr, Name)> {
    let (rest, target) = postfixed(input)?;
    match target.kind {
        ExprKind::Property(entity, key) => Ok((rest, (*entity, key))),
        _ => rest.expected("'.' and a property"),
    }
}

/// Rule `Delete`.
fn delete<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let (rest, detach) = opt(keyword("DETACH")).parse(input)?;
    let (rest, ()) = keyword("DELETE")(rest)?;
    let (rest, entities) = cut(separated_list1(symbol(Symbol::Comma), expression)).parse(rest)?;
    Ok((rest, ClauseKind::Delete { detach: detach.is_some(), entities }))
}

/// Rule `Foreach`, after the keyword.
fn foreach<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let body = |input: Tokens<'a>| {
        let (rest, name) = variable(input)?;
        let (rest, list) = preceded(keyword("IN"), expression).parse(rest)?;
        let (rest, clauses) = preceded(symbol(Symbol::Pipe), |input| nested(clauses, input)).parse(rest)?;
        Ok((rest, ClauseKind::Foreach { variable: name, list, clauses }))
    };
    delimited(symbol(Symbol::LeftParen), body, symbol(Symbol::RightParen)).parse(input)
}

/// Rules `Call` and `SubqueryCall`.
fn call_clause<'a>(input: Tokens<'a>) -> Parsed<'a, ClauseKind> {
    let (rest, optional) = opt(keyword("OPTIONAL")).parse(input)?;
    let (rest, ()) = keyword("CALL")(rest)?;
    let optional = optional.is_some();
    if rest.is_symbol(0, Symbol::LeftBrace) || rest.is_symbol(0, Symbol::LeftParen) {
        return cut(|input| subquery_call(input, optional)).map(ClauseKind::Subquery).parse(rest);
    }
    cut(|input| call(input, optional)).map(ClauseKind::Call).parse(rest)
}

/// Rule `SubqueryCall`, after its keywords.
fn subquery_call<'a>(input: Tokens<'a>, optional: bool) -> Parsed<'a, SubqueryCall> {
    let (rest, imports) = imports(input)?;
    let braces = (symbol(Symbol::LeftBrace), symbol(Symbol::RightBrace));
    let (rest, query) = delimited(braces.0, |input| nested(query, input), braces.1).parse(rest)?;
    let (rest, transactions) = opt(transactions).parse(rest)?;
    Ok((rest, SubqueryCall { optional, imports, query, transactions }))
}

/// Rule `Imports`.
fn imports<'a>(input: Tokens<'a>) -> Parsed<'a, Imports> {
    if !input.is_symbol(0, Symbol::LeftParen) {
        return Ok((input, Imports::Leading));
    }
    let rest = input.advance(1);
    if rest.is_symbol(0, Symbol::Star) {
        return symbol(Symbol::RightParen)(rest.advance(1)).map(|(rest, ())| (rest, Imports::All));
    }
    let (rest, names) = nom::multi::separated_list0(symbol(Symbol::Comma), variable).parse(rest)?;
    let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
    Ok((rest, Imports::Names(names)))
}

/// Rule `Transactions`. How many parts may run side by side is nobody's promise: one after the other is allowed.
fn transactions<'a>(input: Tokens<'a>) -> Parsed<'a, Transactions> {
    let (rest, ()) = keyword("IN")(input)?;
    let (rest, concurrency) = match rest.is_keyword(0, "TRANSACTIONS") {
        true => (rest, None),
        false if rest.is_keyword(0, "CONCURRENT") => (rest.advance(1), None),
        false => cut(terminated(expression, keyword("CONCURRENT"))).map(Some).parse(rest)?,
    };
    let (mut rest, ()) = cut(keyword("TRANSACTIONS")).parse(rest)?;
    let (mut rows, mut on_error, mut status) = (None, None, None);
    loop {
        if rows.is_none() && rest.is_keyword(0, "OF") {
            (rest, rows) = cut(batch_rows).map(Some).parse(rest.advance(1))?;
        } else if on_error.is_none() && rest.is_keyword(0, "ON") {
            (rest, on_error) =
                cut(preceded(keyword("ERROR"), on_error_mode)).map(Some).parse(rest.advance(1))?;
        } else if status.is_none() && rest.is_keyword(0, "REPORT") {
            let named = preceded(keywords(&["STATUS", "AS"]), variable);
            (rest, status) = cut(named).map(Some).parse(rest.advance(1))?;
        } else {
            break;
        }
    }
    let on_error = on_error.unwrap_or(OnError::Fail);
    Ok((rest, Transactions { concurrency, rows, on_error, status, span: input.span_to(&rest) }))
}

/// `OF n ROWS`, after its first word.
fn batch_rows<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    terminated(expression, alt((keyword("ROWS"), keyword("ROW")))).parse(input)
}

fn on_error_mode<'a>(input: Tokens<'a>) -> Parsed<'a, OnError> {
    let fail = keyword("FAIL").map(|()| OnError::Fail);
    let continues = keyword("CONTINUE").map(|()| OnError::Continue);
    let breaks = keyword("BREAK").map(|()| OnError::Break);
    alt((fail, continues, breaks)).parse(input)
}

/// Rule `Call`, after its keywords.
fn call<'a>(input: Tokens<'a>, optional: bool) -> Parsed<'a, Call> {
    let (rest, procedure) = dotted_name(input)?;
    let list = nom::multi::separated_list0(symbol(Symbol::Comma), expression);
    let (rest, arguments) =
        opt(delimited(symbol(Symbol::LeftParen), list, cut(symbol(Symbol::RightParen)))).parse(rest)?;
    let (rest, yields) = opt(preceded(keyword("YIELD"), cut(yields))).parse(rest)?;
    Ok((rest, Call { optional, procedure, arguments, yields }))
}

fn yields<'a>(input: Tokens<'a>) -> Parsed<'a, Yields> {
    if input.is_symbol(0, Symbol::Star) {
        return Ok((input.advance(1), Yields::All(input.peek(0).span)));
    }
    if input.is_symbol(0, Symbol::Minus) {
        return Ok((input.advance(1), Yields::Items { items: Vec::new(), filter: None }));
    }
    let item = |input| {
        let (rest, field) = any_name(input)?;
        let (rest, alias) = opt(preceded(keyword("AS"), cut(any_name))).parse(rest)?;
        Ok((rest, YieldItem { field, alias }))
    };
    let (rest, items) = separated_list1(symbol(Symbol::Comma), item).parse(input)?;
    let (rest, filter) = opt(where_clause).parse(rest)?;
    Ok((rest, Yields::Items { items, filter }))
}

/// Rule `ProcedureName`.
pub(super) fn dotted_name<'a>(input: Tokens<'a>) -> Parsed<'a, Name> {
    let (mut rest, mut name) = any_name(input)?;
    while rest.is_symbol(0, Symbol::Dot) {
        let (after, part) = cut(any_name).parse(rest.advance(1))?;
        name.text = format!("{}.{}", name.text, part.text);
        rest = after;
    }
    name.span = input.span_to(&rest);
    Ok((rest, name))
}

/// Rule `Use`, after the keyword: a graph by name, or by IRI in back-ticks or quotes.
fn graph_name<'a>(input: Tokens<'a>) -> Parsed<'a, Name> {
    if let TokenKind::String(text) = &input.peek(0).kind {
        return Ok((input.advance(1), Name { text: text.clone(), span: input.peek(0).span }));
    }
    dotted_name(input)
}
