//! Rule `SchemaCommand`: CREATE and DROP of constraints and indexes. Each reads as a call of the procedure
//! behind it, so that what follows the parser knows no such commands.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded};

use super::expression::expression;
use super::input::{Parsed, Tokens, UNEXPECTED, any_name, keyword, keywords, symbol, variable};
use crate::language::cypher::ast::{
    Call, Clause, ClauseKind, Expr, ExprKind, Name, Query, SingleQuery, Yields,
};
use crate::language::cypher::procedure::{CREATE_RULE, DROP_RULE};
use crate::language::cypher::token::{Symbol, TokenKind};

const NODE: &str = "NODE";
const RELATIONSHIP: &str = "RELATIONSHIP";

const INDEX_KINDS: [&str; 6] = ["RANGE", "TEXT", "POINT", "LOOKUP", "FULLTEXT", "VECTOR"];

/// Returns whether a command begins here; `CREATE index = ()` makes a path.
pub(super) fn is_schema_command(input: &Tokens<'_>) -> bool {
    let is_rule = |at: usize| {
        let is_index = input.is_keyword(at, "INDEX") || input.is_keyword(at, "CONSTRAINT");
        is_index && !input.is_symbol(at + 1, Symbol::Equal)
    };
    if input.is_keyword(0, "DROP") {
        return true;
    }
    let has_kind = INDEX_KINDS.iter().any(|kind| input.is_keyword(1, kind));
    input.is_keyword(0, "CREATE") && (is_rule(1) || (has_kind && is_rule(2)))
}

/// Rule `SchemaCommand`.
pub(super) fn schema_command<'a>(input: Tokens<'a>) -> Parsed<'a, Query> {
    let command = alt((
        preceded(keywords(&["CREATE", "CONSTRAINT"]), cut(create_constraint)),
        preceded(keyword("CREATE"), cut(create_index)),
        preceded(keyword("DROP"), cut(drop_rule)),
    ));
    let (rest, (procedure, arguments)) = { command }.parse(input)?;
    let span = input.span_to(&rest);
    let arguments = arguments.into_iter().map(|kind| Expr { kind, span }).collect();
    let call = Call {
        optional: false,
        procedure: Name { text: procedure.to_owned(), span },
        arguments: Some(arguments),
        yields: Some(Yields::Items { items: Vec::new(), filter: None }),
    };
    let clauses = vec![Clause { kind: ClauseKind::Call(call), span }];
    Ok((rest, Query { first: SingleQuery { clauses }, unions: Vec::new() }))
}

type Command = (&'static str, Vec<ExprKind>);

/// What stands in FOR: the entity, its variable and labels.
struct Target {
    entity: &'static str,
    variable: String,
    labels: Vec<String>,
}

fn create_constraint<'a>(input: Tokens<'a>) -> Parsed<'a, Command> {
    let (rest, (name, may_exist)) = head(input)?;
    let (rest, ()) = alt((keyword("FOR"), keyword("ON"))).parse(rest)?;
    let (rest, target) = target(rest)?;
    if target.labels.len() != 1 {
        return rest.refuse(UNEXPECTED, "a constraint is for one label or one type");
    }
    let (rest, ()) = alt((keyword("REQUIRE"), keyword("ASSERT"))).parse(rest)?;
    let (rest, keys) = keys(rest, &target.variable)?;
    let (rest, ()) = keyword("IS")(rest)?;
    let (rest, kind) = constraint_kind(rest, target.entity)?;
    let (rest, ()) = options(rest)?;
    Ok((rest, created(name, may_exist, kind, target, keys)))
}

/// Rule `RuleKind`: what a constraint asks for, under the name that SHOW has for it.
fn constraint_kind<'a>(input: Tokens<'a>, entity: &str) -> Parsed<'a, &'static str> {
    let is_node = entity == NODE;
    let words: &[&str] = if is_node { &["NODE"] } else { &["RELATIONSHIP", "REL"] };
    let is_named = words.iter().any(|word| input.is_keyword(0, word));
    let own = input.advance(usize::from(is_named));
    let unique = keyword("UNIQUE").map(|()| if is_node { "UNIQUENESS" } else { "RELATIONSHIP_UNIQUENESS" });
    let key = keyword("KEY").map(|()| if is_node { "NODE_KEY" } else { "RELATIONSHIP_KEY" });
    if is_named {
        return alt((unique, key)).parse(own);
    }
    let exists = keywords(&["NOT", "NULL"]).map(|()| match is_node {
        true => "NODE_PROPERTY_EXISTENCE",
        false => "RELATIONSHIP_PROPERTY_EXISTENCE",
    });
    alt((unique, key, exists)).parse(own)
}

fn create_index<'a>(input: Tokens<'a>) -> Parsed<'a, Command> {
    let kind = INDEX_KINDS.iter().find(|kind| input.is_keyword(0, kind));
    let (rest, ()) = keyword("INDEX")(input.advance(usize::from(kind.is_some())))?;
    let (rest, (name, may_exist)) = head(rest)?;
    let (rest, ()) = keyword("FOR")(rest)?;
    let (rest, target) = target(rest)?;
    let (rest, ()) = keyword("ON")(rest)?;
    let (rest, each) = opt(keyword("EACH")).parse(rest)?;
    let (rest, keys) = match (each, rest.is_symbol(0, Symbol::LeftBracket)) {
        (Some(()), true) => {
            let key = |input| property(input, &target.variable);
            let list = separated_list1(symbol(Symbol::Comma), key);
            { delimited(symbol(Symbol::LeftBracket), list, symbol(Symbol::RightBracket)) }.parse(rest)?
        }
        // `labels(n)` or `type(r)`: all names.
        (Some(()), false) => (expression(rest)?.0, Vec::new()),
        (None, _) => keys(rest, &target.variable)?,
    };
    let (rest, ()) = options(rest)?;
    Ok((rest, created(name, may_exist, kind.unwrap_or(&"RANGE"), target, keys)))
}

