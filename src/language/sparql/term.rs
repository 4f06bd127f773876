//! Terms: what stands in scans, in constants and in templates.

use spargebra::term::{
    GraphNamePattern, GroundQuadPattern, GroundTerm, GroundTermPattern, GroundTriple, NamedNodePattern,
    QuadPattern, TermPattern, TriplePattern,
};

use super::scope::Lowering;
use crate::model::{NamedOrBlankNode, Term, Triple, Value};
use crate::plan::{Expression, GraphSelector, GraphTemplate, QuadTemplate, Slot, TermTemplate, Variable};

impl Lowering {
    /// Returns the slot of a term without variables inside, or `None` for a triple term with some.
    pub fn slot(&mut self, pattern: &TermPattern) -> Option<Slot> {
        Some(match pattern {
            TermPattern::Variable(variable) => Slot::Variable(self.named(variable.as_str())),
            TermPattern::BlankNode(node) => Slot::Variable(self.blank_node(node)),
            TermPattern::NamedNode(node) => Slot::Constant(node.clone().into()),
            TermPattern::Literal(literal) => Slot::Constant(literal.clone().into()),
            TermPattern::Triple(triple) => {
                Slot::Constant(Triple::try_from((**triple).clone()).ok().filter(is_ground)?.into())
            }
        })
    }

    pub fn predicate_slot(&mut self, pattern: &NamedNodePattern) -> Slot {
        match pattern {
            NamedNodePattern::NamedNode(node) => Slot::Constant(node.clone().into()),
            NamedNodePattern::Variable(variable) => Slot::Variable(self.named(variable.as_str())),
        }
    }

    pub fn triple_template(&mut self, triple: &TriplePattern) -> QuadTemplate {
        QuadTemplate {
            subject: self.term_template(&triple.subject),
            predicate: self.predicate_template(&triple.predicate),
            object: self.term_template(&triple.object),
            graph: GraphTemplate::Default,
        }
    }

    pub fn quad_template(&mut self, quad: &QuadPattern, default: &GraphTemplate) -> QuadTemplate {
        QuadTemplate {
            subject: self.term_template(&quad.subject),
            predicate: self.predicate_template(&quad.predicate),
            object: self.term_template(&quad.object),
            graph: self.graph_template(&quad.graph_name, default),
        }
    }

    pub fn ground_quad_template(
        &mut self,
        quad: &GroundQuadPattern,
        default: &GraphTemplate,
    ) -> QuadTemplate {
        QuadTemplate {
            subject: self.ground_term_template(&quad.subject),
            predicate: self.predicate_template(&quad.predicate),
            object: self.ground_term_template(&quad.object),
            graph: self.graph_template(&quad.graph_name, default),
        }
    }

    fn term_template(&mut self, pattern: &TermPattern) -> TermTemplate {
        match pattern {
            TermPattern::Variable(variable) => TermTemplate::Variable(self.named(variable.as_str())),
            TermPattern::BlankNode(node) => TermTemplate::BlankNode(node.as_str().to_owned()),
            TermPattern::NamedNode(node) => TermTemplate::Constant(node.clone().into()),
            TermPattern::Literal(literal) => TermTemplate::Constant(literal.clone().into()),
            TermPattern::Triple(triple) => TermTemplate::Triple(Box::new([
                self.term_template(&triple.subject),
                self.predicate_template(&triple.predicate),
                self.term_template(&triple.object),
            ])),
        }
    }

    fn ground_term_template(&mut self, pattern: &GroundTermPattern) -> TermTemplate {
        match pattern {
            GroundTermPattern::Variable(variable) => TermTemplate::Variable(self.named(variable.as_str())),
            GroundTermPattern::NamedNode(node) => TermTemplate::Constant(node.clone().into()),
            GroundTermPattern::Literal(literal) => TermTemplate::Constant(literal.clone().into()),
            GroundTermPattern::Triple(triple) => TermTemplate::Triple(Box::new([
                self.ground_term_template(&triple.subject),
                self.predicate_template(&triple.predicate),
                self.ground_term_template(&triple.object),
            ])),
        }
    }

    fn predicate_template(&mut self, pattern: &NamedNodePattern) -> TermTemplate {
        match pattern {
            NamedNodePattern::NamedNode(node) => TermTemplate::Constant(node.clone().into()),
            NamedNodePattern::Variable(variable) => TermTemplate::Variable(self.named(variable.as_str())),
        }
    }

    fn graph_template(&mut self, name: &GraphNamePattern, default: &GraphTemplate) -> GraphTemplate {
        match name {
            GraphNamePattern::DefaultGraph => default.clone(),
            GraphNamePattern::NamedNode(node) => GraphTemplate::Named(node.clone()),
            GraphNamePattern::Variable(variable) => GraphTemplate::Variable(self.named(variable.as_str())),
        }
    }
}

/// Returns where a session's unnamed graph is written.
pub fn default_graph_template(graph: &GraphSelector) -> GraphTemplate {
    match graph {
        GraphSelector::Named(name) => GraphTemplate::Named(name.clone()),
        _ => GraphTemplate::Default,
    }
}

/// Returns whether no blank node, which a pattern reads as a variable, is inside.
fn is_ground(triple: &Triple) -> bool {
    matches!(triple.subject, NamedOrBlankNode::NamedNode(_))
        && match &triple.object {
            Term::BlankNode(_) => false,
            Term::Triple(inner) => is_ground(inner),
            Term::NamedNode(_) | Term::Literal(_) => true,
        }
}

pub fn ground_term(term: &GroundTerm) -> Term {
    match term {
        GroundTerm::NamedNode(node) => node.clone().into(),
        GroundTerm::Literal(literal) => literal.clone().into(),
        GroundTerm::Triple(triple) => ground_triple(triple).into(),
    }
}

pub fn ground_triple(triple: &GroundTriple) -> Triple {
    Triple::new(triple.subject.clone(), triple.predicate.clone(), ground_term(&triple.object))
}

pub fn constant(term: impl Into<Term>) -> Expression {
    Expression::Constant(Value::Term(term.into()))
}

/// Makes the test that two things are one term.
pub fn same_term(variable: Variable, other: Expression) -> Expression {
    Expression::call(crate::plan::Function::SameTerm, [Expression::Variable(variable), other])
}
