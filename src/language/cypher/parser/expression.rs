//! Rule `Expression` and below: a Pratt loop over the operators, and nom parsers for the atoms.

use nom::Parser;
use nom::combinator::{cut, opt};
use nom::multi::{separated_list0, separated_list1};
use nom::sequence::{delimited, preceded};

use super::clause;
use super::input::{Parsed, Tokens, any_name, check_chain, is_reserved, keyword, nested, symbol, variable};
use super::pattern::{is_path_start, label_expression, path_pattern, pattern_list, shortest_path};
use crate::language::cypher::ast::{
    Clause, ClauseKind, Comparison, Expr, ExprKind, LabelExpression, Operator, Pattern, ProjectionItem,
    QuantifierKind, Query, SingleQuery, SubqueryKind,
};
use crate::language::cypher::token::{Span, Symbol, TokenKind};

/// Rule `Expression`.
pub(super) fn expression<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    nested(|input| operators(input, Level::Or), input)
}

/// The ranks of operators, loosest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    Xor,
    And,
    Not,
    Comparison,
    Predicate,
    Sum,
    Product,
    Power,
    Sign,
}

/// An operator that may follow an operand, and how many tokens it takes.
enum Infix {
    Or,
    And,
    Binary(Operator, usize),
    Comparison(Comparison),
    IsNull { negated: bool },
    Labels,
}

fn infix(input: &Tokens<'_>) -> Option<(Level, Infix)> {
    use Operator::*;
    let found = match &input.peek(0).kind {
        TokenKind::Symbol(symbol) => match symbol {
            Symbol::Plus => (Level::Sum, Infix::Binary(Add, 1)),
            Symbol::Minus => (Level::Sum, Infix::Binary(Subtract, 1)),
            Symbol::Star => (Level::Product, Infix::Binary(Multiply, 1)),
            Symbol::Slash => (Level::Product, Infix::Binary(Divide, 1)),
            Symbol::Percent => (Level::Product, Infix::Binary(Modulo, 1)),
            Symbol::Caret => (Level::Power, Infix::Binary(Power, 1)),
            Symbol::RegexMatch => (Level::Predicate, Infix::Binary(Matches, 1)),
            Symbol::Equal => (Level::Comparison, Infix::Comparison(Comparison::Equal)),
            Symbol::NotEqual => (Level::Comparison, Infix::Comparison(Comparison::NotEqual)),
            Symbol::Less => (Level::Comparison, Infix::Comparison(Comparison::Less)),
            Symbol::LessOrEqual => (Level::Comparison, Infix::Comparison(Comparison::LessOrEqual)),
            Symbol::Greater => (Level::Comparison, Infix::Comparison(Comparison::Greater)),
            Symbol::GreaterOrEqual => (Level::Comparison, Infix::Comparison(Comparison::GreaterOrEqual)),
            Symbol::Colon => (Level::Predicate, Infix::Labels),
            _ => return None,
        },
        TokenKind::Word => {
            let is = |ahead, word| input.is_keyword(ahead, word);
            if is(0, "AND") {
                (Level::And, Infix::And)
            } else if is(0, "OR") {
                (Level::Or, Infix::Or)
            } else if is(0, "XOR") {
                (Level::Xor, Infix::Binary(Xor, 1))
            } else if is(0, "IN") {
                (Level::Predicate, Infix::Binary(In, 1))
            } else if is(0, "CONTAINS") {
                (Level::Predicate, Infix::Binary(Contains, 1))
            } else if is(0, "STARTS") && is(1, "WITH") {
                (Level::Predicate, Infix::Binary(StartsWith, 2))
            } else if is(0, "ENDS") && is(1, "WITH") {
                (Level::Predicate, Infix::Binary(EndsWith, 2))
            } else if is(0, "IS") && is(1, "NULL") {
                (Level::Predicate, Infix::IsNull { negated: false })
            } else if is(0, "IS") && is(1, "NOT") && is(2, "NULL") {
                (Level::Predicate, Infix::IsNull { negated: true })
            } else {
                return None;
            }
        }
        _ => return None,
    };
    Some(found)
}

