//! Manifests: their entries, in order, as cases.

use oxrdf::vocab::rdf;
use oxrdf::{Graph, NamedNode, NamedNodeRef, NamedOrBlankNode, Term};

use crate::exchange::{self, Exchange};
use crate::files::{BASE, Suites};

/// A row of the table.
pub struct Suite {
    pub name: &'static str,
    manifests: &'static [&'static str],
}

pub const SUITES: [Suite; 13] = [
    Suite { name: "SPARQL 1.0", manifests: &["sparql/sparql10/manifest.ttl"] },
    Suite { name: "SPARQL 1.1 query", manifests: &["sparql/sparql11/manifest-sparql11-query.ttl"] },
    Suite { name: "SPARQL 1.1 update", manifests: &["sparql/sparql11/manifest-sparql11-update.ttl"] },
    Suite { name: "SPARQL 1.1 results", manifests: &["sparql/sparql11/manifest-sparql11-results.ttl"] },
    Suite { name: "SPARQL 1.1 federation", manifests: &["sparql/sparql11/manifest-sparql11-fed.ttl"] },
    Suite { name: "SPARQL 1.1 protocol", manifests: &["sparql/sparql11/protocol/manifest.ttl"] },
    Suite {
        name: "SPARQL 1.1 graph store",
        manifests: &[
            "sparql/sparql11/graph-store-protocol/manifest.ttl",
            "sparql/sparql11/http-rdf-update/manifest.ttl",
        ],
    },
    Suite {
        name: "SPARQL 1.1 service description",
        manifests: &["sparql/sparql11/service-description/manifest.ttl"],
    },
    Suite { name: "SPARQL 1.1 entailment", manifests: &["sparql/sparql11/entailment/manifest.ttl"] },
    Suite { name: "SPARQL 1.2", manifests: &["sparql/sparql12/manifest.ttl"] },
    Suite {
        name: "RDF 1.1 syntax",
        manifests: &[
            "rdf/rdf11/rdf-n-triples/manifest.ttl",
            "rdf/rdf11/rdf-n-quads/manifest.ttl",
            "rdf/rdf11/rdf-turtle/manifest.ttl",
            "rdf/rdf11/rdf-trig/manifest.ttl",
            "rdf/rdf11/rdf-xml/manifest.ttl",
        ],
    },
    Suite {
        name: "RDF 1.2 syntax and c14n",
        manifests: &[
            "rdf/rdf12/rdf-n-triples/manifest.ttl",
            "rdf/rdf12/rdf-n-quads/manifest.ttl",
            "rdf/rdf12/rdf-turtle/manifest.ttl",
            "rdf/rdf12/rdf-trig/manifest.ttl",
            "rdf/rdf12/rdf-xml/manifest.ttl",
        ],
    },
    Suite {
        name: "RDF semantics",
        manifests: &["rdf/rdf11/rdf-mt/manifest.ttl", "rdf/rdf12/rdf-semantics/manifest.ttl"],
    },
];

/// An entry of a manifest.
pub struct Case {
    pub iri: String,
    /// Index into [`SUITES`].
    pub suite: usize,
    pub kind: Kind,
    /// The query, update or document under test.
    pub action: String,
    pub data: Vec<String>,
    /// (graph name, document).
    pub graphs: Vec<(String, String)>,
    /// (endpoint, document).
    pub services: Vec<(String, String)>,
    /// The document with the expected result; for updates the default graph afterwards.
    pub results: Vec<String>,
    /// For updates: the named graphs afterwards.
    pub result_graphs: Vec<(String, String)>,
    /// Whether duplicates may be fewer than the query says (REDUCED).
    pub is_lax: bool,
}

pub enum Kind {
    PositiveSyntax {
        is_update: bool,
    },
    NegativeSyntax {
        is_update: bool,
    },
    Query,
    CsvQuery,
    Update,
    RdfPositive,
    RdfNegative,
    RdfEval,
    RdfCanonical,
    /// Requests to a server, and what must come back.
    Exchanges(Result<Vec<Exchange>, String>),
    ServiceDescription,
    NotRun(&'static str),
}

const MF: &str = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#";
const QT: &str = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#";
const UT: &str = "http://www.w3.org/2009/sparql/tests/test-update#";
const LABEL: &str = "http://www.w3.org/2000/01/rdf-schema#label";

pub fn read_all(suites: &Suites) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for (index, suite) in SUITES.iter().enumerate() {
        for manifest in suite.manifests {
            read(suites, &format!("{BASE}{manifest}"), index, &mut cases)?;
        }
    }
    let mut seen = std::collections::HashSet::new();
    cases.retain(|case: &Case| seen.insert(case.iri.clone()));
    Ok(cases)
}

