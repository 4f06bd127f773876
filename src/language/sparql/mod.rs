//! SPARQL 1.1 and 1.2: text to logical plan, on spargebra's parser and algebra.
//!
//! Lowering keeps RDF semantics: `rdf:reifies` quads are ordinary quads. It makes the plain plan
//! that the text says; what is fast is for the optimizer to find.

mod correlate;
mod expression;
mod mistake;
mod nesting;
mod path;
mod pattern;
mod preparation;
mod scope;
mod term;
mod update;

use spargebra::{Query as SparqlQuery, SparqlParser, SparqlSyntaxError};

use super::SyntaxError;
use crate::plan::{Column, Form, LogicalPlan, Query, Session, Statement};
use scope::Lowering;

/// The code of every error of this language.
const CODE: &str = "SPARQL.SyntaxError";

/// Compiles a query, or, if the text is none, an update.
///
/// # Errors
/// If the text is neither: the error of whichever got further.
pub fn parse(text: &str, session: &Session, base: Option<&str>) -> Result<Statement, SyntaxError> {
    match parse_query(text, session, base) {
        Ok(query) => Ok(Statement::Query(query)),
        Err(query_error) => match parse_update(text, session, base) {
            // No operation at all is an update too, but nobody asks for one.
            Ok(update) if !update.operations.is_empty() || query_error.offset < text.trim_end().len() => {
                Ok(Statement::Update(update))
            }
            Ok(_) => Err(query_error),
            Err(update_error) if update_error.offset > query_error.offset => Err(update_error),
            Err(_) => Err(query_error),
        },
    }
}

/// Compiles a query (SELECT, ASK, CONSTRUCT or DESCRIBE).
pub fn parse_query(text: &str, session: &Session, base: Option<&str>) -> Result<Query, SyntaxError> {
    let parse = |parser: SparqlParser, text: &str| parser.parse_query(text);
    let mut query = compile(text, base, parse, |query| lower_query(&query, session))?;
    if query.form == Form::Rows
        && let Some(names) = preparation::names_of_star(text)
    {
        query.columns.sort_by_key(|column| names.iter().position(|name| *name == column.name));
    }
    Ok(query)
}

/// Compiles a sequence of update operations.
pub fn parse_update(
    text: &str,
    session: &Session,
    base: Option<&str>,
) -> Result<crate::plan::Update, SyntaxError> {
    compile(text, base, |parser, text| parser.parse_update(text), |parsed| update::lower(&parsed, session))
}

type Parse<P> = fn(SparqlParser, &str) -> Result<P, SparqlSyntaxError>;

fn compile<P, T: Send>(
    text: &str,
    base: Option<&str>,
    parse: Parse<P>,
    lower: impl FnOnce(P) -> Result<T, String> + Send,
) -> Result<T, SyntaxError> {
    nesting::with_stack(nesting::check(text)?, || {
        preparation::check_triple_terms(text)?;
        let text = preparation::prepare(text);
        let parser = parser(&text, base)?;
        let explain = |text: &str, error: &SparqlSyntaxError| {
            mistake::explain(text, &|text| parse(parser.clone(), text).map(drop), error)
        };
        let parsed = match parse(parser.clone(), &text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let again = preparation::with_reused_names(&text);
                match again.and_then(|again| parse(parser.clone(), &again).ok()) {
                    Some(parsed) => parsed,
                    None => return Err(explain(&text, &error)),
                }
            }
        };
        if let Some(plain) = preparation::with_plain_iris(&text)
            && let Err(error) = parse(parser.clone(), &plain)
        {
            return Err(explain(&plain, &error));
        }
        lower(parsed).map_err(|message| SyntaxError::at(&text, 0, CODE, message))
    })
}

fn parser(text: &str, base: Option<&str>) -> Result<SparqlParser, SyntaxError> {
    match base {
        None => Ok(SparqlParser::new()),
        Some(base) => SparqlParser::new()
            .with_base_iri(base)
            .map_err(|error| SyntaxError::at(text, 0, CODE, format!("the base IRI is invalid: {error}"))),
    }
}

/// # Errors
/// What is wrong with a query that the grammar lets pass.
fn lower_query(query: &SparqlQuery, session: &Session) -> Result<Query, String> {
    let base = query.base_iri().map(|iri| iri.as_str().to_owned());
    let mut lowering = Lowering::new(session, base);
    // What the protocol says of the dataset is said instead of FROM (SPARQL 1.1 Protocol, 2.1.4).
    if session.named_graphs.is_none() {
        lowering.set_dataset(query.dataset());
    }
    match query {
        SparqlQuery::Select { pattern, .. } => {
            let (root, columns) = lower_table(&mut lowering, pattern);
            finish(lowering, root, Form::Rows, columns)
        }
        SparqlQuery::Ask { pattern, .. } => {
            let root = lowering.pattern(pattern);
            let root = LogicalPlan::Project { input: Box::new(root), variables: Vec::new() };
            finish(lowering, root, Form::Ask, Vec::new())
        }
        SparqlQuery::Describe { pattern, .. } => {
            let graph = lowering.graph.clone();
            let (root, columns) = lower_table(&mut lowering, pattern);
            finish(lowering, root, Form::Describe { graph }, columns)
        }
        SparqlQuery::Construct { template, pattern, .. } => {
            let root = lowering.pattern(pattern);
            let template: Vec<_> = template.iter().map(|triple| lowering.triple_template(triple)).collect();
            let mut variables: Vec<_> = template.iter().flat_map(|quad| quad.variables()).collect();
            variables.sort_unstable();
            variables.dedup();
            let columns = variables.iter().map(|variable| lowering.column(*variable)).collect();
            let root = LogicalPlan::Project { input: Box::new(root), variables };
            finish(lowering, root, Form::Construct(template), columns)
        }
    }
}