/// Rules `OrExpression` to `PowerExpression`: reads operators of rank `min` and tighter.
fn operators<'a>(input: Tokens<'a>, min: Level) -> Parsed<'a, Expr> {
    let (mut rest, mut left) = prefixed(input, min)?;
    let mut chain = 0;
    while let Some((level, operator)) = infix(&rest) {
        if level < min {
            break;
        }
        chain += 1;
        let is_list = matches!(operator, Infix::And | Infix::Or | Infix::Comparison(_));
        if !is_list {
            check_chain(chain, rest)?;
        }
        (rest, left) = match operator {
            Infix::And => list_of_operands(input, rest, left, "AND", Level::Not, ExprKind::And)?,
            Infix::Or => list_of_operands(input, rest, left, "OR", Level::Xor, ExprKind::Or)?,
            Infix::Comparison(_) => comparisons(input, rest, left)?,
            Infix::Binary(operator, tokens) => {
                let (after, right) = operators(rest.advance(tokens), tighter(level))?;
                let kind = ExprKind::Binary(operator, Box::new(left), Box::new(right));
                (after, Expr { kind, span: input.span_to(&after) })
            }
            Infix::IsNull { negated } => {
                let after = rest.advance(if negated { 3 } else { 2 });
                let kind = ExprKind::IsNull { operand: Box::new(left), negated };
                (after, Expr { kind, span: input.span_to(&after) })
            }
            Infix::Labels => {
                let (after, labels) = label_expression(rest)?;
                let kind = ExprKind::HasLabels(Box::new(left), labels);
                (after, Expr { kind, span: input.span_to(&after) })
            }
        };
    }
    if min == Level::Or {
        // Only to be named in the message, should what follows not fit.
        let _ = rest.expected::<()>("an operator");
    }
    Ok((rest, left))
}

fn tighter(level: Level) -> Level {
    match level {
        Level::Or => Level::Xor,
        Level::Xor => Level::And,
        Level::And => Level::Not,
        Level::Not => Level::Comparison,
        Level::Comparison => Level::Predicate,
        Level::Predicate => Level::Sum,
        Level::Sum => Level::Product,
        Level::Product => Level::Power,
        Level::Power | Level::Sign => Level::Sign,
    }
}

/// Rules `OrExpression` and `AndExpression`: flat, so that long ones are not deep.
fn list_of_operands<'a>(
    start: Tokens<'a>,
    mut rest: Tokens<'a>,
    first: Expr,
    word: &'static str,
    level: Level,
    kind: fn(Vec<Expr>) -> ExprKind,
) -> Parsed<'a, Expr> {
    let mut operands = vec![first];
    while rest.is_keyword(0, word) {
        let (after, operand) = operators(rest.advance(1), level)?;
        operands.push(operand);
        rest = after;
    }
    Ok((rest, Expr { kind: kind(operands), span: start.span_to(&rest) }))
}

/// Rule `ComparisonExpression`: `a < b <= c`.
fn comparisons<'a>(start: Tokens<'a>, mut rest: Tokens<'a>, first: Expr) -> Parsed<'a, Expr> {
    let mut others = Vec::new();
    while let Some((Level::Comparison, Infix::Comparison(comparison))) = infix(&rest) {
        let (after, operand) = operators(rest.advance(1), Level::Predicate)?;
        others.push((comparison, operand));
        rest = after;
    }
    let kind = ExprKind::Comparison(Box::new(first), others);
    Ok((rest, Expr { kind, span: start.span_to(&rest) }))
}

