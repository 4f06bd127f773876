//! The figures and the schema of a view: those of what it was made from, brought up to date.
//!
//! Whatever the schema promises (an absent predicate, a functional one, plain relationships, what all ends of
//! a predicate are, what all instances of a class have) is proven against the data after the change, or given up. What it only mentions (classes, datatypes,
//! a class's predicates) grows with additions and may outlive a removal until the next fold.

mod relationships;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::change_set::Changes;
use super::overlay::Overlay;
use super::view::View;
use crate::dataset::{DatasetError, PredicateStatistics, Scan, Statistics};
use crate::model::{
    NamedNode, Permutation, Quad, QuadPattern, Term, TermId, TermKind, is_numeric_datatype, rdf, xsd,
};
use crate::plan::{PredicateInfo, Schema};

/// From how many lookups on one predicate is a scan of it cheaper?
const LOOKUPS_MAX: usize = 1000;

/// Brings figures up to date, all but the count of graphs: counts exactly, distinct counts as well as can be had for nothing.
pub fn statistics(base: &Statistics, overlay: &Overlay) -> Statistics {
    let mut statistics = base.clone();
    let (added, removed) = (overlay.added.len() as u64, overlay.removed.len() as u64);
    statistics.quads = (base.quads + added).saturating_sub(removed);
    for (predicate, delta) in &overlay.predicates {
        let figures = statistics.predicates.entry(*predicate).or_default();
        figures.quads = delta.apply(figures.quads);
        figures.distinct_subjects = (figures.distinct_subjects + delta.added).min(figures.quads);
        figures.distinct_objects = (figures.distinct_objects + delta.added).min(figures.quads);
    }
    for (predicate, delta) in &overlay.edges {
        let figures = statistics.predicates.entry(*predicate).or_default();
        figures.edges = delta.apply(figures.edges);
    }
    statistics.predicates.retain(|_, figures| *figures != PredicateStatistics::default());
    let new_ids = overlay.terms_len();
    statistics.distinct_subjects = (base.distinct_subjects + new_ids.min(added)).min(statistics.quads);
    statistics.distinct_objects = (base.distinct_objects + new_ids.min(added)).min(statistics.quads);
    statistics
}

/// A schema, and whether all that it could say was within reach.
pub struct Adjusted {
    pub schema: Schema,
    pub is_final: bool,
}

/// Returns the schema of `after`, which is `before` with these changes.
pub fn adjust(
    schema: &Schema,
    before: &View,
    after: &View,
    Changes { added, removed }: &Changes,
) -> Result<Adjusted, DatasetError> {
    let names = names(after, added.iter().chain(removed))?;
    let mut adjuster = Adjuster {
        before,
        after,
        names,
        rdf_type: after.term_id(&rdf::TYPE.into_owned().into())?,
        schema: schema.clone(),
        is_final: true,
    };
    adjuster.count(added, removed);
    adjuster.objects(added)?;
    adjuster.functional(added)?;
    adjuster.edges(added)?;
    adjuster.reified(added, removed)?;
    adjuster.classes(added, removed)?;
    adjuster.lost_properties(added, removed)?;
    adjuster.lost_classes(removed)?;
    adjuster.schema.predicates.retain(|_, info| info.quads > 0 || info.has_edges);
    adjuster.schema.classes.retain(|_, info| info.instances > 0);
    Ok(Adjusted { schema: adjuster.schema, is_final: adjuster.is_final })
}

struct Adjuster<'a> {
    before: &'a View,
    after: &'a View,
    names: HashMap<TermId, NamedNode>,
    rdf_type: Option<TermId>,
    schema: Schema,
    is_final: bool,
}

