//! Functions that read the graph: properties, labels, types, ends of relationships, and nodes and
//! relationships made ready for results. They look up all rows of a batch together.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::column::{Arguments, Column, Depth, decode};
use super::datum::{Datum, RelationshipDatum};
use super::list;
use super::node::{Outcome, Run};
use super::{kind_name, spatial, type_error};
use crate::batch::BATCH_ROWS;
use crate::execute::{Context, ExecuteError, Local};
use crate::model::{
    GraphFilter, Map, NamedNode, NamedOrBlankNode, NodeValue, PathValue, Permutation, Quad, QuadPattern,
    RelationshipValue, Term, TermId, TermKind, Value, compare_terms, number_of_id, pg, rdf,
};
use crate::plan::GraphSelector;

/// Below this many subjects each is looked up by itself.
const SCAN_SUBJECTS_MIN: usize = 256;

/// (predicate, object) pairs of each subject.
pub(super) type Facts = FxHashMap<TermId, Vec<(TermId, TermId)>>;

/// Returns which graphs property-graph functions read.
pub fn graph_filter(context: &Context) -> Result<GraphFilter, ExecuteError> {
    let id = |name: &NamedNode| context.dataset.term_id(&name.clone().into());
    Ok(match &context.default_graph {
        GraphSelector::Default => GraphFilter::One(TermId::UNDEFINED),
        GraphSelector::Everything => GraphFilter::All,
        GraphSelector::Named(name) => match id(name)? {
            Some(id) => GraphFilter::One(id),
            None => GraphFilter::Among(Vec::new()),
        },
        GraphSelector::Each(_, None) => GraphFilter::Named,
        GraphSelector::Merge(names) | GraphSelector::Each(_, Some(names)) => {
            let mut ids =
                names.iter().filter_map(|name| id(name).transpose()).collect::<Result<Vec<_>, _>>()?;
            ids.sort_unstable();
            ids.dedup();
            GraphFilter::Among(ids)
        }
    })
}

/// Looks up the facts of subjects, of one predicate or of all, in as few scans as pay.
pub(super) fn facts(
    subjects: &[TermId],
    predicate: Option<TermId>,
    context: &Context,
) -> Result<Facts, ExecuteError> {
    let mut facts = stored_facts(subjects, predicate, context)?;
    if !context.virtuals.is_empty() {
        for subject in subjects.iter().filter(|subject| context.virtuals.contains(**subject)) {
            let mut own = context.virtuals.facts(*subject);
            own.retain(|(key, _)| predicate.is_none_or(|predicate| predicate == *key));
            facts.insert(*subject, own);
        }
    }
    Ok(facts)
}