/// Rules `NotExpression` and `SignedExpression`.
fn prefixed<'a>(input: Tokens<'a>, min: Level) -> Parsed<'a, Expr> {
    if min <= Level::Not && input.is_keyword(0, "NOT") {
        let (rest, operand) = nested(|input| operators(input, Level::Not), input.advance(1))?;
        let kind = ExprKind::Not(Box::new(operand));
        return Ok((rest, Expr { kind, span: input.span_to(&rest) }));
    }
    if input.is_symbol(0, Symbol::Minus) {
        if let TokenKind::Integer(value) = input.peek(1).kind
            && value == 1 << 63
        {
            let rest = input.advance(2);
            return Ok((rest, Expr { kind: ExprKind::Integer(i64::MIN), span: input.span_to(&rest) }));
        }
        let (rest, operand) = nested(|input| operators(input, Level::Sign), input.advance(1))?;
        let kind = ExprKind::Minus(Box::new(operand));
        return Ok((rest, Expr { kind, span: input.span_to(&rest) }));
    }
    if input.is_symbol(0, Symbol::Plus) {
        let (rest, operand) = nested(|input| operators(input, Level::Sign), input.advance(1))?;
        let kind = ExprKind::Plus(Box::new(operand));
        return Ok((rest, Expr { kind, span: input.span_to(&rest) }));
    }
    postfixed(input)
}

/// Rule `PostfixExpression`: `a.key`, `a[i]`, `a[i..j]`.
pub(super) fn postfixed<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let (mut rest, mut left) = atom(input)?;
    let mut chain = 0;
    loop {
        chain += 1;
        check_chain(chain, rest)?;
        let kind;
        if rest.is_symbol(0, Symbol::Dot) {
            let (after, key) = cut(any_name).parse(rest.advance(1))?;
            kind = ExprKind::Property(Box::new(left), key);
            rest = after;
        } else if rest.is_symbol(0, Symbol::LeftBracket) {
            let (after, index) = subscript(rest.advance(1), left).map_err(|error| match error {
                nom::Err::Error(fault) => nom::Err::Failure(fault),
                other => other,
            })?;
            kind = index;
            rest = after;
        } else {
            return Ok((rest, left));
        }
        left = Expr { kind, span: input.span_to(&rest) };
    }
}

/// Rule `Subscript`, after its bracket.
fn subscript<'a>(input: Tokens<'a>, list: Expr) -> Parsed<'a, ExprKind> {
    let end = symbol(Symbol::RightBracket);
    let mut from = None;
    let mut rest = input;
    if !input.is_symbol(0, Symbol::DotDot) {
        let (after, index) = expression(input)?;
        if !after.is_symbol(0, Symbol::DotDot) {
            let (after, ()) = end(after)?;
            return Ok((after, ExprKind::Index(Box::new(list), Box::new(index))));
        }
        from = Some(Box::new(index));
        rest = after;
    }
    rest = rest.advance(1);
    if rest.is_symbol(0, Symbol::RightBracket) {
        return Ok((rest.advance(1), ExprKind::Slice(Box::new(list), from, None)));
    }
    let (rest, to) = expression(rest)?;
    let (rest, ()) = end(rest)?;
    Ok((rest, ExprKind::Slice(Box::new(list), from, Some(Box::new(to)))))
}

/// Rule `Atom`.
fn atom<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let token = input.peek(0);
    let constant = |kind| Ok((input.advance(1), Expr { kind, span: token.span }));
    match &token.kind {
        TokenKind::Integer(value) => match i64::try_from(*value) {
            Ok(value) => constant(ExprKind::Integer(value)),
            Err(_) => input.refuse("SyntaxError.IntegerOverflow", "this integer does not fit in 64 bits"),
        },
        TokenKind::Float(value) => constant(ExprKind::Float(*value)),
        TokenKind::String(value) => constant(ExprKind::String(value.clone())),
        TokenKind::Parameter(name) => constant(ExprKind::Parameter(name.clone())),
        TokenKind::BadNumber { code, message } => input.refuse(code, *message),
        TokenKind::Symbol(Symbol::LeftParen) => parenthesised(input),
        TokenKind::Symbol(Symbol::LeftBracket) => bracketed(input),
        TokenKind::Symbol(Symbol::LeftBrace) => map(input),
        TokenKind::QuotedName(_) => name_or_call(input),
        TokenKind::Word => word(input),
        _ => input.expected("an expression"),
    }
}

