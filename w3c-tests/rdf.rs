//! The RDF syntax suites: what must parse, what must not, and what it must say.

use oxrdf::dataset::CanonicalizationAlgorithm;
use oxrdf::{Dataset, GraphName};
use oxrdfio::{RdfFormat, RdfSerializer};

use crate::compare::same_dataset;
use crate::files::{Suites, format_of};
use crate::manifest::Case;

fn dataset(suites: &Suites, iri: &str) -> Result<Dataset, String> {
    Ok(suites.quads(iri, GraphName::DefaultGraph)?.into_iter().collect())
}

pub fn parses(suites: &Suites, case: &Case) -> Result<(), String> {
    dataset(suites, &case.action).map(drop)
}

pub fn evaluates(suites: &Suites, case: &Case) -> Result<(), String> {
    let result = case.results.first().ok_or("the test has no result")?;
    same_dataset(dataset(suites, &case.action)?, dataset(suites, result)?)
}

/// The canonical form is byte for byte that of the result, but for blank node labels.
pub fn is_canonical(suites: &Suites, case: &Case) -> Result<(), String> {
    let result = case.results.first().ok_or("the test has no result")?;
    let format = format_of(&case.action)?;
    let mut lines = canonical_lines(dataset(suites, &case.action)?, format)?;
    let has_blank_nodes = lines.iter().any(|line| line.contains("_:"));
    let mut expected: Vec<String> = suites.text(result)?.lines().map(str::to_owned).collect();
    if has_blank_nodes {
        expected = canonical_lines(dataset(suites, result)?, format)?;
    }
    lines.sort_unstable();
    expected.sort_unstable();
    if lines == expected { Ok(()) } else { Err(format!("written {lines:?}\nexpected {expected:?}")) }
}

fn canonical_lines(mut dataset: Dataset, format: RdfFormat) -> Result<Vec<String>, String> {
    dataset.canonicalize(CanonicalizationAlgorithm::Unstable);
    let mut serializer = RdfSerializer::from_format(format).for_writer(Vec::new());
    for quad in &dataset {
        serializer.serialize_quad(quad).map_err(|error| error.to_string())?;
    }
    let bytes = serializer.finish().map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}
