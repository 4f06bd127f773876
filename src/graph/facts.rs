//! What a manifest says about a run as a whole: counts for the optimizer, and the facts of `plan::Schema`.
#![deny(clippy::indexing_slicing)]

use std::collections::BTreeMap;

use super::cursor::{Cursor, Malformed, put_bytes, put_u64, put_varint};
use crate::dataset::{PredicateStatistics, Statistics};
use crate::model::{NamedNode, TermId};
use crate::plan::{ClassInfo, PredicateInfo, Schema};

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunStatistics {
    pub statistics: Statistics,
    /// Quads by graph, sorted by graph; the default graph, if it has any, comes first.
    pub graphs: Vec<(TermId, u64)>,
    /// The predicates whose every quad leads to a node and has an edge, and whose every edge is of such a quad, sorted.
    pub reified: Vec<TermId>,
}

impl RunStatistics {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let statistics = &self.statistics;
        for count in [statistics.quads, statistics.distinct_subjects, statistics.distinct_objects] {
            put_varint(&mut out, count);
        }
        put_varint(&mut out, self.graphs.len() as u64);
        for (graph, quads) in &self.graphs {
            put_u64(&mut out, graph.to_bits());
            put_varint(&mut out, *quads);
        }
        put_varint(&mut out, self.reified.len() as u64);
        self.reified.iter().for_each(|predicate| put_u64(&mut out, predicate.to_bits()));
        let predicates: BTreeMap<TermId, PredicateStatistics> =
            statistics.predicates.iter().map(|(id, figures)| (*id, *figures)).collect();
        put_varint(&mut out, predicates.len() as u64);
        for (id, figures) in predicates {
            put_u64(&mut out, id.to_bits());
            for count in [figures.quads, figures.distinct_subjects, figures.distinct_objects, figures.edges] {
                put_varint(&mut out, count);
            }
        }
        out
    }

    pub fn decode(content: &[u8]) -> Result<RunStatistics, Malformed> {
        let mut cursor = Cursor::new(content);
        let mut statistics = Statistics {
            quads: cursor.varint()?,
            distinct_subjects: cursor.varint()?,
            distinct_objects: cursor.varint()?,
            ..Statistics::default()
        };
        let count = cursor.count(9)?;
        let mut graphs = Vec::with_capacity(count);
        for _ in 0..count {
            graphs.push((take_id(&mut cursor)?, cursor.varint()?));
        }
        let is_sorted = graphs.is_sorted_by(|(a, _), (b, _)| a < b);
        let total = graphs.iter().try_fold(0u64, |sum, (_, quads)| sum.checked_add(*quads));
        if !is_sorted || total != Some(statistics.quads) {
            return Err(Malformed("the counts of the graphs disagree"));
        }
        statistics.named_graphs = graphs.iter().filter(|(graph, _)| !graph.is_undefined()).count() as u64;
        let count = cursor.count(8)?;
        let mut reified = Vec::with_capacity(count);
        for _ in 0..count {
            reified.push(take_id(&mut cursor)?);
        }
        if !reified.is_sorted_by(|a, b| a < b) {
            return Err(Malformed("the reified predicates are not sorted"));
        }
        let mut last = None;
        for _ in 0..cursor.count(12)? {
            let id = take_id(&mut cursor)?;
            if last.replace(id).is_some_and(|last| last >= id) {
                return Err(Malformed("the predicates are not sorted"));
            }
            statistics.predicates.insert(id, take_figures(&mut cursor, statistics.quads)?);
        }
        cursor.end()?;
        Ok(RunStatistics { statistics, graphs, reified })
    }
}

/// Takes the counts of a predicate of a run of so many quads.
fn take_figures(cursor: &mut Cursor<'_>, quads: u64) -> Result<PredicateStatistics, Malformed> {
    let figures = PredicateStatistics {
        quads: cursor.varint()?,
        distinct_subjects: cursor.varint()?,
        distinct_objects: cursor.varint()?,
        edges: cursor.varint()?,
    };
    match figures.quads.max(figures.distinct_subjects).max(figures.distinct_objects) {
        most if most <= quads => Ok(figures),
        _ => Err(Malformed("a predicate has more quads than there are")),
    }
}