/// The atoms that begin with a word.
fn word<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let constant = |kind| Ok((input.advance(1), Expr { kind, span: input.peek(0).span }));
    let is = |word| input.is_keyword(0, word);
    let opens_brace = input.is_symbol(1, Symbol::LeftBrace);
    let opens_paren = input.is_symbol(1, Symbol::LeftParen);
    if is("NULL") {
        return constant(ExprKind::Null);
    }
    if is("TRUE") || is("FALSE") {
        return constant(ExprKind::Boolean(is("TRUE")));
    }
    if is("CASE") {
        return case(input);
    }
    if opens_brace {
        for (name, kind) in [
            ("EXISTS", SubqueryKind::Exists),
            ("COUNT", SubqueryKind::Count),
            ("COLLECT", SubqueryKind::Collect),
        ] {
            if is(name) {
                return subquery(input, kind);
            }
        }
    }
    if opens_paren {
        if is("COUNT") && input.is_symbol(2, Symbol::Star) && input.is_symbol(3, Symbol::RightParen) {
            let rest = input.advance(4);
            return Ok((rest, Expr { kind: ExprKind::CountStar, span: input.span_to(&rest) }));
        }
        if is("SHORTESTPATH") || is("ALLSHORTESTPATHS") {
            let (rest, pattern) = shortest_path(input)?;
            return Ok((
                rest,
                Expr { kind: ExprKind::Pattern(Box::new(pattern)), span: input.span_to(&rest) },
            ));
        }
        for (name, kind) in [
            ("ALL", QuantifierKind::All),
            ("ANY", QuantifierKind::Any),
            ("NONE", QuantifierKind::None),
            ("SINGLE", QuantifierKind::Single),
        ] {
            if is(name) && input.is_keyword(3, "IN") {
                return quantifier(input, kind);
            }
        }
        if is("REDUCE") && input.is_symbol(3, Symbol::Equal) {
            return reduce(input);
        }
    }
    name_or_call(input)
}

/// Rules `FunctionInvocation`, `MapProjection` and `Variable`.
fn name_or_call<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let is_name = |ahead: usize| matches!(input.peek(ahead).kind, TokenKind::Word | TokenKind::QuotedName(_));
    let mut len = 1;
    while input.is_symbol(len, Symbol::Dot) && is_name(len + 1) {
        len += 2;
    }
    let is_operator = len == 1 && input.peek(0).kind == TokenKind::Word && is_reserved(input.peek(0).text);
    if input.is_symbol(len, Symbol::LeftParen) && !is_operator {
        return call(input, len);
    }
    let Ok((rest, name)) = variable(input) else { return input.expected("an expression") };
    if rest.is_symbol(0, Symbol::LeftBrace) {
        let items = separated_list0(symbol(Symbol::Comma), projection_item);
        let (rest, items) =
            cut(delimited(symbol(Symbol::LeftBrace), items, symbol(Symbol::RightBrace))).parse(rest)?;
        let kind = ExprKind::MapProjection { variable: name, items };
        return Ok((rest, Expr { kind, span: input.span_to(&rest) }));
    }
    Ok((rest, Expr { kind: ExprKind::Variable(name.text), span: name.span }))
}

/// Rule `FunctionInvocation`, its name `len` tokens long.
fn call<'a>(input: Tokens<'a>, len: usize) -> Parsed<'a, Expr> {
    let mut function = String::new();
    for ahead in (0..len).step_by(2) {
        let (_, part) = any_name(input.advance(ahead))?;
        if ahead > 0 {
            function.push('.');
        }
        function.push_str(&part.text.to_lowercase());
    }
    let rest = input.advance(len + 1);
    let (rest, distinct) = opt(keyword("DISTINCT")).parse(rest)?;
    let (rest, arguments) = cut(separated_list0(symbol(Symbol::Comma), expression)).parse(rest)?;
    let (rest, ()) = cut(symbol(Symbol::RightParen)).parse(rest)?;
    let kind = ExprKind::Call { function, distinct: distinct.is_some(), arguments };
    Ok((rest, Expr { kind, span: input.span_to(&rest) }))
}

/// Rules `ParenthesizedExpression` and `PatternExpression`.
fn parenthesised<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    if is_path_start(&input) {
        let (rest, pattern) = cut(|input| nested(path_pattern, input)).parse(input)?;
        let span = pattern.span;
        return Ok((rest, Expr { kind: ExprKind::Pattern(Box::new(pattern)), span }));
    }
    let (rest, mut inner) =
        cut(delimited(symbol(Symbol::LeftParen), expression, symbol(Symbol::RightParen))).parse(input)?;
    inner.span = input.span_to(&rest);
    Ok((rest, inner))
}

