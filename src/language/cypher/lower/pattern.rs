//! MATCH: nodes and relationships as scans of quads and edges.

use std::collections::BTreeSet;

use super::expression::has_subquery;
use super::label::{conjuncts, label_condition, move_labels};
use super::quantified::Pending;
use super::{Binding, Lowerer, Rows, Scope, join, not, rdf_type};
use crate::language::cypher::ast::{
    Direction, Expr, ExprKind, LabelExpression, Link, NodePattern, Pattern, RelationshipPattern, Search,
};
use crate::language::cypher::kind::Kind;
use crate::model::{NamedNode, Term, pg, rdf};
use crate::plan::{
    ApplyKind, EdgeScan, Expression, Function, LogicalPlan, Path, PathExpression, PathMode, QuadScan, Slot,
    Variable, VariableSet,
};

/// A lowered pattern: what it scans, and what must hold of the rows.
pub(super) struct Lowered<'p> {
    pub(super) plan: LogicalPlan,
    /// Quantified patterns, in order: each wants rows that bind where it starts.
    pub(super) repeats: Vec<Pending>,
    /// The relationships of which none may appear twice in a row, where quantified patterns bind some.
    distinct: Vec<Variable>,
    /// Where the nodes of a path are looked up that nothing else leads to: one of its properties.
    starts: Vec<Asked<'p>>,
    properties: Vec<Asked<'p>>,
    /// Label expressions that no scan can say, and WHERE inside the pattern.
    conditions: Vec<Expression>,
    filters: Vec<&'p Expr>,
    /// Paths and lists to be named once all is bound.
    pub(super) extends: Vec<(Variable, Expression)>,
    /// Names bound before the pattern that it uses.
    shared: Vec<String>,
    /// The names after the pattern.
    pub(super) scope: Scope,
}

/// A property that a pattern asks for: of what, its key and its value.
pub(super) type Asked<'p> = (Binding, &'p str, &'p Expr);

/// A relationship of the clause, for uniqueness.
struct Edge<'p> {
    variable: Option<Variable>,
    types: BTreeSet<&'p str>,
}

