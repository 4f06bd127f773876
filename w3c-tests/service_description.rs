//! Service description: the suite names its three tests and leaves to the runner what they check.

use oxrdf::vocab::rdf;
use oxrdf::{Dataset, NamedNodeRef, NamedOrBlankNodeRef, TermRef};

use crate::exchange::HOST;
use crate::server::{graph, start};

const SD: &str = "http://www.w3.org/ns/sparql-service-description#";

/// The properties of the vocabulary: the class of what has one, and of what it leads to.
///
/// # Source
/// SPARQL 1.1 Service Description, 3.4.
const PROPERTIES: &[(&str, &str, &str)] = &[
    ("endpoint", "Service", ""),
    ("feature", "Service", "Feature"),
    ("defaultEntailmentRegime", "Service", "EntailmentRegime"),
    ("entailmentRegime", "NamedGraph", "EntailmentRegime"),
    ("defaultSupportedEntailmentProfile", "Service", "EntailmentProfile"),
    ("supportedEntailmentProfile", "NamedGraph", "EntailmentProfile"),
    ("extensionFunction", "Service", "Function"),
    ("extensionAggregate", "Service", "Aggregate"),
    ("languageExtension", "Service", "Feature"),
    ("supportedLanguage", "Service", "Language"),
    ("propertyFeature", "Service", "Feature"),
    ("defaultDataset", "Service", "Dataset"),
    ("availableGraphs", "Service", "GraphCollection"),
    ("resultFormat", "Service", ""),
    ("inputFormat", "Service", ""),
    ("defaultGraph", "Dataset", "Graph"),
    ("namedGraph", "GraphCollection", "NamedGraph"),
    ("name", "NamedGraph", ""),
    ("graph", "NamedGraph", "Graph"),
];

/// The classes whose instances the vocabulary itself names, and those instances.
const INSTANCES: &[(&str, &[&str])] = &[
    ("Language", &["SPARQL10Query", "SPARQL11Query", "SPARQL11Update"]),
    (
        "Feature",
        &["DereferencesURIs", "UnionDefaultGraph", "RequiresDataset", "EmptyGraphs", "BasicFederatedQuery"],
    ),
];

pub fn check(iri: &str) -> Result<(), String> {
    let served = start(Vec::new())?;
    for accept in
        ["*/*", "text/turtle", "application/rdf+xml", "application/n-triples", "application/ld+json"]
    {
        let reply = served.send("GET", "/sparql", &[("Host", HOST), ("Accept", accept)], "");
        if reply.status != 200 {
            return Err(format!("{accept}: the status is {}", reply.status));
        }
        let media_type = reply.header("content-type").split(';').next().unwrap_or_default().to_owned();
        let graph = graph(&reply.bytes, &media_type).map_err(|error| format!("{accept}: {error}"))?;
        match iri.rsplit('#').next() {
            Some("returns-rdf") if graph.is_empty() => Err("there is no triple".to_owned()),
            Some("returns-rdf") => Ok(()),
            Some("has-endpoint-triple") => has_endpoint(&graph),
            Some("conforms-to-schema") => conforms(&graph),
            _ => Err("the runner does not know this test".to_owned()),
        }
        .map_err(|error| format!("{accept}: {error}"))?;
    }
    Ok(())
}

fn has_endpoint(graph: &Dataset) -> Result<(), String> {
    let endpoint = format!("http://{HOST}/sparql");
    let found = graph.iter().any(|quad| {
        quad.predicate.as_str() == format!("{SD}endpoint")
            && matches!(quad.object, TermRef::NamedNode(node) if node.as_str() == endpoint)
    });
    if found { Ok(()) } else { Err(format!("no sd:endpoint is <{endpoint}>")) }
}

/// There is a service with one endpoint, and every term of the vocabulary stands where it may.
fn conforms(graph: &Dataset) -> Result<(), String> {
    let services = instances(graph, "Service");
    let [service] = services.as_slice() else { return Err("there is not one sd:Service".to_owned()) };
    let endpoint = format!("{SD}endpoint");
    let of_service = graph.quads_for_subject(*service);
    if of_service.filter(|quad| quad.predicate.as_str() == endpoint).count() != 1 {
        return Err("the service has not one sd:endpoint".to_owned());
    }
    for quad in graph {
        let Some(name) = quad.predicate.as_str().strip_prefix(SD) else { continue };
        let property = PROPERTIES.iter().find(|(known, ..)| *known == name);
        let (_, domain, range) = property.ok_or_else(|| format!("there is no sd:{name}"))?;
        if !is_a(graph, quad.subject.into(), domain) {
            return Err(format!("sd:{name}: {} is no sd:{domain}", quad.subject));
        }
        if quad.object.is_literal() || !range.is_empty() && !is_a(graph, quad.object, range) {
            return Err(format!("sd:{name}: {} is no sd:{range}", quad.object));
        }
    }
    Ok(())
}

fn instances<'a>(graph: &'a Dataset, class: &str) -> Vec<NamedOrBlankNodeRef<'a>> {
    let class = format!("{SD}{class}");
    let class = NamedNodeRef::new_unchecked(&class);
    let quads = graph.iter().filter(|quad| quad.predicate == rdf::TYPE && quad.object == class.into());
    quads.map(|quad| quad.subject).collect()
}

/// Whether a term is of a class: it says so, the vocabulary does, or a subclass of it does.
fn is_a(graph: &Dataset, term: TermRef<'_>, class: &str) -> bool {
    let subclasses: &[&str] = match class {
        "GraphCollection" => &["GraphCollection", "Dataset"],
        "Graph" => &["Graph", "Dataset"],
        _ => &[],
    };
    let says_so =
        |class: &str| instances(graph, class).into_iter().any(|subject| TermRef::from(subject) == term);
    let known =
        INSTANCES.iter().find(|(known, _)| *known == class).map_or(&[] as &[&str], |(_, names)| names);
    let is_known = matches!(term, TermRef::NamedNode(node)
        if node.as_str().strip_prefix(SD).is_some_and(|name| known.contains(&name)));
    is_known || says_so(class) || subclasses.iter().any(|class| says_so(class))
}