impl Adjuster<'_> {
    /// Returns the facts of a predicate; a new one's if the schema is complete, `None` if nothing is
    /// known of it.
    fn predicate(&mut self, id: TermId) -> Option<&mut PredicateInfo> {
        let name = self.names.get(&id)?;
        if self.schema.is_complete && !self.schema.predicates.contains_key(name) {
            let info = unused();
            self.schema.predicates.insert(name.clone(), info);
        }
        self.schema.predicates.get_mut(name)
    }

    fn count(&mut self, added: &[Quad], removed: &[Quad]) {
        for quad in added {
            if let Some(info) = self.predicate(quad.predicate) {
                info.quads += 1;
                info.has_loops |= quad.subject == quad.object;
            }
        }
        for quad in removed {
            if let Some(info) = self.predicate(quad.predicate) {
                info.quads = info.quads.saturating_sub(1);
            }
        }
    }

    fn objects(&mut self, added: &[Quad]) -> Result<(), DatasetError> {
        let mut datatypes: BTreeMap<TermId, BTreeSet<TermId>> = BTreeMap::new();
        for quad in added {
            let kind = quad.object.kind();
            let Some(info) = self.predicate(quad.predicate) else { continue };
            match kind {
                TermKind::NamedNode | TermKind::BlankNode => info.has_node_objects = true,
                _ => info.has_literal_objects = true,
            }
            match kind {
                TermKind::TypedLiteral => {
                    datatypes.entry(quad.predicate).or_default().insert(quad.object);
                }
                kind => {
                    if let Some(datatype) = datatype_of(kind) {
                        insert_sorted(&mut info.datatypes, datatype);
                    }
                }
            }
        }
        for (predicate, literals) in datatypes {
            let literals: Vec<TermId> = literals.into_iter().collect();
            for term in self.after.terms(&literals)? {
                if let (Term::Literal(literal), Some(info)) = (term, self.predicate(predicate)) {
                    info.has_opaque_numbers |= is_numeric_datatype(literal.datatype());
                    insert_sorted(&mut info.datatypes, literal.datatype().into_owned());
                }
            }
        }
        Ok(())
    }

    /// Takes "functional" from the predicates that no longer are.
    fn functional(&mut self, added: &[Quad]) -> Result<(), DatasetError> {
        let mut subjects: BTreeMap<TermId, BTreeSet<TermId>> = BTreeMap::new();
        for quad in added {
            subjects.entry(quad.predicate).or_default().insert(quad.subject);
        }
        for (predicate, subjects) in subjects {
            if !self.predicate(predicate).is_some_and(|info| info.is_functional) {
                continue;
            }
            let proven = self.is_functional(predicate, &subjects);
            let is_functional = self.within_reach(proven)?.unwrap_or(false);
            if let Some(info) = self.predicate(predicate) {
                info.is_functional = is_functional;
            }
        }
        Ok(())
    }

    fn is_functional(&self, predicate: TermId, subjects: &BTreeSet<TermId>) -> Result<bool, DatasetError> {
        let pattern = QuadPattern { predicate: Some(predicate), ..QuadPattern::default() };
        if subjects.len() > LOOKUPS_MAX {
            return has_one_object_each(&mut *self.after.scan(&pattern, Permutation::Pso)?);
        }
        for subject in subjects {
            let pattern = QuadPattern { subject: Some(*subject), ..pattern.clone() };
            if !has_one_object_each(&mut *self.after.scan(&pattern, Permutation::Pso)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn classes(&mut self, added: &[Quad], removed: &[Quad]) -> Result<(), DatasetError> {
        let Some(rdf_type) = self.rdf_type else { return Ok(()) };
        let nodes = added.iter().flat_map(|quad| [quad.subject, quad.object]).filter(is_node);
        let result = types(self.after, rdf_type, nodes.collect());
        let types = self.within_reach(result)?;
        let is_known = types.is_some();
        let types = types.unwrap_or_default();
        self.name(types.values().flatten().copied())?;
        self.common_classes(added, &types);
        for quad in added.iter().filter(|_| is_known) {
            for class in types.get(&quad.subject).into_iter().flatten() {
                self.note_outgoing(*class, quad.predicate);
            }
            for class in types.get(&quad.object).into_iter().flatten() {
                self.note_incoming(*class, quad.predicate);
            }
        }
        let pairs = |quads: &[Quad]| -> BTreeSet<(TermId, TermId)> {
            let typed = quads.iter().filter(|quad| quad.predicate == rdf_type);
            typed.map(|quad| (quad.subject, quad.object)).collect()
        };
        for (instance, class) in pairs(added) {
            let is_old = has_type(self.before, instance, rdf_type, class);
            if self.within_reach(is_old)? != Some(true) {
                let ends = self.within_reach(ends(self.after, instance))?;
                self.note_instance(class, ends)?;
            }
        }
        for (instance, class) in pairs(removed) {
            let is_left = has_type(self.after, instance, rdf_type, class);
            if self.within_reach(is_left)? == Some(false)
                && let Some(info) = self.names.get(&class).and_then(|name| self.schema.classes.get_mut(name))
            {
                info.instances = info.instances.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// Takes from domains and ranges what not all ends of the new quads are.
    fn common_classes(&mut self, added: &[Quad], types: &HashMap<TermId, BTreeSet<TermId>>) {
        let Adjuster { names, schema, .. } = self;
        let has = |node: &TermId, class: &NamedNode| {
            types.get(node).is_some_and(|classes| classes.iter().any(|id| names.get(id) == Some(class)))
        };
        for quad in added {
            let Some(info) = names.get(&quad.predicate).and_then(|name| schema.predicates.get_mut(name))
            else {
                continue;
            };
            info.domain.retain(|class| has(&quad.subject, class));
            info.range.retain(|class| has(&quad.object, class));
        }
    }

    /// Takes a class from domains and ranges if a node that is no longer of it is still an end there.
    fn lost_classes(&mut self, removed: &[Quad]) -> Result<(), DatasetError> {
        let Some(rdf_type) = self.rdf_type else { return Ok(()) };
        let mut lookups = 0;
        for quad in removed.iter().filter(|quad| quad.predicate == rdf_type) {
            let Some(class) = self.names.get(&quad.object).cloned() else { continue };
            let concerned =
                |info: &PredicateInfo| info.domain.contains(&class) || info.range.contains(&class);
            if !self.schema.predicates.values().any(concerned) {
                continue;
            }
            lookups += 1;
            let ends = match lookups <= LOOKUPS_MAX {
                true => self.within_reach(self.ends_without(quad, rdf_type))?,
                false => None,
            };
            let names: Option<[BTreeSet<NamedNode>; 2]> = match ends {
                Some(ends) => {
                    self.name(ends.iter().flatten().copied())?;
                    Some(ends.map(|ids| ids.iter().filter_map(|id| self.names.get(id).cloned()).collect()))
                }
                None => None,
            };
            for (name, info) in &mut self.schema.predicates {
                let is_end = |side: usize| names.as_ref().is_none_or(|names| names[side].contains(name));
                info.domain.retain(|other| *other != class || !is_end(0));
                info.range.retain(|other| *other != class || !is_end(1));
            }
        }
        Ok(())
    }

    /// Returns the predicates that lead from the subject of a class that was taken away, and those that lead to
    /// it; none if it still has that class.
    fn ends_without(&self, removed: &Quad, rdf_type: TermId) -> Result<[BTreeSet<TermId>; 2], DatasetError> {
        if has_type(self.after, removed.subject, rdf_type, removed.object)? {
            return Ok([BTreeSet::new(), BTreeSet::new()]);
        }
        ends(self.after, removed.subject)
    }

    /// Notes a new instance of a class, with what leads from it and to it, if that is known.
    fn note_instance(
        &mut self,
        class: TermId,
        ends: Option<[BTreeSet<TermId>; 2]>,
    ) -> Result<(), DatasetError> {
        let Some(name) = self.names.get(&class).cloned() else { return Ok(()) };
        let [outgoing, incoming] = ends.unwrap_or_default();
        self.name(outgoing.iter().chain(&incoming).copied())?;
        let has: BTreeSet<&NamedNode> = outgoing.iter().filter_map(|id| self.names.get(id)).collect();
        let info = self.schema.classes.entry(name).or_default();
        let is_first = self.schema.is_complete && info.instances == 0;
        info.instances += 1;
        match is_first {
            true => info.total_predicates = has.into_iter().cloned().collect(),
            false => info.total_predicates.retain(|predicate| has.contains(predicate)),
        }
        for predicate in outgoing {
            self.note_outgoing(class, predicate);
        }
        for predicate in incoming {
            self.note_incoming(class, predicate);
        }
        Ok(())
    }

    /// Takes from what all instances of a class have the predicates that one of them has no longer.
    fn lost_properties(&mut self, added: &[Quad], removed: &[Quad]) -> Result<(), DatasetError> {
        let Some(rdf_type) = self.rdf_type else { return Ok(()) };
        let lost = self.lost_pairs(added, removed);
        let nodes = lost.iter().map(|(subject, _)| *subject).collect();
        let types = self.within_reach(types(self.after, rdf_type, nodes))?;
        self.name(types.iter().flat_map(HashMap::values).flatten().copied())?;
        let mut lookups = 0;
        for (subject, predicate) in lost {
            let classes = types.as_ref().map(|types| types.get(&subject));
            if let Some(None) = classes {
                continue;
            }
            lookups += 1;
            let is_kept = match lookups <= LOOKUPS_MAX {
                true => self.within_reach(has_any(self.after, subject, predicate, None))?,
                false => None,
            };
            if is_kept == Some(true) {
                continue;
            }
            let Adjuster { names, schema, .. } = self;
            let classes: Option<BTreeSet<&NamedNode>> =
                classes.map(|ids| ids.into_iter().flatten().filter_map(|id| names.get(id)).collect());
            let is_concerned = |class: &NamedNode| classes.as_ref().is_none_or(|known| known.contains(class));
            for (_, info) in schema.classes.iter_mut().filter(|(class, _)| is_concerned(class)) {
                info.total_predicates.retain(|other| Some(other) != names.get(&predicate));
            }
        }
        Ok(())
    }

    /// Returns the removed pairs of subject and predicate that were not added again, of predicates that all instances of
    /// some class have.
    fn lost_pairs(&self, added: &[Quad], removed: &[Quad]) -> BTreeSet<(TermId, TermId)> {
        let is_total = |name: &NamedNode| {
            self.schema.classes.values().any(|info| info.total_predicates.binary_search(name).is_ok())
        };
        let mut concerned: HashMap<TermId, bool> = HashMap::new();
        let mut is_concerned =
            |id: &TermId| *concerned.entry(*id).or_insert_with(|| self.names.get(id).is_some_and(is_total));
        let pair = |quad: &Quad| (quad.subject, quad.predicate);
        let mut lost: BTreeSet<_> =
            removed.iter().filter(|quad| is_concerned(&quad.predicate)).map(pair).collect();
        if !lost.is_empty() {
            added.iter().map(pair).for_each(|pair| {
                lost.remove(&pair);
            });
        }
        lost
    }

    fn note_outgoing(&mut self, class: TermId, predicate: TermId) {
        let (Some(class), Some(predicate)) = (self.names.get(&class), self.names.get(&predicate)) else {
            return;
        };
        let info = self.schema.classes.entry(class.clone()).or_default();
        insert_sorted(&mut info.predicates, predicate.clone());
    }

    fn note_incoming(&mut self, class: TermId, predicate: TermId) {
        let (Some(class), Some(predicate)) = (self.names.get(&class), self.names.get(&predicate)) else {
            return;
        };
        let info = self.schema.classes.entry(class.clone()).or_default();
        insert_sorted(&mut info.inverse_predicates, predicate.clone());
        if let Some(info) = self.schema.predicates.get_mut(predicate) {
            insert_sorted(&mut info.object_classes, class.clone());
        }
    }

    fn name(&mut self, ids: impl Iterator<Item = TermId>) -> Result<(), DatasetError> {
        let ids: BTreeSet<TermId> =
            ids.filter(|id| id.kind() == TermKind::NamedNode && !self.names.contains_key(id)).collect();
        let ids: Vec<TermId> = ids.into_iter().collect();
        self.names.extend(named(self.after, &ids)?);
        Ok(())
    }

    /// Turns "out of reach" into `None`, and notes that something is left unsaid for it.
    fn within_reach<T>(&mut self, result: Result<T, DatasetError>) -> Result<Option<T>, DatasetError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(DatasetError::Unavailable { .. }) => {
                self.is_final = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the names of all predicates, and of what stands as an IRI object.
fn names<'a>(
    view: &View,
    quads: impl Iterator<Item = &'a Quad>,
) -> Result<HashMap<TermId, NamedNode>, DatasetError> {
    let rdf_type = view.term_id(&rdf::TYPE.into_owned().into())?;
    let mut ids = BTreeSet::new();
    for quad in quads {
        ids.insert(quad.predicate);
        if Some(quad.predicate) == rdf_type && quad.object.kind() == TermKind::NamedNode {
            ids.insert(quad.object);
        }
    }
    let ids: Vec<TermId> = ids.into_iter().collect();
    Ok(named(view, &ids)?.collect())
}

fn named(view: &View, ids: &[TermId]) -> Result<impl Iterator<Item = (TermId, NamedNode)>, DatasetError> {
    let terms = view.terms(ids)?;
    let pairs: Vec<_> = ids.iter().copied().zip(terms).collect();
    Ok(pairs.into_iter().filter_map(|(id, term)| match term {
        Term::NamedNode(name) => Some((id, name)),
        _ => None,
    }))
}

/// Returns what is known of a predicate that nothing has yet.
fn unused() -> PredicateInfo {
    PredicateInfo { is_functional: true, is_reified: true, ..PredicateInfo::default() }
}

fn is_node(id: &TermId) -> bool {
    matches!(id.kind(), TermKind::NamedNode | TermKind::BlankNode)
}

fn has_type(view: &View, instance: TermId, rdf_type: TermId, class: TermId) -> Result<bool, DatasetError> {
    has_any(view, instance, rdf_type, Some(class))
}

/// Returns whether a subject has a predicate, with an object if that is given.
fn has_any(
    view: &View,
    subject: TermId,
    predicate: TermId,
    object: Option<TermId>,
) -> Result<bool, DatasetError> {
    let pattern =
        QuadPattern { subject: Some(subject), predicate: Some(predicate), object, ..QuadPattern::default() };
    Ok(view.scan(&pattern, Permutation::Spo)?.next_batch()?.is_some())
}

/// Returns the classes of these nodes.
fn types(
    view: &View,
    rdf_type: TermId,
    nodes: HashSet<TermId>,
) -> Result<HashMap<TermId, BTreeSet<TermId>>, DatasetError> {
    let all = QuadPattern { predicate: Some(rdf_type), ..QuadPattern::default() };
    let mut types: HashMap<TermId, BTreeSet<TermId>> = HashMap::new();
    let mut note = |scan: &mut dyn Scan| -> Result<(), DatasetError> {
        while let Some(batch) = scan.next_batch()? {
            for (subject, class) in batch.column(0).iter().zip(batch.column(2)) {
                if nodes.contains(subject) {
                    types.entry(*subject).or_default().insert(*class);
                }
            }
        }
        Ok(())
    };
    if nodes.len() > LOOKUPS_MAX {
        note(&mut *view.scan(&all, Permutation::Pso)?)?;
    } else {
        for node in &nodes {
            let pattern = QuadPattern { subject: Some(*node), ..all.clone() };
            note(&mut *view.scan(&pattern, Permutation::Spo)?)?;
        }
    }
    Ok(types)
}

/// Returns whether no two rows in a row have one subject and different objects.
fn has_one_object_each(scan: &mut dyn Scan) -> Result<bool, DatasetError> {
    let mut last = None;
    while let Some(batch) = scan.next_batch()? {
        for (subject, object) in batch.column(0).iter().zip(batch.column(2)) {
            if last.is_some_and(|(s, o)| s == *subject && o != *object) {
                return Ok(false);
            }
            last = Some((*subject, *object));
        }
    }
    Ok(true)
}

/// Returns the predicates that lead from a node, and those that lead to it.
fn ends(view: &View, node: TermId) -> Result<[BTreeSet<TermId>; 2], DatasetError> {
    let from = QuadPattern { subject: Some(node), ..QuadPattern::default() };
    let to = QuadPattern { object: Some(node), ..QuadPattern::default() };
    Ok([
        predicates(&mut *view.scan(&from, Permutation::Spo)?)?,
        predicates(&mut *view.scan(&to, Permutation::Ops)?)?,
    ])
}

fn predicates(scan: &mut dyn Scan) -> Result<BTreeSet<TermId>, DatasetError> {
    let mut predicates = BTreeSet::new();
    while let Some(batch) = scan.next_batch()? {
        predicates.extend(batch.column(1));
    }
    Ok(predicates)
}

fn insert_sorted(names: &mut Vec<NamedNode>, name: NamedNode) {
    if let Err(index) = names.binary_search(&name) {
        names.insert(index, name);
    }
}

/// Returns the datatype that a kind of literal tells; `None` if only the term tells it.
fn datatype_of(kind: TermKind) -> Option<NamedNode> {
    let datatype = match kind {
        TermKind::String => xsd::STRING,
        TermKind::LangString => rdf::LANG_STRING,
        TermKind::Boolean => xsd::BOOLEAN,
        TermKind::Integer => xsd::INTEGER,
        TermKind::Decimal => xsd::DECIMAL,
        TermKind::Double => xsd::DOUBLE,
        TermKind::Date => xsd::DATE,
        TermKind::DateTime => xsd::DATE_TIME,
        TermKind::Time => xsd::TIME,
        _ => return None,
    };
    Some(datatype.into_owned())
}