/// Lowers a pattern whose projection is the result's columns, in order.
fn lower_table(
    lowering: &mut Lowering,
    pattern: &spargebra::algebra::GraphPattern,
) -> (LogicalPlan, Vec<Column>) {
    let root = lowering.pattern(pattern);
    let mut names = Vec::new();
    pattern.on_in_scope_variable(|variable| {
        if !names.contains(variable) {
            names.push(variable.clone());
        }
    });
    let columns = names
        .iter()
        .map(|name| Column { name: name.as_str().to_owned(), variable: lowering.named(name.as_str()) })
        .collect();
    (root, columns)
}

fn finish(
    lowering: Lowering,
    mut root: LogicalPlan,
    form: Form,
    columns: Vec<Column>,
) -> Result<Query, String> {
    lowering.mistake.map_or(Ok(()), Err)?;
    correlate::close(&mut root);
    Ok(Query { root, form, columns, variables: lowering.variables, writes: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vocabulary;
    use crate::plan::{GraphSelector, Schema, validate};

    pub fn session() -> Session {
        Session {
            default_graph: GraphSelector::Default,
            named_graphs: None,
            vocabulary: Vocabulary::default(),
            schema: Schema::default().into(),
        }
    }

    #[test]
    fn lowered_plans_are_well_formed() {
        for text in [
            "SELECT * { ?s ?p ?o }",
            "SELECT ?missing { ?s ?p ?o }",
            "SELECT (COUNT(*) AS ?n) ?p { ?s ?p ?o } GROUP BY ?p HAVING (?n > 1) ORDER BY ?n LIMIT 3",
            "ASK { ?s <http://e/p>+ ?o OPTIONAL { ?o <http://e/q> ?x FILTER(?x > ?s) } }",
            "CONSTRUCT { ?s <http://e/p> [] , ?nowhere } WHERE { ?s (<http://e/a>|^<http://e/b>)/<http://e/c>? ?o }",
            "DESCRIBE <http://e/x> ?s { ?s ?p ?o MINUS { ?s <http://e/p> ?x } }",
            "SELECT * { GRAPH ?g { ?s ?p ?o FILTER NOT EXISTS { ?s ?p ?g } { SELECT ?s { ?s ?g ?o } LIMIT 1 } } }",
            "SELECT * { ?r <http://www.w3.org/1999/02/22-rdf-syntax-ns#reifies> <<( ?s ?p <<( ?s ?q ?p )>> )>> }",
            "SELECT * { ?s ?p ?o LATERAL { SELECT * { ?o ?q ?x } LIMIT 1 } }",
        ] {
            match parse(text, &session(), None).unwrap() {
                Statement::Query(query) => assert_eq!(validate(&query), Ok(()), "{text}"),
                Statement::Update(_) => panic!("{text}"),
            }
        }
    }

    #[test]
    fn mistakes_are_placed() {
        for (text, line, column, expected) in [
            ("SELECT * {\n  ?s ?p\n}", 3, 1, "unexpected '}'; expected one of"),
            ("SELECT ?x WHERE { ?x a :T }", 1, 24, "unexpected ':T'"),
            ("SELECT * { ?s ?p ?o FILTER(?o >) }", 1, 32, "a variable"),
            ("SELECT * { ?s ?p ?o } LIMIT x", 1, 29, "unexpected 'x'; expected a number"),
            ("SELEC * { ?s ?p ?o }", 1, 1, "expected one of SELECT, ASK"),
            ("SELECT * { ?s ?p ?o # no\n OPTIONA { ?s ?p ?x } }", 2, 2, "unexpected 'OPTIONA'"),
            ("SELECT * { ?s ?p ?o", 1, 20, "the end of the text; expected one of '}'"),
            ("SELECT (1 AS ?x) { ?x ?p ?o }", 1, 30, "overrides an existing variable"),
            ("INSERT DATA { ?s ?p ?o }", 1, 25, "Variables are not allowed"),
            ("INSERT DATA { <e:s> <e:p> <e:o> ", 1, 32, "'}'"),
            ("", 1, 1, "the end of the text"),
            ("SELECT * { BIND(<<( 'x' <e:p> 1 )>> AS ?t) }", 1, 21, "subject of a triple term"),
            ("SELECT * { FILTER (?x<?a&&?b>?y) }", 1, 32, "unexpected"),
            ("SELECT (SUM(COUNT(*)) AS ?x) {}", 1, 1, "aggregate"),
        ] {
            let error = parse(text, &session(), None).unwrap_err();
            assert!(error.message.contains(expected), "{text}: {error}");
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
        }
    }
}