fn drop_rule<'a>(input: Tokens<'a>) -> Parsed<'a, Command> {
    let constraint = keyword("CONSTRAINT").map(|()| true);
    let (rest, is_constraint) = alt((constraint, keyword("INDEX").map(|()| false))).parse(input)?;
    let (rest, name) = name(rest)?;
    let (rest, may_be_absent) = opt(keywords(&["IF", "EXISTS"])).parse(rest)?;
    let arguments = vec![name, ExprKind::Boolean(may_be_absent.is_some()), ExprKind::Boolean(is_constraint)];
    Ok((rest, (DROP_RULE, arguments)))
}

fn created(
    name: Option<ExprKind>,
    may_exist: bool,
    kind: &str,
    target: Target,
    keys: Vec<String>,
) -> Command {
    let arguments = vec![
        name.unwrap_or(ExprKind::Null),
        ExprKind::Boolean(may_exist),
        ExprKind::String(kind.to_owned()),
        ExprKind::String(target.entity.to_owned()),
        strings(target.labels),
        strings(keys),
    ];
    (CREATE_RULE, arguments)
}

fn strings(texts: Vec<String>) -> ExprKind {
    let text = |text| Expr { kind: ExprKind::String(text), span: Default::default() };
    ExprKind::List(texts.into_iter().map(text).collect())
}

/// `[name] [IF NOT EXISTS]`.
fn head<'a>(input: Tokens<'a>) -> Parsed<'a, (Option<ExprKind>, bool)> {
    let is_named = !["IF", "FOR", "ON"].iter().any(|word| input.is_keyword(0, word));
    let (rest, name) = match is_named {
        true => name(input).map(|(rest, name)| (rest, Some(name)))?,
        false => (input, None),
    };
    let (rest, may_exist) = opt(keywords(&["IF", "NOT", "EXISTS"])).parse(rest)?;
    Ok((rest, (name, may_exist.is_some())))
}

fn name<'a>(input: Tokens<'a>) -> Parsed<'a, ExprKind> {
    if let TokenKind::Parameter(name) = &input.peek(0).kind {
        return Ok((input.advance(1), ExprKind::Parameter(name.clone())));
    }
    any_name(input).map(|(rest, name)| (rest, ExprKind::String(name.text)))
}

/// `(n:Label)`, `(n:A|B)`, `()-[r:TYPE]-()`, `(n)`.
fn target<'a>(input: Tokens<'a>) -> Parsed<'a, Target> {
    let labelled = |input| {
        let (rest, name) = variable(input)?;
        let names = separated_list1(symbol(Symbol::Pipe), any_name);
        let (rest, labels) = opt(preceded(symbol(Symbol::Colon), cut(names))).parse(rest)?;
        let labels = labels.unwrap_or_default().into_iter().map(|label| label.text).collect();
        Ok((rest, (name.text, labels)))
    };
    let (rest, ()) = symbol(Symbol::LeftParen)(input)?;
    if let Ok((rest, ())) = symbol(Symbol::RightParen)(rest) {
        let rest = rest.advance(usize::from(rest.is_symbol(0, Symbol::Less)));
        let (rest, ()) = symbol(Symbol::Minus)(rest)?;
        let (rest, (variable, labels)) =
            { delimited(symbol(Symbol::LeftBracket), labelled, symbol(Symbol::RightBracket)) }.parse(rest)?;
        let (rest, ()) = symbol(Symbol::Minus)(rest)?;
        let rest = rest.advance(usize::from(rest.is_symbol(0, Symbol::Greater)));
        let (rest, ()) = symbol(Symbol::LeftParen)(rest)?;
        let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
        return Ok((rest, Target { entity: RELATIONSHIP, variable, labels }));
    }
    let (rest, (variable, labels)) = labelled(rest)?;
    let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
    Ok((rest, Target { entity: NODE, variable, labels }))
}

/// `n.key`, `(n.key)`, `(n.a, n.b)`.
fn keys<'a>(input: Tokens<'a>, owner: &str) -> Parsed<'a, Vec<String>> {
    let key = |input| property(input, owner);
    match input.is_symbol(0, Symbol::LeftParen) {
        true => {
            let list = separated_list1(symbol(Symbol::Comma), key);
            { delimited(symbol(Symbol::LeftParen), list, symbol(Symbol::RightParen)) }.parse(input)
        }
        false => key(input).map(|(rest, key)| (rest, vec![key])),
    }
}

/// A property of the variable in FOR.
fn property<'a>(input: Tokens<'a>, owner: &str) -> Parsed<'a, String> {
    let (rest, name) = variable(input)?;
    if name.text != owner {
        return input
            .refuse("SyntaxError.UndefinedVariable", format!("there is no variable '{}' here", name.text));
    }
    let (rest, ()) = symbol(Symbol::Dot)(rest)?;
    any_name(rest).map(|(rest, key)| (rest, key.text))
}

/// `OPTIONS {...}`: taken, and of no consequence here.
fn options<'a>(input: Tokens<'a>) -> Parsed<'a, ()> {
    let (rest, _) = opt(preceded(keyword("OPTIONS"), cut(expression))).parse(input)?;
    Ok((rest, ()))
}