fn read(suites: &Suites, iri: &str, suite: usize, cases: &mut Vec<Case>) -> Result<(), String> {
    let graph = suites.graph(iri)?;
    let manifest = NamedOrBlankNode::from(NamedNode::new(iri).map_err(|error| error.to_string())?);
    let manifest =
        match graph.subject_for_predicate_object(rdf::TYPE, node(&format!("{MF}Manifest")).as_ref()) {
            Some(subject) => subject.into_owned(),
            None => manifest,
        };
    let reader = Reader { graph: &graph, suite };
    for include in reader.list(&manifest, &format!("{MF}include")) {
        if let Term::NamedNode(include) = include {
            read(suites, include.as_str(), suite, cases)?;
        }
    }
    let first = cases.len();
    for entry in reader.list(&manifest, &format!("{MF}entries")) {
        if let Some(entry) = as_subject(&entry) {
            cases.push(reader.case(&entry)?);
        }
    }
    exchange::chain(&mut cases[first..]);
    Ok(())
}

/// An entry's properties, by name.
pub struct Reader<'a> {
    graph: &'a Graph,
    suite: usize,
}

impl Reader<'_> {
    fn case(&self, entry: &NamedOrBlankNode) -> Result<Case, String> {
        let iri = match entry {
            NamedOrBlankNode::NamedNode(iri) => iri.as_str().to_owned(),
            NamedOrBlankNode::BlankNode(_) => return Err("a test without a name".to_owned()),
        };
        let types = self.iris(entry, rdf::TYPE.as_str());
        let kind = self.kind(entry, &types);
        let action = self.value(entry, &format!("{MF}action"));
        let mut case = Case {
            iri,
            suite: self.suite,
            kind,
            action: String::new(),
            data: Vec::new(),
            graphs: Vec::new(),
            services: Vec::new(),
            results: Vec::new(),
            result_graphs: Vec::new(),
            is_lax: self
                .iris(entry, &format!("{MF}resultCardinality"))
                .contains(&format!("{MF}LaxCardinality")),
        };
        match action {
            Some(Term::NamedNode(file)) => case.action = file.into_string(),
            Some(Term::BlankNode(action)) => {
                let action = NamedOrBlankNode::from(action);
                for request in [format!("{QT}query"), format!("{UT}request")] {
                    case.action = self.iris(&action, &request).pop().unwrap_or(case.action);
                }
                (case.data, case.graphs) = self.dataset(&action);
                for service in self.values(&action, &format!("{QT}serviceData")) {
                    let Some(service) = as_subject(&service) else { continue };
                    for endpoint in self.iris(&service, &format!("{QT}endpoint")) {
                        for data in self.iris(&service, &format!("{QT}data")) {
                            case.services.push((endpoint.clone(), data));
                        }
                    }
                }
            }
            _ => {}
        }
        if matches!(case.kind, Kind::Exchanges(_)) {
            (case.data, case.graphs) = self.dataset(entry);
        }
        match self.value(entry, &format!("{MF}result")) {
            Some(Term::NamedNode(file)) => case.results.push(file.into_string()),
            Some(Term::BlankNode(result)) => {
                (case.results, case.result_graphs) = self.dataset(&result.into())
            }
            _ => {}
        }
        Ok(case)
    }

    fn kind(&self, entry: &NamedOrBlankNode, types: &[String]) -> Kind {
        if SUITES[self.suite].name == "SPARQL 1.1 entailment" {
            return Kind::NotRun("entailment regimes are not implemented");
        }
        let is = |name: &str| types.iter().any(|kind| kind.rsplit('#').next() == Some(name));
        let starts = |names: &[&str]| names.iter().any(|name| is(name));
        if starts(&["PositiveSyntaxTest", "PositiveSyntaxTest11"]) {
            Kind::PositiveSyntax { is_update: false }
        } else if starts(&["NegativeSyntaxTest", "NegativeSyntaxTest11"]) {
            Kind::NegativeSyntax { is_update: false }
        } else if starts(&["PositiveUpdateSyntaxTest", "PositiveUpdateSyntaxTest11"]) {
            Kind::PositiveSyntax { is_update: true }
        } else if starts(&["NegativeUpdateSyntaxTest", "NegativeUpdateSyntaxTest11"]) {
            Kind::NegativeSyntax { is_update: true }
        } else if is("QueryEvaluationTest") {
            Kind::Query
        } else if is("CSVResultFormatTest") {
            Kind::CsvQuery
        } else if is("UpdateEvaluationTest") {
            Kind::Update
        } else if starts(&["ProtocolTest", "GraphStoreProtocolTest"]) {
            Kind::Exchanges(exchange::read(self, entry))
        } else if is("ServiceDescriptionTest") {
            Kind::ServiceDescription
        } else if starts(&["PositiveEntailmentTest", "NegativeEntailmentTest"]) {
            Kind::NotRun("entailment regimes are not implemented")
        } else if types.iter().any(|kind| kind.ends_with("PositiveC14N")) {
            Kind::RdfCanonical
        } else if types.iter().any(|kind| kind.ends_with("PositiveSyntax")) {
            Kind::RdfPositive
        } else if types.iter().any(|kind| kind.ends_with("NegativeSyntax") || kind.ends_with("NegativeEval"))
        {
            Kind::RdfNegative
        } else if types.iter().any(|kind| kind.ends_with("Eval")) {
            Kind::RdfEval
        } else {
            Kind::NotRun("the runner does not know this kind of test")
        }
    }

    /// Returns the default documents and the named ones of an action or a result.
    fn dataset(&self, node: &NamedOrBlankNode) -> (Vec<String>, Vec<(String, String)>) {
        let (mut data, mut graphs) = (Vec::new(), Vec::new());
        for vocabulary in [QT, UT] {
            data.extend(self.iris(node, &format!("{vocabulary}data")));
            for graph in self.values(node, &format!("{vocabulary}graphData")) {
                match graph {
                    Term::NamedNode(file) => graphs.push((file.as_str().to_owned(), file.into_string())),
                    Term::BlankNode(graph) => {
                        let graph = NamedOrBlankNode::from(graph);
                        let mut files = self.iris(&graph, &format!("{vocabulary}graph"));
                        files.extend(self.iris(&graph, &format!("{vocabulary}data")));
                        if let (Some(file), Some(Term::Literal(name))) =
                            (files.pop(), self.value(&graph, LABEL))
                        {
                            graphs.push((name.value().to_owned(), file));
                        }
                    }
                    _ => {}
                }
            }
        }
        (data, graphs)
    }

    pub fn value(&self, subject: &NamedOrBlankNode, predicate: &str) -> Option<Term> {
        self.values(subject, predicate).into_iter().next()
    }

    pub fn values(&self, subject: &NamedOrBlankNode, predicate: &str) -> Vec<Term> {
        let predicate = NamedNodeRef::new_unchecked(predicate);
        self.graph.objects_for_subject_predicate(subject, predicate).map(|term| term.into_owned()).collect()
    }

    pub fn iris(&self, subject: &NamedOrBlankNode, predicate: &str) -> Vec<String> {
        let iri = |term| match term {
            Term::NamedNode(iri) => Some(iri.into_string()),
            _ => None,
        };
        self.values(subject, predicate).into_iter().filter_map(iri).collect()
    }

    pub fn list(&self, subject: &NamedOrBlankNode, predicate: &str) -> Vec<Term> {
        let mut items = Vec::new();
        let mut rest = self.value(subject, predicate);
        while let Some(node) = rest.as_ref().and_then(as_subject) {
            items.extend(self.value(&node, rdf::FIRST.as_str()));
            rest = self.value(&node, rdf::REST.as_str());
        }
        items
    }
}

pub fn as_subject(term: &Term) -> Option<NamedOrBlankNode> {
    match term {
        Term::NamedNode(node) => Some(node.clone().into()),
        Term::BlankNode(node) => Some(node.clone().into()),
        _ => None,
    }
}

fn node(iri: &str) -> NamedNode {
    NamedNode::new_unchecked(iri)
}