fn take_id(cursor: &mut Cursor<'_>) -> Result<TermId, Malformed> {
    TermId::from_bits(cursor.u64()?).ok_or(Malformed("an id is of no kind"))
}

/// How many bytes of IRIs a decoded schema may hold.
const NAMED_BYTES_MAX: usize = 256 << 20;

const FUNCTIONAL: u8 = 1;
const NODE_OBJECTS: u8 = 2;
const LITERAL_OBJECTS: u8 = 4;
const EDGES: u8 = 8;
const PARALLEL_EDGES: u8 = 16;
const LOOPS: u8 = 32;
const OPAQUE_NUMBERS: u8 = 64;

/// Encodes a schema: a table of its IRIs, sorted, then predicates and classes that point into it.
pub fn encode_schema(schema: &Schema) -> Vec<u8> {
    let mut names: Vec<&NamedNode> = schema.predicates.keys().chain(schema.classes.keys()).collect();
    for info in schema.predicates.values() {
        names
            .extend(info.datatypes.iter().chain(&info.object_classes).chain(&info.domain).chain(&info.range));
    }
    for info in schema.classes.values() {
        names.extend(info.predicates.iter().chain(&info.total_predicates).chain(&info.inverse_predicates));
    }
    names.sort_unstable();
    names.dedup();
    let mut out = Vec::new();
    put_varint(&mut out, names.len() as u64);
    names.iter().for_each(|name| put_bytes(&mut out, name.as_str().as_bytes()));
    let index = |name: &NamedNode| names.partition_point(|other| *other < name) as u64;
    let put_names = |out: &mut Vec<u8>, list: &[NamedNode]| {
        put_varint(out, list.len() as u64);
        list.iter().for_each(|name| put_varint(out, index(name)));
    };
    put_varint(&mut out, schema.predicates.len() as u64);
    for (name, info) in &schema.predicates {
        put_varint(&mut out, index(name));
        put_varint(&mut out, info.quads);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(
            flag(info.is_functional, FUNCTIONAL)
                | flag(info.has_node_objects, NODE_OBJECTS)
                | flag(info.has_literal_objects, LITERAL_OBJECTS)
                | flag(info.has_edges, EDGES)
                | flag(info.has_parallel_edges, PARALLEL_EDGES)
                | flag(info.has_loops, LOOPS)
                | flag(info.has_opaque_numbers, OPAQUE_NUMBERS),
        );
        for list in [&info.datatypes, &info.object_classes, &info.domain, &info.range] {
            put_names(&mut out, list);
        }
    }
    put_varint(&mut out, schema.classes.len() as u64);
    for (name, info) in &schema.classes {
        put_varint(&mut out, index(name));
        put_varint(&mut out, info.instances);
        for list in [&info.predicates, &info.total_predicates, &info.inverse_predicates] {
            put_names(&mut out, list);
        }
    }
    out
}

/// Decodes a schema; a run's facts are complete.
pub fn decode_schema(content: &[u8]) -> Result<Schema, Malformed> {
    let mut cursor = Cursor::new(content);
    let mut names = Names::decode(&mut cursor)?;
    let mut schema = Schema { is_complete: true, ..Schema::default() };
    for _ in 0..cursor.count(7)? {
        let name = names.take(&mut cursor)?;
        let (quads, flags) = (cursor.varint()?, cursor.u8()?);
        let info = PredicateInfo {
            quads,
            is_functional: flags & FUNCTIONAL != 0,
            has_node_objects: flags & NODE_OBJECTS != 0,
            has_literal_objects: flags & LITERAL_OBJECTS != 0,
            has_edges: flags & EDGES != 0,
            has_parallel_edges: flags & PARALLEL_EDGES != 0,
            // The statistics tell.
            is_reified: false,
            has_loops: flags & LOOPS != 0,
            has_opaque_numbers: flags & OPAQUE_NUMBERS != 0,
            datatypes: names.take_list(&mut cursor)?,
            object_classes: names.take_list(&mut cursor)?,
            domain: names.take_list(&mut cursor)?,
            range: names.take_list(&mut cursor)?,
        };
        schema.predicates.insert(name, info);
    }
    for _ in 0..cursor.count(5)? {
        let name = names.take(&mut cursor)?;
        let info = ClassInfo {
            instances: cursor.varint()?,
            predicates: names.take_list(&mut cursor)?,
            total_predicates: names.take_list(&mut cursor)?,
            inverse_predicates: names.take_list(&mut cursor)?,
        };
        schema.classes.insert(name, info);
    }
    cursor.end()?;
    Ok(schema)
}