fn stored_facts(
    subjects: &[TermId],
    predicate: Option<TermId>,
    context: &Context,
) -> Result<Facts, ExecuteError> {
    let mut subjects: Vec<TermId> =
        subjects.iter().copied().filter(|id| id.as_dictionary().is_some()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    let mut facts = Facts::default();
    if subjects.is_empty() {
        return Ok(facts);
    }
    let graph = graph_filter(context)?;
    let dataset = &context.dataset;
    let all = QuadPattern { predicate, graph: graph.clone(), ..QuadPattern::default() };
    if predicate.is_some()
        && subjects.len() >= SCAN_SUBJECTS_MIN
        && dataset.estimate(&all)? <= 4 * subjects.len() as u64
    {
        let wanted: FxHashSet<TermId> = subjects.iter().copied().collect();
        collect(&all, Permutation::Pso, &mut facts, |subject| wanted.contains(&subject), context)?;
    } else {
        let patterns: Vec<QuadPattern> =
            subjects.iter().map(|subject| QuadPattern { subject: Some(*subject), ..all.clone() }).collect();
        if patterns.len() > 1 {
            dataset.prefetch(&patterns);
        }
        for pattern in &patterns {
            collect(pattern, Permutation::Spo, &mut facts, |_| true, context)?;
        }
    }
    if !matches!(graph, GraphFilter::One(_)) {
        for pairs in facts.values_mut() {
            pairs.sort_unstable();
            pairs.dedup();
        }
    }
    Ok(facts)
}

fn collect(
    pattern: &QuadPattern,
    permutation: Permutation,
    facts: &mut Facts,
    is_wanted: impl Fn(TermId) -> bool,
    context: &Context,
) -> Result<(), ExecuteError> {
    let mut scan = context.dataset.scan(pattern, permutation)?;
    while let Some(batch) = scan.next_batch()? {
        if batch.rows() >= BATCH_ROWS {
            context.check()?;
        }
        let (subjects, predicates, objects) = (batch.column(0), batch.column(1), batch.column(2));
        for row in 0..batch.rows() {
            if is_wanted(subjects[row]) {
                facts.entry(subjects[row]).or_default().push((predicates[row], objects[row]));
            }
        }
    }
    Ok(())
}

/// Returns whether an object is a literal, and so its quad a property.
fn is_literal(id: TermId, context: &Context) -> bool {
    match id.kind() {
        TermKind::String | TermKind::LangString | TermKind::TypedLiteral => true,
        // Of a virtual entity.
        TermKind::Local => {
            matches!(context.values.get(id).as_deref(), Some(Local::Term(Term::Literal(_))))
        }
        _ => id.is_inline(),
    }
}

/// Returns one property's value from its objects: nothing, the value, or several as a list in
/// term order.
pub(super) fn property_value(mut objects: Vec<TermId>, context: &Context) -> Result<Datum, ExecuteError> {
    objects.retain(|id| is_literal(*id, context));
    match objects.len() {
        0 => Ok(Datum::Undefined),
        1 => Ok(Datum::of_id(objects[0])),
        _ => {
            let terms = context.values.terms(&objects, &*context.dataset)?;
            let mut pairs: Vec<(Term, TermId)> =
                terms.into_iter().zip(objects).filter_map(|(term, id)| Some((term?, id))).collect();
            pairs.sort_by(|a, b| compare_terms(&a.0, &b.0));
            Ok(Datum::list(pairs.into_iter().map(|(_, id)| Datum::Id(id)).collect()))
        }
    }
}

/// Returns the id under which the properties of a node or relationship are stored.
fn entity_id(datum: &Datum, context: &Context) -> Result<Option<TermId>, ExecuteError> {
    match datum {
        Datum::Relationship(relationship) => reifier(relationship, context),
        datum if datum.is_node() => Ok(Some(datum.to_id(context)?)),
        _ => Ok(None),
    }
}

/// Returns the reifier of a relationship. One that was plain when it was matched may have got its
/// reifier since, in the same query: under the IRI that is derived from its quad.
fn reifier(relationship: &RelationshipDatum, context: &Context) -> Result<Option<TermId>, ExecuteError> {
    if relationship.edge.is_some() || context.changes.is_none() {
        return Ok(relationship.edge);
    }
    let iri = derived_iri(&relationship.quad, context)?;
    Ok(context.dataset.term_id(&iri.into())?)
}

/// Returns the IRI that stands for a plain relationship.
pub fn derived_iri(quad: &Quad, context: &Context) -> Result<NamedNode, ExecuteError> {
    let ids = [quad.subject, quad.predicate, quad.object, quad.graph];
    let terms = context.values.terms(&ids, &*context.dataset)?;
    match &terms[..] {
        [Some(s), Some(p), Some(o), graph] => {
            Ok(context.vocabulary.relationship_iri(graph.as_ref(), [s, p, o]))
        }
        _ => Err(ExecuteError::Plan("a relationship between what is no term".to_owned())),
    }
}

/// The property `key` of nodes, relationships, maps, temporal values and points.
pub(super) fn property(key: String) -> Run {
    Run::Columns(Box::new(move |columns, rows, context| {
        let entities =
            columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let ids = entities.iter().map(|datum| entity_id(datum, context)).collect::<Result<Vec<_>, _>>()?;
        check_not_deleted(&entities, context)?;
        let predicate = context.fact_id(&context.vocabulary.iri(&key).into())?;
        let mut found = Facts::default();
        if predicate.is_some() {
            found = facts(&ids.iter().flatten().copied().collect::<Vec<_>>(), predicate, context)?;
        }
        let value = |(entity, id): (&Datum, &Option<TermId>)| match id {
            Some(id) => {
                let objects = found.get(id).map(|pairs| pairs.iter().map(|(_, object)| *object).collect());
                property_value(objects.unwrap_or_default(), context)
            }
            None => component(entity, &key),
        };
        entities.iter().zip(&ids).map(value).collect()
    }))
}

/// Checks that no node or relationship among these is gone already.
fn check_not_deleted(entities: &[Datum], context: &Context) -> Result<(), ExecuteError> {
    if context.changes.is_none() {
        return Ok(());
    }
    let is_entity = |datum: &&Datum| datum.is_node() || matches!(datum, Datum::Relationship(_));
    let ids = entities.iter().filter(is_entity).map(|datum| datum.to_id(context));
    context.check_not_deleted(ids.collect::<Result<Vec<_>, _>>()?.into_iter())
}

/// Returns a component of a value that is no entity.
fn component(datum: &Datum, key: &str) -> Outcome {
    if datum.is_undefined() || matches!(datum, Datum::Relationship(_)) {
        return Ok(Datum::Undefined);
    }
    if let Some(entries) = datum.as_map() {
        return Ok(list::entry(entries, key));
    }
    if let Some(temporal) = datum.to_temporal() {
        return Ok(temporal.component(key).into());
    }
    if let Some(point) = spatial::Point::of(datum) {
        return Ok(point.component(key).into());
    }
    Err(type_error("InvalidArgumentType", format!("{} has no property '{key}'", kind_name(datum))))
}

/// container[key]: a list by index, a map by key, a node or relationship by property name.
pub(super) fn index() -> Run {
    Run::Columns(Box::new(|columns, rows, context| {
        let mut values = Vec::with_capacity(rows);
        for row in 0..rows {
            let arguments = Arguments { columns: &columns, row };
            let (container, key) = (&arguments[0], &arguments[1]);
            values.push(match (entity_id(container, context)?, key.as_text()) {
                (Some(id), Some(key)) => {
                    let predicate = context.fact_id(&context.vocabulary.iri(key).into())?;
                    match predicate {
                        Some(predicate) => {
                            let found = facts(&[id], Some(predicate), context)?;
                            let pairs = found.get(&id).map(Vec::as_slice).unwrap_or_default();
                            property_value(pairs.iter().map(|(_, object)| *object).collect(), context)?
                        }
                        None => Datum::Undefined,
                    }
                }
                (None, Some(key)) if matches!(container, Datum::Relationship(_)) => {
                    component(container, key)?
                }
                _ => list::index(container, key)?,
            });
        }
        Ok(values)
    }))
}

/// Returns the properties of entities as maps, names in order; undefined for what is none.
fn properties_of(
    entities: &[Datum],
    context: &Context,
) -> Result<Vec<Option<Vec<(Arc<str>, Datum)>>>, ExecuteError> {
    let ids = entities.iter().map(|datum| entity_id(datum, context)).collect::<Result<Vec<_>, _>>()?;
    let found = facts(&ids.iter().flatten().copied().collect::<Vec<_>>(), None, context)?;
    let names =
        names(found.values().flatten().filter(|(_, o)| is_literal(*o, context)).map(|(p, _)| *p), context)?;
    let properties = |(entity, id): (&Datum, &Option<TermId>)| {
        if id.is_none() {
            let is_plain = matches!(entity, Datum::Relationship(_));
            return Ok(is_plain.then(Vec::new));
        }
        let mut by_predicate: FxHashMap<TermId, Vec<TermId>> = FxHashMap::default();
        for (predicate, object) in id.and_then(|id| found.get(&id)).into_iter().flatten() {
            by_predicate.entry(*predicate).or_default().push(*object);
        }
        let mut entries = Vec::with_capacity(by_predicate.len());
        for (predicate, objects) in by_predicate {
            let value = property_value(objects, context)?;
            if let (Some(name), false) = (names.get(&predicate), value.is_undefined()) {
                entries.push((name.clone(), value));
            }
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Some(entries))
    };
    entities.iter().zip(&ids).map(properties).collect()
}

/// Returns the names of IRIs in the workspace's vocabulary.
fn names(
    ids: impl Iterator<Item = TermId>,
    context: &Context,
) -> Result<FxHashMap<TermId, Arc<str>>, ExecuteError> {
    let mut ids: Vec<TermId> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    let terms = context.values.terms(&ids, &*context.dataset)?;
    let name = |(id, term)| match term {
        Some(Term::NamedNode(node)) => {
            Some((id, Arc::from(context.vocabulary.name(NamedNode::as_str(&node)))))
        }
        _ => None,
    };
    Ok(ids.into_iter().zip(terms).filter_map(name).collect())
}

pub(super) fn properties() -> Run {
    Run::Columns(Box::new(|columns, rows, context| {
        let entities =
            columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let properties = properties_of(&entities, context)?;
        let value = |(entity, properties): (Datum, Option<Vec<_>>)| match properties {
            Some(entries) => Ok(Datum::Map(Arc::new(entries))),
            None if entity.is_undefined() || entity.as_map().is_some() => Ok(entity),
            None => Err(type_error(
                "InvalidArgumentType",
                format!("properties() takes no {}", kind_name(&entity)),
            )),
        };
        entities.into_iter().zip(properties).map(value).collect()
    }))
}

pub(super) fn keys() -> Run {
    Run::Columns(Box::new(|columns, rows, context| {
        let entities =
            columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let properties = properties_of(&entities, context)?;
        let list = |entries: &[(Arc<str>, Datum)]| {
            Datum::list(entries.iter().map(|(name, _)| Datum::String(name.clone())).collect())
        };
        let value = |(entity, properties): (&Datum, &Option<Vec<_>>)| match (properties, entity) {
            (Some(entries), _) => Ok(list(entries)),
            (None, Datum::Undefined) => Ok(Datum::Undefined),
            (None, Datum::Map(entries)) => Ok(list(entries)),
            _ => Err(type_error("InvalidArgumentType", format!("keys() takes no {}", kind_name(entity)))),
        };
        entities.iter().zip(&properties).map(value).collect()
    }))
}

/// Returns the label ids of nodes.
fn labels_of(nodes: &[TermId], context: &Context) -> Result<FxHashMap<TermId, Vec<TermId>>, ExecuteError> {
    let Some(predicate) = context.fact_id(&rdf::TYPE.into_owned().into())? else {
        return Ok(FxHashMap::default());
    };
    let marker = context.dataset.term_id(&pg::NODE.into_owned().into())?;
    let found = facts(nodes, Some(predicate), context)?;
    let labels = |pairs: Vec<(TermId, TermId)>| {
        let labels = pairs.into_iter().map(|(_, label)| label);
        labels.filter(|label| label.kind() == TermKind::NamedNode && Some(*label) != marker).collect()
    };
    Ok(found.into_iter().map(|(node, pairs)| (node, labels(pairs))).collect())
}

/// Returns the sorted label names of nodes.
fn label_names(
    nodes: &[TermId],
    context: &Context,
) -> Result<FxHashMap<TermId, Vec<Arc<str>>>, ExecuteError> {
    let labels = labels_of(nodes, context)?;
    let names = names(labels.values().flatten().copied(), context)?;
    let named = |ids: Vec<TermId>| {
        let mut labels: Vec<Arc<str>> = ids.iter().filter_map(|id| names.get(id).cloned()).collect();
        labels.sort();
        labels
    };
    Ok(labels.into_iter().map(|(node, ids)| (node, named(ids))).collect())
}

pub(super) fn labels() -> Run {
    Run::Columns(Box::new(|columns, rows, context| {
        let nodes = columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let ids =
            nodes.iter().filter(|n| n.is_node()).map(|n| n.to_id(context)).collect::<Result<Vec<_>, _>>()?;
        context.check_not_deleted(ids.iter().copied())?;
        let labels = label_names(&ids, context)?;
        let value = |node: &Datum| {
            if node.is_undefined() {
                return Ok(Datum::Undefined);
            }
            if !node.is_node() {
                return Err(type_error(
                    "InvalidArgumentValue",
                    format!("labels() takes no {}", kind_name(node)),
                ));
            }
            let labels = labels.get(&node.to_id(context)?).map(Vec::as_slice).unwrap_or_default();
            Ok(Datum::list(labels.iter().map(|label| Datum::String(label.clone())).collect()))
        };
        nodes.iter().map(value).collect()
    }))
}

pub(super) fn has_labels(wanted: Vec<String>) -> Run {
    Run::Columns(Box::new(move |columns, rows, context| {
        let entities =
            columns.into_iter().next().unwrap_or(Column::Constant(Datum::Undefined)).into_data(rows);
        let iris: Vec<Term> = wanted.iter().map(|label| context.vocabulary.iri(label).into()).collect();
        let ids = iris.iter().map(|iri| context.fact_id(iri)).collect::<Result<Vec<_>, _>>()?;
        let nodes = entities
            .iter()
            .filter(|n| n.is_node())
            .map(|n| n.to_id(context))
            .collect::<Result<Vec<_>, _>>()?;
        let labels = labels_of(&nodes, context)?;
        let value = |entity: &Datum| match entity {
            Datum::Undefined => Ok(Datum::Undefined),
            Datum::Relationship(relationship) => {
                Ok(Datum::Boolean(ids.iter().all(|id| *id == Some(relationship.quad.predicate))))
            }
            node if node.is_node() => {
                let labels = labels.get(&node.to_id(context)?).map(Vec::as_slice).unwrap_or_default();
                Ok(Datum::Boolean(ids.iter().all(|id| id.is_some_and(|id| labels.contains(&id)))))
            }
            other => Err(type_error("InvalidArgumentType", format!("{} has no labels", kind_name(other)))),
        };
        entities.iter().map(value).collect()
    }))
}

fn relationship<'a>(datum: &'a Datum, function: &str) -> Result<Option<&'a RelationshipDatum>, ExecuteError> {
    match datum {
        Datum::Undefined => Ok(None),
        Datum::Relationship(relationship) => Ok(Some(relationship)),
        other => {
            Err(type_error("InvalidArgumentValue", format!("{function}() takes no {}", kind_name(other))))
        }
    }
}