impl Lowerer<'_> {
    pub(super) fn match_clause(
        &mut self,
        optional: bool,
        patterns: &[Pattern],
        filter: Option<&Expr>,
        rows: &mut Rows,
    ) {
        let mut patterns = patterns.to_vec();
        let filter = filter.and_then(|filter| move_labels(filter, &mut patterns));
        let (patterns, filter) = (patterns.as_slice(), filter.as_ref());
        if optional {
            return self.optional_match(patterns, filter, rows);
        }
        let lowered = self.patterns(patterns, &rows.scope);
        self.require_defined(&lowered.shared, rows);
        if self.has_written && !rows.plan.is_unit() {
            let mut inside = self.argument(rows);
            self.apply_pattern(lowered, &mut inside);
            self.apply(rows, inside.plan, ApplyKind::Inner);
            rows.scope = inside.scope;
        } else {
            self.apply_pattern(lowered, rows);
        }
        if let Some(filter) = filter {
            self.where_clause(filter, rows);
        }
    }

    fn optional_match(&mut self, patterns: &[Pattern], filter: Option<&Expr>, rows: &mut Rows) {
        let before = rows.scope.clone();
        let lowered = self.patterns(patterns, &before);
        let is_simple = !self.has_written
            && lowered.repeats.is_empty()
            && lowered.shared.iter().all(|name| before.get(name).is_some_and(|b| !b.is_nullable));
        let mut inside = Rows::new(LogicalPlan::unit(), Scope::new());
        if is_simple {
            inside.scope = before.clone();
            self.apply_pattern(lowered, &mut inside);
            let outer: VariableSet = rows.visible().into_iter().collect();
            let bound = inside.plan.variables();
            // Properties may be fetched only of what the pattern itself binds.
            inside
                .scope
                .retain(|_, binding| bound.contains(&binding.variable) || outer.contains(&binding.variable));
            let mut probe = inside.clone();
            probe.scope.iter_mut().for_each(|(_, binding)| {
                binding.is_nullable |= !bound.contains(&binding.variable);
            });
            if let Some(filter) = filter {
                self.where_clause(filter, &mut probe);
            }
            let bound = probe.plan.variables();
            let is_closed = probe.plan.mentioned().iter().all(|v| bound.contains(&v) || !outer.contains(&v));
            if is_closed {
                let right = Box::new(probe.plan);
                rows.wrap(|left| LogicalPlan::LeftJoin { left, right, condition: None });
                rows.is_ordered = false;
                self.add_optional(probe.scope, &before, rows);
                return;
            }
        }
        let lowered = self.patterns(patterns, &before);
        inside = self.argument(rows);
        self.require_defined(&lowered.shared, &mut inside);
        self.apply_pattern(lowered, &mut inside);
        if let Some(filter) = filter {
            self.where_clause(filter, &mut inside);
        }
        self.apply(rows, inside.plan, ApplyKind::Left);
        self.add_optional(inside.scope, &before, rows);
    }

    /// Takes over what an optional part bound: it may be null.
    pub(super) fn add_optional(&mut self, inside: Scope, before: &Scope, rows: &mut Rows) {
        for (name, binding) in inside {
            if !before.contains_key(&name) {
                rows.scope.insert(name, Binding { is_nullable: true, ..binding });
            }
        }
    }

    /// Joins a lowered pattern to rows and applies all that it asks of them.
    fn apply_pattern(&mut self, lowered: Lowered<'_>, rows: &mut Rows) {
        lowered.starts.into_iter().for_each(|start| self.look_up(start, rows));
        rows.join(lowered.plan);
        rows.scope = lowered.scope;
        let mut properties = lowered.properties;
        for repeat in lowered.repeats {
            properties = self.repeat(repeat, properties, rows);
        }
        properties.into_iter().for_each(|property| self.ask(property, rows));
        if !lowered.distinct.is_empty() {
            rows.wrap(|input| LogicalPlan::DistinctEdges { input, edges: lowered.distinct });
        }
        lowered.conditions.into_iter().for_each(|condition| rows.filter(condition));
        for (variable, expression) in lowered.extends {
            rows.extend(variable, expression);
        }
        lowered.filters.into_iter().for_each(|filter| self.where_clause(filter, rows));
    }

    /// Chooses where to look a path up, of the properties from the `first` on that are asked of it: the first of a node
    /// that is compared with what is known before the path is. None if a scan reads one of them, which is a start itself.
    fn choose_start(&self, first: usize, before: &Scope, lowered: &mut Lowered<'_>) {
        let asked = &lowered.properties[first..];
        let is_known = |value: &Expr| {
            let is_later = |e: &Expr| matches!(&e.kind, ExprKind::Variable(name) if before.get(name).is_none_or(|b| b.is_local));
            !value.any(&is_later) && !has_subquery(value)
        };
        let is_start = |(binding, key, value): &Asked<'_>| {
            binding.kind == Kind::Node && is_known(value) && self.is_told_by_ids(&self.iri(key))
        };
        if asked.iter().any(|(_, key, _)| self.is_read_by_scan(&self.iri(key))) {
            return;
        }
        if let Some(place) = asked.iter().position(is_start) {
            let start = lowered.properties.remove(first + place);
            lowered.starts.push(start);
        }
    }

    /// Binds the nodes that have a property to rows that say its value.
    fn look_up(&mut self, (binding, key, value): Asked<'_>, rows: &mut Rows) {
        let value = self.expression(value, rows);
        let is_constant = value.variables().is_empty();
        let list = Expression::call(Function::WithProperty(key.to_owned()), [value]);
        let unwind = |input| LogicalPlan::Unwind { input, list, variable: binding.variable };
        match is_constant {
            true => rows.join(unwind(Box::new(LogicalPlan::unit()))),
            false => rows.wrap(unwind),
        }
    }

    /// Keeps the rows in which a node or relationship has the property that a pattern asks for.
    fn ask(&mut self, (binding, key, value): Asked<'_>, rows: &mut Rows) {
        let value = self.expression(value, rows);
        let property = self.property(binding, key, rows);
        rows.filter(Expression::call(Function::CypherEqual, [property, value]));
    }

    /// Asks for the properties that constants say and of what the rows bind already; returns the others.
    pub(super) fn ask_bound<'p>(&mut self, asked: Vec<Asked<'p>>, rows: &mut Rows) -> Vec<Asked<'p>> {
        let bound = rows.plan.variables();
        let names_nothing = |value: &Expr| !value.any(&|e| matches!(e.kind, ExprKind::Variable(_)));
        let (ready, others): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(binding, _, value)| {
            bound.contains(&binding.variable) && names_nothing(value) && !has_subquery(value)
        });
        ready.into_iter().for_each(|property| self.ask(property, rows));
        others
    }

    /// Returns the plan of a pattern predicate, if it does not depend on the rows but by joining them.
    pub(super) fn uncorrelated_pattern(&mut self, pattern: &Pattern, rows: &Rows) -> Option<LogicalPlan> {
        if self.has_written {
            return None;
        }
        let lowered = self.patterns(std::slice::from_ref(pattern), &rows.scope);
        let is_joined = |name: &String| {
            rows.scope.get(name).is_some_and(|binding| !binding.is_nullable && !binding.is_local)
        };
        if !lowered.shared.iter().all(is_joined) || !lowered.repeats.is_empty() {
            return None;
        }
        let constant = |expression: &Expr| !expression.any(&|e| matches!(e.kind, ExprKind::Variable(_)));
        if !lowered.filters.is_empty() || !lowered.properties.iter().all(|(_, _, value)| constant(value)) {
            return None;
        }
        let mut inside = Rows::new(LogicalPlan::unit(), rows.scope.clone());
        self.apply_pattern(lowered, &mut inside);
        let (bound, outer) = (inside.plan.variables(), rows.visible());
        let is_closed = inside.plan.mentioned().iter().all(|v| bound.contains(&v) || !outer.contains(&v));
        is_closed.then_some(inside.plan)
    }

    /// Lowers the pattern part of a subquery onto rows that start with the outer row.
    pub(super) fn patterns_onto(&mut self, patterns: &[Pattern], rows: &mut Rows) {
        let lowered = self.patterns(patterns, &rows.scope);
        self.require_defined(&lowered.shared, rows);
        self.apply_pattern(lowered, rows);
    }

    /// Lowers the patterns of one clause.
    fn patterns<'p>(&mut self, patterns: &'p [Pattern], scope: &Scope) -> Lowered<'p> {
        let mut lowered = Lowered {
            plan: LogicalPlan::unit(),
            repeats: Vec::new(),
            distinct: Vec::new(),
            starts: Vec::new(),
            properties: Vec::new(),
            conditions: Vec::new(),
            filters: Vec::new(),
            extends: Vec::new(),
            shared: Vec::new(),
            scope: scope.clone(),
        };
        let mut edges = Vec::new();
        let all_types: Vec<BTreeSet<&str>> =
            patterns.iter().flat_map(|pattern| &pattern.steps).map(|step| types_of(&step.link)).collect();
        for pattern in patterns {
            let first = lowered.repeats.len();
            let first_property = lowered.properties.len();
            let mut parts = Vec::new();
            let start = self.node(&pattern.start, pattern.steps.is_empty(), scope, &mut lowered);
            parts.push(start.into());
            let mut from = start;
            for step in &pattern.steps {
                let to;
                let edge = match &step.link {
                    Link::Relationship(relationship) => {
                        to = self.node(&step.node, false, scope, &mut lowered);
                        let is_unique = is_alone(edges.len(), &all_types);
                        self.step(pattern, relationship, (from, to), is_unique, scope, &mut lowered)
                    }
                    Link::Quantified(quantified) => {
                        let left = std::mem::replace(&mut lowered.plan, LogicalPlan::unit());
                        to = self.node(&step.node, false, scope, &mut lowered);
                        self.quantified(quantified, (from, to), scope, left, &mut lowered)
                    }
                };
                edges.push(Edge { variable: edge, types: types_of(&step.link) });
                parts.extend(edge.map(Expression::from));
                parts.push(to.into());
                from = to;
            }
            self.name_path(pattern, parts, &mut lowered);
            lowered.close_cuts(first);
            if !pattern.names().iter().any(|name| scope.contains_key(&name.text)) {
                self.choose_start(first_property, scope, &mut lowered);
            }
        }
        let distinct = overlapping(&edges);
        if distinct.len() > 1 && !lowered.repeats.is_empty() {
            lowered.distinct = distinct;
        } else if distinct.len() > 1 {
            let input = Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit()));
            lowered.plan = LogicalPlan::DistinctEdges { input, edges: distinct };
        }
        lowered
    }

    fn name_path(&mut self, pattern: &Pattern, parts: Vec<Expression>, lowered: &mut Lowered<'_>) {
        let Some(name) = &pattern.variable else { return };
        let variable = match (pattern.search, lowered.scope.get(&name.text)) {
            // The search itself has bound it.
            (Search::Shortest | Search::AllShortest, Some(_)) => return,
            _ => self.variables.named(name.text.clone()),
        };
        lowered.extends.push((variable, Expression::call(Function::Path, parts)));
        lowered.scope.insert(name.text.clone(), Binding::new(variable, Kind::Path, false));
    }

    /// Lowers a node: its labels are scanned; if nothing else binds it, all nodes are.
    fn node<'p>(
        &mut self,
        node: &'p NodePattern,
        is_alone: bool,
        before: &Scope,
        lowered: &mut Lowered<'p>,
    ) -> Variable {
        let name = node.variable.as_ref().map(|name| name.text.as_str());
        let known = name.and_then(|name| lowered.scope.get(name).copied());
        let variable = match (known, name) {
            (Some(binding), _) => binding.variable,
            (None, Some(name)) => self.variables.named(name),
            (None, None) => self.variables.fresh(),
        };
        let binding = Binding::new(variable, Kind::Node, false);
        if let Some(name) = name {
            if before.contains_key(name) && !lowered.shared.iter().any(|shared| shared == name) {
                lowered.shared.push(name.to_owned());
            }
            let is_local = known.is_some_and(|binding| binding.is_local);
            lowered.scope.insert(name.to_owned(), Binding { is_local, ..binding });
        }
        let mut is_anchored = known.is_some() || !is_alone;
        for label in node.labels.iter().flat_map(conjuncts) {
            match label {
                LabelExpression::Label(label) => {
                    let class = self.iri(&label.text).into();
                    self.scan(variable, rdf_type(), Slot::Constant(class), lowered);
                    is_anchored = true;
                }
                other => lowered.conditions.push(label_condition(variable.into(), other)),
            }
        }
        if !is_anchored {
            let all = self.all_nodes(variable);
            lowered.plan = join(Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit())), all);
        }
        self.asked(binding, node.properties.as_ref(), lowered);
        lowered.filters.extend(&node.filter);
        variable
    }

    fn asked<'p>(&mut self, binding: Binding, properties: Option<&'p Expr>, lowered: &mut Lowered<'p>) {
        if let Some(Expr { kind: ExprKind::Map(entries), .. }) = properties {
            lowered.properties.extend(entries.iter().map(|(key, value)| (binding, key.text.as_str(), value)));
        }
    }

    fn scan(&mut self, subject: Variable, predicate: Term, object: Slot, lowered: &mut Lowered<'_>) {
        let scan = LogicalPlan::QuadScan(Box::new(QuadScan {
            subject: Slot::Variable(subject),
            predicate: Slot::Constant(predicate),
            object,
            graph: self.graph.clone(),
            per_edge: false,
        }));
        lowered.plan = join(Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit())), scan);
    }

    /// The subjects that are no reifiers, and the IRI and blank objects of relationships.
    pub(super) fn all_nodes(&mut self, node: Variable) -> LogicalPlan {
        let quads = |subject: Variable, predicate: Slot, object: Variable| {
            LogicalPlan::QuadScan(Box::new(QuadScan {
                subject: Slot::Variable(subject),
                predicate,
                object: Slot::Variable(object),
                graph: self.graph.clone(),
                per_edge: false,
            }))
        };
        let [p1, o1, p2, s2, edge, reified] = std::array::from_fn(|_| self.variables.fresh());
        let reifies: Term = pg::REIFIES.into_owned().into();
        let mut subjects = quads(node, Slot::Variable(p1), o1);
        if self.may_have_edges() {
            let reifiers = quads(node, Slot::Constant(reifies), reified);
            subjects = LogicalPlan::AntiJoin { left: Box::new(subjects), right: Box::new(reifiers) };
        }
        let objects = LogicalPlan::EdgeScan(Box::new(EdgeScan {
            subject: Slot::Variable(s2),
            predicate: Slot::Variable(p2),
            object: Slot::Variable(node),
            graph: self.graph.clone(),
            edge: Slot::Variable(edge),
            reifier: None,
            predicates: Vec::new(),
        }));
        let only = |plan| LogicalPlan::Project { input: Box::new(plan), variables: vec![node] };
        LogicalPlan::Distinct { input: Box::new(LogicalPlan::Union(vec![only(subjects), only(objects)])) }
    }

    /// Returns whether the data may hold reifiers.
    fn may_have_edges(&self) -> bool {
        let schema = &self.session.schema;
        self.may_have_changed
            || !schema.is_complete
            || schema.predicates.contains_key(&pg::REIFIES.into_owned())
    }

    /// Lowers one relationship; returns the variable of it, or of the list of them, if there is one.
    fn step<'p>(
        &mut self,
        pattern: &Pattern,
        relationship: &'p RelationshipPattern,
        (from, to): (Variable, Variable),
        is_unique: bool,
        before: &Scope,
        lowered: &mut Lowered<'p>,
    ) -> Option<Variable> {
        lowered.filters.extend(&relationship.filter);
        if relationship.length.is_some() || pattern.search != Search::All {
            return self.variable_length(pattern, relationship, (from, to), before, lowered);
        }
        let is_needed = relationship.variable.is_some()
            || relationship.properties.is_some()
            || pattern.variable.is_some();
        if let [name] = relationship.types.as_slice() {
            let predicate = self.iri(&name.text);
            let is_directed = matches!(relationship.direction, Direction::Left | Direction::Right);
            let is_plain = !self.may_have_changed && self.session.schema.is_plain_relationship(&predicate);
            if is_plain && !is_needed && is_unique && is_directed {
                let (subject, object) = ends(relationship.direction, from, to);
                self.scan(subject, predicate.into(), Slot::Variable(object), lowered);
                return None;
            }
        }
        let reifier = (!self.may_have_changed).then(|| self.variables.fresh());
        let edge = self.edge_variable(relationship, Kind::Relationship, reifier, before, lowered);
        let scan = |this: &mut Self, subject, object| {
            let predicates: Vec<NamedNode> =
                relationship.types.iter().map(|name| this.iri(&name.text)).collect();
            let (predicate, predicates) = match predicates.as_slice() {
                [one] => (Slot::Constant(one.clone().into()), Vec::new()),
                _ => (Slot::Variable(this.variables.fresh()), predicates),
            };
            LogicalPlan::EdgeScan(Box::new(EdgeScan {
                subject: Slot::Variable(subject),
                predicate,
                object: Slot::Variable(object),
                graph: this.graph.clone(),
                edge: Slot::Variable(edge),
                reifier,
                predicates,
            }))
        };
        let plan = match relationship.direction {
            Direction::Right => scan(self, from, to),
            Direction::Left => scan(self, to, from),
            _ if from == to => scan(self, from, to),
            _ => {
                // A loop is one relationship whichever way it is read.
                let is_loop = Expression::call(Function::SameTerm, [from.into(), to.into()]);
                let backward = Box::new(scan(self, to, from));
                let forward = scan(self, from, to);
                let variables: Vec<Variable> = [from, to, edge].into_iter().chain(reifier).collect();
                let only =
                    |plan| LogicalPlan::Project { input: Box::new(plan), variables: variables.clone() };
                let backward = LogicalPlan::Filter { input: backward, condition: not(is_loop) };
                LogicalPlan::Union(vec![only(forward), only(backward)])
            }
        };
        lowered.plan = join(Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit())), plan);
        let binding = Binding { reifier, ..Binding::new(edge, Kind::Relationship, false) };
        self.asked(binding, relationship.properties.as_ref(), lowered);
        Some(edge)
    }

    /// Returns the variable of a relationship: what its name is bound to, else a new one.
    fn edge_variable(
        &mut self,
        relationship: &RelationshipPattern,
        kind: Kind,
        reifier: Option<Variable>,
        before: &Scope,
        lowered: &mut Lowered<'_>,
    ) -> Variable {
        let Some(name) = &relationship.variable else { return self.variables.fresh() };
        let binding = match before.get(&name.text) {
            Some(known) => {
                lowered.shared.push(name.text.clone());
                Binding { is_local: known.is_local, ..Binding::new(known.variable, kind, false) }
            }
            None => {
                let variable = self.variables.named(name.text.clone());
                Binding { reifier, ..Binding::new(variable, kind, false) }
            }
        };
        lowered.scope.insert(name.text.clone(), binding);
        binding.variable
    }

    /// Lowers a relationship of variable length, or a shortest path.
    pub(super) fn variable_length(
        &mut self,
        pattern: &Pattern,
        relationship: &RelationshipPattern,
        (from, to): (Variable, Variable),
        before: &Scope,
        lowered: &mut Lowered<'_>,
    ) -> Option<Variable> {
        let depends_on_row =
            |e: &Expr| e.any(&|e| matches!(e.kind, ExprKind::Variable(_))) || has_subquery(e);
        if pattern.search == Search::All && relationship.properties.as_ref().is_some_and(depends_on_row) {
            let bound = relationship.variable.as_ref().and_then(|name| before.get(&name.text)).copied();
            let trail = self.length_per_row(relationship, (from, to), bound.is_some(), lowered);
            if let (Some(bound), Some(name)) = (bound, &relationship.variable) {
                lowered.shared.push(name.text.clone());
                let same = Expression::call(Function::CypherEqual, [trail.into(), bound.variable.into()]);
                lowered.conditions.push(same);
            }
            return Some(trail);
        }
        let predicates: Vec<NamedNode> = relationship.types.iter().map(|name| self.iri(&name.text)).collect();
        let forward = match predicates.is_empty() {
            true => PathExpression::Not(vec![rdf::TYPE.into_owned(), pg::REIFIES.into_owned()]),
            false => PathExpression::Predicates(predicates),
        };
        let backward = PathExpression::Inverse(Box::new(forward.clone()));
        let step = match relationship.direction {
            Direction::Right => forward,
            Direction::Left => backward,
            _ => PathExpression::Alternative(vec![forward, backward]),
        };
        let bound = relationship.variable.as_ref().and_then(|name| before.get(&name.text)).copied();
        let single = relationship.length.is_none();
        let edges = match (&relationship.variable, bound) {
            (Some(name), Some(_)) => {
                // Relationships bound before: the path must be of those.
                lowered.shared.push(name.text.clone());
                self.variables.fresh()
            }
            (Some(_), None) if single => self.variables.fresh(),
            _ => {
                let kind = Kind::List(Some(&Kind::Relationship));
                self.edge_variable(relationship, kind, None, before, lowered)
            }
        };
        let (min, max) = match relationship.length {
            Some(length) => (length.min.unwrap_or(1), length.max),
            None => (1, Some(1)),
        };
        if min == 0 && !lowered.plan.variables().contains(&from) && !is_bound(before, from) {
            let all = self.all_nodes(from);
            lowered.plan = join(Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit())), all);
        }
        let mode = match pattern.search {
            Search::All => PathMode::Trail,
            Search::Shortest => PathMode::Shortest,
            Search::AllShortest => PathMode::AllShortest,
        };
        let edge_properties = relationship.properties.as_ref().map(|properties| {
            if depends_on_row(properties) {
                self.refuse(properties.span, "properties of a shortest path must be constant");
            }
            let mut nothing = Rows::new(LogicalPlan::unit(), Scope::new());
            self.expression(properties, &mut nothing)
        });
        let path = LogicalPlan::Path(Box::new(Path {
            subject: Slot::Variable(from),
            object: Slot::Variable(to),
            graph: self.graph.clone(),
            step,
            min,
            max,
            mode,
            edges: Some(edges),
            path: None,
            edge_properties,
        }));
        lowered.plan = join(Box::new(std::mem::replace(&mut lowered.plan, LogicalPlan::unit())), path);
        // A shortest path without a length is of one relationship, and that is what its name means.
        let named = match single {
            true => Expression::call(Function::Head, [edges.into()]),
            false => edges.into(),
        };
        match (&relationship.variable, bound) {
            (_, Some(bound)) => {
                let same = Expression::call(Function::CypherEqual, [named, bound.variable.into()]);
                lowered.conditions.push(same);
            }
            (Some(name), None) if single => {
                let variable = self.variables.named(name.text.clone());
                lowered.extends.push((variable, named));
                let binding = Binding::new(variable, Kind::Relationship, false);
                lowered.scope.insert(name.text.clone(), binding);
            }
            _ => {}
        }
        Some(edges)
    }
}