/// Rules `ListComprehension`, `PatternComprehension` and `ListLiteral`.
fn bracketed<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let inside = input.advance(1);
    let (rest, kind) = cut(|inside: Tokens<'a>| {
        let names_path = inside.is_symbol(1, Symbol::Equal) && is_path_start(&inside.advance(2));
        let is_name = matches!(inside.peek(0).kind, TokenKind::Word | TokenKind::QuotedName(_));
        if is_name && inside.is_keyword(1, "IN") {
            list_comprehension(inside)
        } else if names_path || is_path_start(&inside) {
            pattern_comprehension(inside, names_path)
        } else {
            separated_list0(symbol(Symbol::Comma), expression).map(ExprKind::List).parse(inside)
        }
    })
    .parse(inside)?;
    let (rest, ()) = cut(symbol(Symbol::RightBracket)).parse(rest)?;
    Ok((rest, Expr { kind, span: input.span_to(&rest) }))
}

fn list_comprehension<'a>(input: Tokens<'a>) -> Parsed<'a, ExprKind> {
    let (rest, name) = variable(input)?;
    let (rest, list) = expression(rest.advance(1))?;
    let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, map) = opt(preceded(symbol(Symbol::Pipe), cut(expression))).parse(rest)?;
    let kind = ExprKind::ListComprehension {
        variable: name,
        list: Box::new(list),
        filter: filter.map(Box::new),
        map: map.map(Box::new),
    };
    Ok((rest, kind))
}

fn pattern_comprehension<'a>(input: Tokens<'a>, names_path: bool) -> Parsed<'a, ExprKind> {
    let name = if names_path { Some(variable(input)?.1) } else { None };
    let (rest, mut pattern) = nested(path_pattern, input.advance(if names_path { 2 } else { 0 }))?;
    pattern.variable = name;
    let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, map) = preceded(symbol(Symbol::Pipe), expression).parse(rest)?;
    let kind = ExprKind::PatternComprehension {
        pattern: Box::new(pattern),
        filter: filter.map(Box::new),
        map: Box::new(map),
    };
    Ok((rest, kind))
}

/// Rule `MapLiteral`.
pub(super) fn map<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let (rest, ()) = symbol(Symbol::LeftBrace)(input)?;
    let entry = |input| {
        let (rest, key) = any_name(input)?;
        let (rest, ()) = symbol(Symbol::Colon)(rest)?;
        let (rest, value) = expression(rest)?;
        Ok((rest, (key, value)))
    };
    let (rest, entries) = cut(separated_list0(symbol(Symbol::Comma), entry)).parse(rest)?;
    let (rest, ()) = cut(symbol(Symbol::RightBrace)).parse(rest)?;
    Ok((rest, Expr { kind: ExprKind::Map(entries), span: input.span_to(&rest) }))
}

/// Rule `MapProjectionItem`.
fn projection_item<'a>(input: Tokens<'a>) -> Parsed<'a, ProjectionItem> {
    if input.is_symbol(0, Symbol::Dot) {
        if input.is_symbol(1, Symbol::Star) {
            return Ok((input.advance(2), ProjectionItem::AllProperties));
        }
        return cut(any_name).map(ProjectionItem::Property).parse(input.advance(1));
    }
    if input.is_symbol(1, Symbol::Colon) {
        let (rest, key) = any_name(input)?;
        let (rest, value) = cut(expression).parse(rest.advance(1))?;
        return Ok((rest, ProjectionItem::Entry(key, value)));
    }
    variable.map(ProjectionItem::Variable).parse(input)
}

