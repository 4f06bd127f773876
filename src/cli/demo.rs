//! The demo: a small maritime consortium that comes with the program.

use std::convert::Infallible;
use std::path::Path;

use super::{Failure, output};
use crate::engine::{Engine, EngineError, Language, Request, WorkspaceSettings, parse_bytes};
use crate::model::{GraphName, Vocabulary};

pub const NAME: &str = "demo";
/// The branch that proposes other sanctions than `main`.
pub const BRANCH: &str = "review";

const BASE: &str = "https://demo.reefloom.org/maritime#";
const DATA: &str = include_str!("../../demo/fleet.trig");
const REVIEW: &str = include_str!("../../demo/review.ru");

/// One question in each language; their answers name the same vessels.
pub const SPARQL: &str = "PREFIX : <https://demo.reefloom.org/maritime#> \
    SELECT ?name { ?v a :Vessel ; :sanctionedUnder ?p ; :name ?name } ORDER BY ?name";
pub const CYPHER: &str = "MATCH (v:Vessel)-[:sanctionedUnder]->(p) RETURN v.name AS name ORDER BY name";
pub const GRAPHQL: &str =
    "{ vessels(where: {sanctionedUnder: {exists: true}}, orderBy: [{name: ASC}]) { name } }";

/// Makes the demo's workspace with its two branches, unless it is there already.
pub fn fill(engine: &Engine) -> Result<(), Failure> {
    if engine.hosted(Some(NAME)).is_ok() {
        return Ok(());
    }
    let settings = WorkspaceSettings {
        vocabulary: Vocabulary { base: BASE.to_owned(), ..Vocabulary::default() },
        union_default_graph: true,
        ..WorkspaceSettings::default()
    };
    let now = output::now_ms();
    let hosted = engine.create_workspace(NAME, settings, now)?;
    let quads = parse_bytes(DATA.as_bytes(), "trig", Path::new("demo/fleet.trig"), GraphName::DefaultGraph)
        .map_err(|error| Failure::other(error.to_string()))?;
    let batches = [Ok::<_, Infallible>(quads)];
    hosted.workspace().load("main", batches, "the demo's fleet", now).map_err(EngineError::from)?;
    hosted.create_branch(BRANCH, Some("main"))?;
    let mut review = Request::new(Language::SparqlUpdate, REVIEW, now);
    review.workspace = Some(NAME.to_owned());
    review.at = Some(BRANCH.to_owned());
    review.may_write = true;
    review.message = Some("two delistings and one new listing".to_owned());
    engine.run(&review)?;
    Ok(())
}