fn is_bound(before: &Scope, variable: Variable) -> bool {
    before.values().any(|binding| binding.variable == variable)
}

fn ends(direction: Direction, from: Variable, to: Variable) -> (Variable, Variable) {
    match direction {
        Direction::Left => (to, from),
        _ => (from, to),
    }
}

/// Returns the types that a link may be of; none if it may be of any.
fn types_of(link: &Link) -> BTreeSet<&str> {
    let own = |relationship: &RelationshipPattern| !relationship.types.is_empty();
    let inner: Vec<&RelationshipPattern> = match link {
        Link::Relationship(relationship) => vec![relationship],
        Link::Quantified(quantified) => quantified.pattern.relationships().collect(),
    };
    match inner.iter().all(|relationship| own(relationship)) {
        true => inner.into_iter().flat_map(|r| &r.types).map(|name| name.text.as_str()).collect(),
        false => BTreeSet::new(),
    }
}

fn overlap(a: &BTreeSet<&str>, b: &BTreeSet<&str>) -> bool {
    a.is_empty() || b.is_empty() || !a.is_disjoint(b)
}

/// Returns whether no other relationship of the clause can be the same as this one.
fn is_alone(index: usize, all: &[BTreeSet<&str>]) -> bool {
    all.iter().enumerate().all(|(other, types)| other == index || !overlap(types, &all[index]))
}

/// Returns the relationships that may be the same as another: the others are distinct by their types.
fn overlapping(edges: &[Edge<'_>]) -> Vec<Variable> {
    let shares = |(index, edge): &(usize, &Edge<'_>)| {
        edges.iter().enumerate().any(|(other, e)| other != *index && overlap(&e.types, &edge.types))
    };
    edges.iter().enumerate().filter(shares).filter_map(|(_, edge)| edge.variable).collect()
}