pub(super) fn relationship_type(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    let Some(relationship) = relationship(&arguments[0], "type")? else { return Ok(Datum::Undefined) };
    match context.values.term(relationship.quad.predicate, &*context.dataset)? {
        Some(Term::NamedNode(node)) => Ok(Datum::string(context.vocabulary.name(node.as_str()))),
        _ => Ok(Datum::Undefined),
    }
}

pub(super) fn start_node(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(relationship(&arguments[0], "startNode")?.map(|r| Datum::of_id(r.quad.subject)).into())
}

pub(super) fn end_node(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(relationship(&arguments[0], "endNode")?.map(|r| Datum::of_id(r.quad.object)).into())
}

/// Returns the element id of a node or relationship.
fn element_text(datum: &Datum, context: &Context) -> Result<Option<String>, ExecuteError> {
    let term = match datum {
        Datum::Relationship(relationship) => match relationship.edge {
            Some(edge) => context.values.term(edge, &*context.dataset)?,
            None => Some(derived_iri(&relationship.quad, context)?.into()),
        },
        datum if datum.is_node() => datum.to_term(),
        _ => None,
    };
    Ok(match term {
        Some(Term::NamedNode(node)) => Some(node.into_string()),
        Some(Term::BlankNode(node)) => Some(node.to_string()),
        _ => None,
    })
}

