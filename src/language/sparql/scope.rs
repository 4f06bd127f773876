//! The state of lowering: which variable a name is here, and which graph patterns read here.

use std::collections::HashMap;

use spargebra::algebra::QueryDataset;

use crate::model::NamedNode;
use crate::plan::{Column, GraphSelector, LogicalPlan, QuadScan, Session, Slot, Variable, Variables};

pub struct Lowering {
    pub variables: Variables,
    /// The base IRI in force at the end of the prologue, for IRI().
    pub base: Option<String>,
    /// What patterns read here.
    pub graph: GraphSelector,
    /// What GRAPH may name; any graph, if `None`.
    pub named_graphs: Option<Vec<NamedNode>>,
    /// What the grammar lets pass and the language does not.
    pub mistake: Option<String>,
    /// Names in force; blank nodes as `_:label`.
    names: HashMap<String, Variable>,
}

impl Lowering {
    pub fn new(session: &Session, base: Option<String>) -> Lowering {
        Lowering {
            variables: Variables::default(),
            base,
            graph: session.default_graph.clone(),
            named_graphs: session.named_graphs.clone(),
            mistake: None,
            names: HashMap::new(),
        }
    }

    /// Takes the dataset that FROM or USING clauses describe, if there are any.
    pub fn set_dataset(&mut self, dataset: Option<&QueryDataset>) {
        let Some(dataset) = dataset else { return };
        let mut default = dataset.default.clone();
        default.sort();
        default.dedup();
        self.graph = match default.as_slice() {
            [one] => GraphSelector::Named(one.clone()),
            _ => GraphSelector::Merge(default),
        };
        if let Some(named) = &dataset.named {
            let mut named = named.clone();
            named.sort();
            named.dedup();
            self.named_graphs = Some(named);
        }
    }

    /// Returns the variable of a name in this scope.
    pub fn named(&mut self, name: &str) -> Variable {
        if let Some(variable) = self.names.get(name) {
            return *variable;
        }
        let variable =
            if name.starts_with("_:") { self.variables.fresh() } else { self.variables.named(name) };
        self.names.insert(name.to_owned(), variable);
        variable
    }

    pub fn blank_node(&mut self, node: &spargebra::term::BlankNode) -> Variable {
        self.named(&format!("_:{}", node.as_str()))
    }

    pub fn column(&self, variable: Variable) -> Column {
        let name = self.variables.name(variable).unwrap_or_default().to_owned();
        Column { name, variable }
    }

    /// Lowers something in a scope of its own, of which only `visible` names are those outside.
    pub fn in_scope<T>(&mut self, visible: &[Variable], f: impl FnOnce(&mut Lowering) -> T) -> T {
        let inner = self.names.iter().filter(|(_, variable)| visible.contains(variable));
        let inner = inner.map(|(name, variable)| (name.clone(), *variable)).collect();
        let outer = std::mem::replace(&mut self.names, inner);
        let result = f(self);
        self.names = outer;
        result
    }

    /// Lowers something in which a name is another variable.
    pub fn renamed<T>(&mut self, name: &str, variable: Variable, f: impl FnOnce(&mut Lowering) -> T) -> T {
        let outer = self.names.insert(name.to_owned(), variable);
        let result = f(self);
        match outer {
            Some(outer) => self.names.insert(name.to_owned(), outer),
            None => self.names.remove(name),
        };
        result
    }

    /// Lowers something that reads another graph.
    pub fn in_graph<T>(&mut self, graph: GraphSelector, f: impl FnOnce(&mut Lowering) -> T) -> T {
        let outer = std::mem::replace(&mut self.graph, graph);
        let result = f(self);
        self.graph = outer;
        result
    }

    /// Returns the graph that `GRAPH <name>` reads: an empty one if the dataset does not have it.
    pub fn named_graph(&self, name: &NamedNode) -> GraphSelector {
        match &self.named_graphs {
            Some(named) if !named.contains(name) => GraphSelector::Merge(Vec::new()),
            _ => GraphSelector::Named(name.clone()),
        }
    }

    /// Returns a plan of the graphs that a selector ranges over: their names, if it binds them,
    /// else one row if there is such a graph.
    pub fn graphs(&mut self, graph: &GraphSelector) -> LogicalPlan {
        let scan = LogicalPlan::QuadScan(Box::new(QuadScan {
            subject: Slot::Variable(self.variables.fresh()),
            predicate: Slot::Variable(self.variables.fresh()),
            object: Slot::Variable(self.variables.fresh()),
            graph: graph.clone(),
            per_edge: false,
        }));
        let variables = graph.variable().into_iter().collect();
        LogicalPlan::Distinct { input: Box::new(LogicalPlan::Project { input: Box::new(scan), variables }) }
    }
}
