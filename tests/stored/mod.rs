//! A workspace as users have one: an engine over a store, asked through requests.
//!
//! What it is filled with lies half in the base run and half in commits over it, and the base also
//! holds quads that a later commit removed; so every scan merges, and every fact about the data is
//! one that changed.

// Each runner that includes this module uses a part of it.
#![allow(dead_code)]

use std::collections::HashSet;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use reefloom::dataset::Dataset;
use reefloom::engine::{
    CommitId, Engine, EngineError, Hosted, Language, Request, Response, WorkspaceSettings,
};
use reefloom::workspace::Transaction;

/// A clock for commits whose time nobody asks for.
const TIME_MS: i64 = 1_767_225_600_000;

pub struct Stored {
    engine: Engine,
    hosted: Arc<Hosted>,
}

impl Stored {
    /// Makes a workspace that holds just these quads. Its blank nodes have other labels.
    pub fn new(quads: &[Quad]) -> Result<Stored, String> {
        Stored::with(WorkspaceSettings::default(), quads)
    }

    /// As [`Stored::new`], under other settings.
    pub fn with(settings: WorkspaceSettings, quads: &[Quad]) -> Result<Stored, String> {
        let engine = Engine::in_memory();
        let hosted = engine.create_workspace("test", settings, TIME_MS);
        let stored = Stored { engine, hosted: hosted.map_err(|error| error.to_string())? };
        let (mut base, later) = halves(quads);
        let removed: Vec<Quad> = match later.len() % 2 {
            0 => later.iter().filter_map(other_value).collect(),
            _ => later.iter().filter_map(other_subject).collect(),
        };
        base.extend(removed.iter().cloned());
        stored.load(base, TIME_MS)?;
        stored.load(later, TIME_MS + 1)?;
        if !removed.is_empty() {
            let mut request = Request::new(Language::SparqlUpdate, delete_data(&removed), TIME_MS + 2);
            request.may_write = true;
            stored.run(&request).map_err(|error| format!("removing fails: {error}"))?;
        }
        Ok(stored)
    }

    fn load(&self, quads: Vec<Quad>, time_ms: i64) -> Result<(), String> {
        let batches = [Ok::<_, Infallible>(quads)];
        let loaded = self.hosted.workspace().load("main", batches, "load", time_ms);
        loaded.map(drop).map_err(|error| format!("loading fails: {error}"))
    }

    pub fn run(&self, request: &Request) -> Result<Response, EngineError> {
        self.engine.run(request)
    }

    /// Returns where the branch is.
    pub fn head(&self) -> Result<CommitId, String> {
        self.hosted.resolve(None).map_err(|error| error.to_string())
    }

    /// Returns the data as of the branch's commit.
    pub fn snapshot(&self) -> Result<Arc<dyn Dataset>, String> {
        match self.hosted.workspace().snapshot(self.head()?) {
            Ok(snapshot) => Ok(snapshot),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Makes the data of the branch's commit a base run of its own.
    pub fn fold(&self) -> Result<(), String> {
        self.hosted.workspace().fold(self.head()?).map(drop).map_err(|error| error.to_string())
    }

    /// Begins a transaction on the branch, for what no request can say.
    pub fn begin(&self) -> Result<Transaction, String> {
        self.hosted.workspace().begin("main").map_err(|error| error.to_string())
    }
}

/// Deals quads out in turn. Those that share a blank node stay together: no two loads share one.
fn halves(quads: &[Quad]) -> (Vec<Quad>, Vec<Quad>) {
    let mut ground: Vec<Vec<Quad>> = Vec::new();
    let mut groups: Vec<(HashSet<BlankNode>, Vec<Quad>)> = Vec::new();
    for quad in quads {
        let mut nodes = blank_nodes(quad);
        if nodes.is_empty() {
            ground.push(vec![quad.clone()]);
            continue;
        }
        let mut together = vec![quad.clone()];
        groups.retain_mut(|(others, members)| {
            let is_apart = others.is_disjoint(&nodes);
            if !is_apart {
                nodes.extend(others.drain());
                together.append(members);
            }
            is_apart
        });
        groups.push((nodes, together));
    }
    let all = ground.into_iter().chain(groups.into_iter().map(|(_, members)| members));
    let (mut base, mut later) = (Vec::new(), Vec::new());
    for (index, group) in all.enumerate() {
        if index % 2 == 0 { &mut base } else { &mut later }.extend(group);
    }
    (base, later)
}

fn blank_nodes(quad: &Quad) -> HashSet<BlankNode> {
    let mut nodes = HashSet::new();
    if let GraphName::BlankNode(node) = &quad.graph_name {
        nodes.insert(node.clone());
    }
    let mut subject = &quad.subject;
    let mut object = &quad.object;
    loop {
        if let NamedOrBlankNode::BlankNode(node) = subject {
            nodes.insert(node.clone());
        }
        match object {
            Term::BlankNode(node) => {
                nodes.insert(node.clone());
                return nodes;
            }
            Term::Triple(triple) => (subject, object) = (&triple.subject, &triple.object),
            _ => return nodes,
        }
    }
}

/// Returns a quad that says something else of the same subject, if an update can name it.
fn other_value(quad: &Quad) -> Option<Quad> {
    let is_ground = quad.subject.is_named_node() && !matches!(quad.graph_name, GraphName::BlankNode(_));
    let object = Literal::new_simple_literal("removed later").into();
    is_ground.then(|| Quad { object, ..quad.clone() })
}

/// Returns a quad that says the same of another subject, if an update can name it.
fn other_subject(quad: &Quad) -> Option<Quad> {
    let subject = NamedNode::new_unchecked("urn:removed:later").into();
    let other = Quad { subject, ..quad.clone() };
    blank_nodes(&other).is_empty().then_some(other)
}

fn delete_data(quads: &[Quad]) -> String {
    let mut text = "DELETE DATA {\n".to_owned();
    for Quad { subject, predicate, object, graph_name } in quads {
        let _ = match graph_name {
            GraphName::DefaultGraph => writeln!(text, "{subject} {predicate} {object} ."),
            name => writeln!(text, "GRAPH {name} {{ {subject} {predicate} {object} }}"),
        };
    }
    text + "}"
}