pub(super) fn element_id(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    match element_text(&arguments[0], context)? {
        Some(text) => Ok(Datum::string(text)),
        None => Err(no_entity("elementId", &arguments[0])),
    }
}

/// A number derived from the element id.
pub(super) fn id(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    let Some(text) = element_text(&arguments[0], context)? else {
        return Err(no_entity("id", &arguments[0]));
    };
    Ok(Datum::integer(number_of_id(&text)))
}

fn no_entity(function: &str, datum: &Datum) -> ExecuteError {
    type_error("InvalidArgumentType", format!("{function}() takes no {}", kind_name(datum)))
}

fn path_parts(datum: &Datum, function: &str, nodes: bool) -> Outcome {
    match datum {
        Datum::Path(path) => {
            let ids = if nodes { &path.nodes } else { &path.relationships };
            Ok(Datum::list(ids.iter().map(|id| Datum::of_id(*id)).collect()))
        }
        other => {
            Err(type_error("InvalidArgumentType", format!("{function}() takes no {}", kind_name(other))))
        }
    }
}

pub(super) fn nodes(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    path_parts(&arguments[0], "nodes", true)
}

pub(super) fn relationships(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    path_parts(&arguments[0], "relationships", false)
}

pub(super) fn length(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    match &arguments[0] {
        Datum::Path(path) => Ok(Datum::integer(path.relationships.len() as i64)),
        _ => list::size(arguments, context),
    }
}