/// Rule `CaseExpression`.
fn case<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let mut rest = input.advance(1);
    let mut operand = None;
    if !rest.is_keyword(0, "WHEN") {
        let (after, value) = cut(expression).parse(rest)?;
        operand = Some(Box::new(value));
        rest = after;
    }
    let mut branches = Vec::new();
    loop {
        let (after, ()) = cut(keyword("WHEN")).parse(rest)?;
        let (after, conditions) = cut(separated_list1(symbol(Symbol::Comma), expression)).parse(after)?;
        let (after, result) = cut(preceded(keyword("THEN"), expression)).parse(after)?;
        branches.push((conditions, result));
        rest = after;
        if !rest.is_keyword(0, "WHEN") {
            break;
        }
    }
    let (rest, otherwise) = opt(preceded(keyword("ELSE"), cut(expression))).parse(rest)?;
    let (rest, ()) = cut(keyword("END")).parse(rest)?;
    let kind = ExprKind::Case { operand, branches, otherwise: otherwise.map(Box::new) };
    Ok((rest, Expr { kind, span: input.span_to(&rest) }))
}

/// Rule `Quantifier`.
fn quantifier<'a>(input: Tokens<'a>, kind: QuantifierKind) -> Parsed<'a, Expr> {
    let (rest, name) = cut(variable).parse(input.advance(2))?;
    let (rest, list) = cut(expression).parse(rest.advance(1))?;
    let (rest, condition) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
    let (rest, ()) = cut(symbol(Symbol::RightParen)).parse(rest)?;
    let condition = condition.map(Box::new);
    let kind = ExprKind::Quantifier { kind, variable: name, list: Box::new(list), condition };
    Ok((rest, Expr { kind, span: input.span_to(&rest) }))
}

/// Rule `Reduce`.
fn reduce<'a>(input: Tokens<'a>) -> Parsed<'a, Expr> {
    let body = |input: Tokens<'a>| {
        let (rest, accumulator) = variable(input)?;
        let (rest, init) = expression(rest.advance(1))?;
        let (rest, ()) = symbol(Symbol::Comma)(rest)?;
        let (rest, name) = variable(rest)?;
        let (rest, ()) = keyword("IN")(rest)?;
        let (rest, list) = expression(rest)?;
        let (rest, step) = preceded(symbol(Symbol::Pipe), expression).parse(rest)?;
        let (rest, ()) = symbol(Symbol::RightParen)(rest)?;
        let [init, list, step] = [init, list, step].map(Box::new);
        Ok((rest, ExprKind::Reduce { accumulator, init, variable: name, list, step }))
    };
    let (rest, kind) = cut(body).parse(input.advance(2))?;
    Ok((rest, Expr { kind, span: input.span_to(&rest) }))
}

/// Rule `Subquery`: a query in braces, or just a pattern with its WHERE.
fn subquery<'a>(input: Tokens<'a>, kind: SubqueryKind) -> Parsed<'a, Expr> {
    let inside = input.advance(2);
    let begins_pattern = inside.is_symbol(0, Symbol::LeftParen) || inside.is_symbol(1, Symbol::Equal);
    let body = |input: Tokens<'a>| {
        if !begins_pattern {
            return nested(clause::query, input);
        }
        let (rest, patterns) = nested(pattern_list, input)?;
        let (rest, filter) = opt(preceded(keyword("WHERE"), cut(expression))).parse(rest)?;
        Ok((rest, match_query(patterns, filter, input.span_to(&rest))))
    };
    let (rest, query) = cut(body).parse(inside)?;
    let (rest, ()) = cut(symbol(Symbol::RightBrace)).parse(rest)?;
    Ok((rest, Expr { kind: ExprKind::Subquery(kind, Box::new(query)), span: input.span_to(&rest) }))
}

fn match_query(patterns: Vec<Pattern>, filter: Option<Expr>, span: Span) -> Query {
    let kind = ClauseKind::Match { optional: false, patterns, filter };
    Query { first: SingleQuery { clauses: vec![Clause { kind, span }] }, unions: Vec::new() }
}

/// Returns the labels of an expression that is a plain conjunction of labels.
pub(super) fn plain_labels(labels: LabelExpression) -> Option<Vec<crate::language::cypher::ast::Name>> {
    match labels {
        LabelExpression::Label(name) => Some(vec![name]),
        LabelExpression::And(all) => {
            all.into_iter().map(plain_labels).collect::<Option<Vec<_>>>().map(|all| all.concat())
        }
        _ => None,
    }
}