/// The IRIs of a schema. They are named by index, so few bytes could ask for much memory: what is
/// handed out is bounded.
struct Names {
    all: Vec<NamedNode>,
    bytes_left: usize,
}

impl Names {
    fn decode(cursor: &mut Cursor<'_>) -> Result<Names, Malformed> {
        let count = cursor.count(1)?;
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            let text = std::str::from_utf8(cursor.bytes()?).map_err(|_| Malformed("an IRI is not UTF-8"))?;
            names.push(NamedNode::new_unchecked(text));
        }
        Ok(Names { all: names, bytes_left: NAMED_BYTES_MAX })
    }

    fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<NamedNode, Malformed> {
        let index = usize::try_from(cursor.varint()?).ok();
        let name = index.and_then(|index| self.all.get(index)).ok_or(Malformed("an IRI is missing"))?;
        let left = self.bytes_left.checked_sub(name.as_str().len());
        self.bytes_left = left.ok_or(Malformed("the schema names too much"))?;
        Ok(name.clone())
    }

    fn take_list(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<NamedNode>, Malformed> {
        (0..cursor.count(1)?).map(|_| self.take(cursor)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schema() -> Schema {
        let name = |name: &str| NamedNode::new_unchecked(name);
        let mut schema = Schema { is_complete: true, ..Schema::default() };
        let info = PredicateInfo {
            quads: 300,
            is_functional: true,
            has_node_objects: true,
            has_literal_objects: false,
            has_edges: true,
            has_parallel_edges: true,
            is_reified: false,
            has_loops: true,
            has_opaque_numbers: true,
            datatypes: vec![name("d")],
            object_classes: vec![name("c"), name("e")],
            domain: vec![name("f")],
            range: vec![name("c")],
        };
        schema.predicates.insert(name("p"), info);
        schema.predicates.insert(name("q"), PredicateInfo::default());
        let info = ClassInfo {
            instances: 5,
            predicates: vec![name("p"), name("q")],
            total_predicates: vec![name("q")],
            inverse_predicates: vec![name("p")],
        };
        schema.classes.insert(name("c"), info);
        schema
    }

    fn statistics() -> RunStatistics {
        let id = |n: u64| TermId::from_bits(2 << 60 | n).unwrap();
        let figures = PredicateStatistics { quads: 9, distinct_subjects: 4, distinct_objects: 300, edges: 1 };
        let graphs = vec![(TermId::UNDEFINED, 5), (id(7), 1000)];
        let mut facts = RunStatistics { graphs, reified: vec![id(1), id(3)], ..Default::default() };
        facts.statistics = Statistics {
            quads: 1005,
            distinct_subjects: 3,
            distinct_objects: 4,
            named_graphs: 1,
            predicates: (0..5).map(|n| (id(n), figures)).collect(),
        };
        facts
    }

    #[test]
    fn facts_read_back() {
        assert_eq!(decode_schema(&encode_schema(&schema())), Ok(schema()));
        assert_eq!(RunStatistics::decode(&statistics().encode()), Ok(statistics()));
    }

    /// Sums of counts must not overflow wherever they are taken later.
    #[test]
    fn counts_that_disagree_are_refused() {
        let changed = |change: fn(&mut RunStatistics)| {
            let mut facts = statistics();
            change(&mut facts);
            RunStatistics::decode(&facts.encode())
        };
        assert!(changed(|_| {}).is_ok());
        assert!(changed(|facts| facts.graphs[0].1 = u64::MAX).is_err());
        assert!(changed(|facts| facts.graphs[0].1 += 1).is_err());
        assert!(changed(|facts| facts.graphs.swap(0, 1)).is_err());
        assert!(changed(|facts| facts.reified.swap(0, 1)).is_err());
        assert!(changed(|facts| facts.statistics.quads = u64::MAX).is_err());
        assert!(changed(|f| f.statistics.predicates.values_mut().for_each(|p| p.quads = 1006)).is_err());
        // An entry of the last two predicates is 13 bytes long.
        let mut swapped = statistics().encode();
        let end = swapped.len();
        swapped[end - 26..].rotate_left(13);
        assert_eq!(RunStatistics::decode(&swapped), Err(Malformed("the predicates are not sorted")));
    }

    fn any_names() -> impl Strategy<Value = Vec<NamedNode>> {
        proptest::collection::vec("[a-dé]{0,3}".prop_map(NamedNode::new_unchecked), 0..4)
    }

    prop_compose! {
        fn any_predicate()(quads: u64, flags: [bool; 7], lists in [any_names(), any_names(), any_names(), any_names()]) -> PredicateInfo {
            let [is_functional, has_node_objects, has_literal_objects, has_edges, ..] = flags;
            let [.., has_parallel_edges, has_loops, has_opaque_numbers] = flags;
            let [datatypes, object_classes, domain, range] = lists;
            PredicateInfo {
                quads, is_functional, has_node_objects, has_literal_objects, has_edges, has_parallel_edges, has_loops,
                has_opaque_numbers, datatypes, object_classes, domain, range, is_reified: false,
            }
        }
    }

    prop_compose! {
        fn any_class()(instances: u64, lists in [any_names(), any_names(), any_names()]) -> ClassInfo {
            let [predicates, total_predicates, inverse_predicates] = lists;
            ClassInfo { instances, predicates, total_predicates, inverse_predicates }
        }
    }

    prop_compose! {
        fn any_schema()(
            predicates in proptest::collection::vec(any_predicate(), 0..6),
            classes in proptest::collection::vec(any_class(), 0..6),
        ) -> Schema {
            let name = |index: usize| NamedNode::new_unchecked(format!("n{index}"));
            let mut schema = Schema { is_complete: true, ..Schema::default() };
            schema.predicates.extend(predicates.into_iter().enumerate().map(|(n, info)| (name(n), info)));
            schema.classes.extend(classes.into_iter().enumerate().map(|(n, info)| (name(n * 2), info)));
            schema
        }
    }

    prop_compose! {
        fn any_statistics()(
            graphs in proptest::collection::btree_map(0u64..9, 0u64..1 << 40, 0..5),
            figures in proptest::collection::btree_map(0u64..1 << 50, any::<[u64; 4]>(), 0..9),
            reified in proptest::collection::btree_set(0u64..9, 0..4),
            subjects: u64,
            objects: u64,
        ) -> RunStatistics {
            let id = |n: u64| TermId::from_bits(2 << 60 | n).unwrap();
            let graph = |n: u64| if n == 0 { TermId::UNDEFINED } else { id(n) };
            let quads = graphs.values().sum::<u64>();
            let most = |count: u64| count.min(quads);
            let predicate = |(n, [a, b, c, edges]): (u64, [u64; 4])| {
                let figures =
                    PredicateStatistics { quads: most(a), distinct_subjects: most(b), distinct_objects: most(c), edges };
                (id(n), figures)
            };
            RunStatistics {
                statistics: Statistics {
                    quads,
                    distinct_subjects: subjects,
                    distinct_objects: objects,
                    named_graphs: graphs.keys().filter(|n| **n != 0).count() as u64,
                    predicates: figures.into_iter().map(predicate).collect(),
                },
                graphs: graphs.into_iter().map(|(n, quads)| (graph(n), quads)).collect(),
                reified: reified.into_iter().map(id).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn any_facts_read_back(schema in any_schema(), statistics in any_statistics()) {
            prop_assert_eq!(decode_schema(&encode_schema(&schema)), Ok(schema));
            prop_assert_eq!(RunStatistics::decode(&statistics.encode()), Ok(statistics));
        }

        #[test]
        fn changed_bytes_never_panic(at: prop::sample::Index, byte: u8, foreign: Vec<u8>) {
            for mut content in [encode_schema(&schema()), statistics().encode(), foreign] {
                if !content.is_empty() {
                    let at = at.index(content.len());
                    content[at] = byte;
                }
                let _ = (decode_schema(&content), RunStatistics::decode(&content));
            }
        }
    }
}