/// (graph or undefined, subject, predicate, object): the plain relationship that this triple is.
pub(super) fn make_relationship(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    let id = |index: usize| arguments[index].to_id(context);
    let quad = Quad { graph: id(0)?, subject: id(1)?, predicate: id(2)?, object: id(3)? };
    if [quad.subject, quad.predicate, quad.object].iter().any(|id| id.is_undefined()) {
        return Ok(Datum::Undefined);
    }
    Ok(Datum::Id(context.values.intern(Local::Relationship { quad, edge: None })))
}

/// (node, relationship, node, ...); a list of relationships stands for a walk through them, and
/// the nodes between are their ends.
pub(super) fn make_path(arguments: &Arguments<'_>, context: &Context) -> Outcome {
    let (mut nodes, mut relationships) = (Vec::new(), Vec::new());
    for (position, datum) in arguments.iter().enumerate() {
        if datum.is_undefined() {
            return Ok(Datum::Undefined);
        }
        if position % 2 == 0 {
            let id = datum.to_id(context)?;
            if nodes.len() == relationships.len() {
                nodes.push(id);
            }
            continue;
        }
        let steps: Vec<Datum> = datum.as_list().map_or_else(|| vec![datum.clone()], |items| items.to_vec());
        for mut step in steps {
            decode(std::slice::from_mut(&mut step), Depth::Shallow, context)?;
            let Datum::Relationship(step) = step else {
                return Err(type_error("InvalidArgumentType", format!("a path has no {}", kind_name(&step))));
            };
            let here = nodes.last().copied().unwrap_or_default();
            relationships.push(step.id);
            nodes.push(if step.quad.subject == here { step.quad.object } else { step.quad.subject });
        }
    }
    Ok(Datum::Id(context.values.intern(Local::Path { nodes, relationships })))
}

pub(super) fn is_node(arguments: &Arguments<'_>, _: &Context) -> Outcome {
    Ok(Datum::Boolean(arguments[0].is_node()))
}

/// Returns ids as values: nodes and relationships with labels and properties, lists and maps with
/// what they hold; everything of one kind is looked up together.
pub fn hydrate(ids: &[TermId], context: &Context) -> Result<Vec<Value>, ExecuteError> {
    let mut data: Vec<Datum> = ids.iter().map(|id| Datum::of_id(*id)).collect();
    decode(&mut data, Depth::Deep, context)?;
    let mut entities = Entities::default();
    for datum in &data {
        entities.find(datum, context)?;
    }
    entities.load(context)?;
    data.iter().map(|datum| entities.value(datum, context)).collect()
}

/// The nodes and relationships of a result, each looked up once.
#[derive(Default)]
struct Entities {
    nodes: FxHashMap<TermId, Option<NodeValue>>,
    relationships: FxHashMap<TermId, (RelationshipDatum, Option<RelationshipValue>)>,
}

impl Entities {
    fn find(&mut self, datum: &Datum, context: &Context) -> Result<(), ExecuteError> {
        match datum {
            Datum::List(items) => items.iter().try_for_each(|item| self.find(item, context)),
            Datum::Map(entries) => entries.iter().try_for_each(|(_, value)| self.find(value, context)),
            Datum::Relationship(relationship) => {
                self.relationships.insert(relationship.id, (**relationship, None));
                Ok(())
            }
            Datum::Path(path) => {
                let mut parts: Vec<Datum> = path.relationships.iter().map(|id| Datum::of_id(*id)).collect();
                decode(&mut parts, Depth::Shallow, context)?;
                self.nodes.extend(path.nodes.iter().map(|id| (*id, None)));
                parts.iter().try_for_each(|part| self.find(part, context))
            }
            datum if datum.is_node() => {
                self.nodes.insert(datum.to_id(context)?, None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn load(&mut self, context: &Context) -> Result<(), ExecuteError> {
        let mut ids: Vec<TermId> = self.nodes.keys().copied().collect();
        ids.sort_unstable();
        let labels = label_names(&ids, context)?;
        let mut data: Vec<Datum> = ids.iter().map(|id| Datum::of_id(*id)).collect();
        decode(&mut data, Depth::Shallow, context)?;
        for ((id, node), properties) in ids.iter().zip(&data).zip(properties_of(&data, context)?) {
            let Some(term) = node.to_term().and_then(node_term) else { continue };
            let labels = labels.get(id).map(Vec::as_slice).unwrap_or_default();
            let labels = labels.iter().map(|label| label.to_string()).collect();
            let properties = plain_map(properties.unwrap_or_default(), context)?;
            self.nodes.insert(*id, Some(NodeValue { id: term, labels, properties }));
        }
        let relationships: Vec<RelationshipDatum> = self.relationships.values().map(|(r, _)| *r).collect();
        let data: Vec<Datum> = relationships.iter().map(|r| Datum::Relationship(Arc::new(*r))).collect();
        for ((relationship, datum), properties) in
            relationships.iter().zip(&data).zip(properties_of(&data, context)?)
        {
            let value = relationship_value(relationship, datum, properties.unwrap_or_default(), context)?;
            self.relationships.insert(relationship.id, (*relationship, value));
        }
        Ok(())
    }

    fn value(&self, datum: &Datum, context: &Context) -> Result<Value, ExecuteError> {
        match datum {
            Datum::List(items) => {
                Ok(Value::List(items.iter().map(|item| self.value(item, context)).collect::<Result<_, _>>()?))
            }
            Datum::Map(entries) => {
                let entry =
                    |(key, value): &(Arc<str>, Datum)| Ok((key.to_string(), self.value(value, context)?));
                Ok(Value::Map(entries.iter().map(entry).collect::<Result<_, ExecuteError>>()?))
            }
            Datum::Relationship(relationship) => Ok(self.relationship(relationship.id)),
            Datum::Path(path) => {
                let nodes = path.nodes.iter().filter_map(|id| self.nodes.get(id).cloned().flatten());
                let relationships =
                    path.relationships.iter().filter_map(|id| self.relationships.get(id)?.1.clone());
                Ok(Value::Path(PathValue { nodes: nodes.collect(), relationships: relationships.collect() }))
            }
            datum if datum.is_node() => {
                let node = self.nodes.get(&datum.to_id(context)?).cloned().flatten();
                Ok(node.map_or(Value::Null, Value::Node))
            }
            other => Ok(plain_value(other)),
        }
    }

    fn relationship(&self, id: TermId) -> Value {
        let value = self.relationships.get(&id).and_then(|(_, value)| value.clone());
        value.map_or(Value::Null, Value::Relationship)
    }
}

fn node_term(term: Term) -> Option<NamedOrBlankNode> {
    match term {
        Term::NamedNode(node) => Some(node.into()),
        Term::BlankNode(node) => Some(node.into()),
        _ => None,
    }
}

fn relationship_value(
    relationship: &RelationshipDatum,
    datum: &Datum,
    properties: Vec<(Arc<str>, Datum)>,
    context: &Context,
) -> Result<Option<RelationshipValue>, ExecuteError> {
    let quad = relationship.quad;
    let terms = context.values.terms(&[quad.subject, quad.predicate, quad.object], &*context.dataset)?;
    let [Some(start), Some(Term::NamedNode(predicate)), Some(end)] = &terms[..] else { return Ok(None) };
    let (Some(start), Some(end)) = (node_term(start.clone()), node_term(end.clone())) else {
        return Ok(None);
    };
    let id = match relationship.edge {
        Some(edge) => context.values.term(edge, &*context.dataset)?.and_then(node_term),
        None => Some(derived_iri(&quad, context)?.into()),
    };
    let Some(id) = id else { return Ok(None) };
    debug_assert!(matches!(datum, Datum::Relationship(_)));
    Ok(Some(RelationshipValue {
        id,
        start,
        end,
        name: context.vocabulary.name(predicate.as_str()),
        predicate: predicate.clone(),
        properties: plain_map(properties, context)?,
    }))
}

fn plain_map(entries: Vec<(Arc<str>, Datum)>, context: &Context) -> Result<Map, ExecuteError> {
    let (keys, mut values): (Vec<Arc<str>>, Vec<Datum>) = entries.into_iter().unzip();
    decode(&mut values, Depth::Deep, context)?;
    Ok(keys.iter().zip(&values).map(|(key, value)| (key.to_string(), plain_value(value))).collect())
}

/// Returns a deeply decoded datum that holds no entity as a value.
fn plain_value(datum: &Datum) -> Value {
    if let Some(items) = datum.as_list() {
        return Value::List(items.iter().map(plain_value).collect());
    }
    match datum {
        Datum::Undefined => Value::Null,
        Datum::Boolean(value) => Value::Boolean(*value),
        Datum::String(text) => Value::String(text.to_string()),
        datum => super::value_of_literal(datum),
    }
}
