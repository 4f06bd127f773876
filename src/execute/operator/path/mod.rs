//! `PathProbe` and `PathScan`: ends connected by paths, with either, both or no end given.

mod shortest;
mod steps;
mod trail;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::index_scan::describe_slot;
use super::{GraphScope, Operator, Probe, bytes_of};
use crate::batch::Batch;
use crate::execute::expression::{self, Compiled};
use crate::execute::{Context, ExecuteError, Layout, Local, Reservation};
use crate::model::{GraphFilter, Permutation, QuadPattern, TermId, Value};
use crate::plan::{Expression, Function, Path, PathMode, Slot, Variable};
use steps::Steps;

/// Looks up the paths between ends that a key may give.
pub struct PathProbe {
    context: Arc<Context>,
    path: Path,
    layout: Layout,
    key: Vec<Variable>,
    /// Where a row's parts go: columns of subject, object, graph, edges, path.
    columns: [Option<usize>; 5],
    /// The steps of each graph that was searched, with what is known of their neighbourhoods.
    steps: FxHashMap<TermId, Steps>,
    condition: Option<EdgeCondition>,
    reservation: Reservation,
}

/// A condition on each relationship of a trail, over the relationship and the key.
struct EdgeCondition {
    compiled: Compiled,
    width: usize,
}

/// One search: its ends as far as they are given.
#[derive(Clone, Copy, Debug)]
struct Ends {
    subject: Option<TermId>,
    object: Option<TermId>,
}

/// A path that a search found; `relationships` and `nodes` only in the modes that enumerate.
#[derive(Clone, Debug)]
struct Found {
    subject: TermId,
    object: TermId,
    relationships: Vec<TermId>,
    nodes: Vec<TermId>,
}

/// A variable that no plan has: the relationship under test.
const RELATIONSHIP: Variable = Variable(u32::MAX);

impl PathProbe {
    /// Makes a probe whose keys bind the variables `key`: ends, graph, or variables of the
    /// condition on relationships.
    pub fn new(path: &Path, key: Vec<Variable>, context: Arc<Context>) -> Result<PathProbe, ExecuteError> {
        let mut layout = Layout::default();
        let parts =
            [path.subject.variable(), path.object.variable(), path.graph.variable(), path.edges, path.path];
        let columns = parts.map(|variable| {
            let variable = variable?;
            if !layout.contains(variable) {
                layout.push(variable, true);
            }
            layout.column(variable)
        });
        let condition = EdgeCondition::new(path, &key, &context)?;
        // Variables of the condition are no results, but a key may hold them.
        let reservation = context.reserve();
        let path = path.clone();
        Ok(PathProbe {
            context,
            path,
            layout,
            key,
            columns,
            steps: FxHashMap::default(),
            condition,
            reservation,
        })
    }

    /// Returns the variables of a path that a key may give.
    pub fn key_candidates(path: &Path) -> Vec<Variable> {
        let mut all: Vec<Variable> = [path.subject.variable(), path.object.variable(), path.graph.variable()]
            .into_iter()
            .flatten()
            .collect();
        if let Some(expression) = &path.edge_properties {
            all.extend(expression.variables());
        }
        all.dedup();
        all
    }

    fn end(&self, slot: &Slot, key: &[TermId]) -> Result<Option<TermId>, ExecuteError> {
        match slot {
            Slot::Constant(term) => {
                Ok(Some(self.context.values.id_of_term(term, self.context.dataset.as_ref())?))
            }
            Slot::Variable(variable) => Ok(self.given(*variable, key)),
            Slot::Parameter(parameter) => Err(ExecuteError::unbound(parameter)),
        }
    }

    fn given(&self, variable: Variable, key: &[TermId]) -> Option<TermId> {
        let place = self.key.iter().position(|known| *known == variable)?;
        Some(key[place]).filter(|id| !id.is_undefined())
    }

    /// Returns the graphs to search, each with the id that its rows show.
    fn scopes(&self, key: &[TermId]) -> Result<Vec<(TermId, GraphScope)>, ExecuteError> {
        let scope = GraphScope::resolve(&self.path.graph, &self.context)?;
        let Some(variable) = self.path.graph.variable() else {
            return Ok(vec![(TermId::UNDEFINED, scope)]);
        };
        let graphs = match self.given(variable, key) {
            Some(graph) => vec![graph],
            None => scope.graphs(&self.context)?,
        };
        let of_graph = |graph: TermId| (graph, scope.narrow(graph));
        Ok(graphs.into_iter().map(of_graph).filter(|(_, scope)| scope.filter.is_some()).collect())
    }

    /// Appends what was found, as rows.
    fn emit(&mut self, found: &[Found], graph: TermId, out: &mut Batch) -> Result<(), ExecuteError> {
        let values = &self.context.values;
        let mut row = vec![TermId::UNDEFINED; self.layout.width()];
        for path in found {
            if self.columns[0] == self.columns[1] && self.columns[0].is_some() && path.subject != path.object
            {
                continue;
            }
            let list = self.columns[3].map(|_| values.intern(Local::List(path.relationships.clone())));
            let whole = self.columns[4].map(|_| {
                let (nodes, relationships) = (path.nodes.clone(), path.relationships.clone());
                values.intern(Local::Path { nodes, relationships })
            });
            let parts = [Some(path.subject), Some(path.object), Some(graph), list, whole];
            for (column, id) in self.columns.iter().zip(parts) {
                if let (Some(column), Some(id)) = (column, id) {
                    row[*column] = id;
                }
            }
            out.push_row(&row);
        }
        self.reservation.grow(bytes_of(found.len(), row.len()))
    }

    fn search(
        &mut self,
        graph: TermId,
        scope: &GraphScope,
        key: &[TermId],
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        let subject = self.end(&self.path.subject.clone(), key)?;
        let object = self.end(&self.path.object.clone(), key)?;
        let mut steps = match self.steps.remove(&graph) {
            Some(steps) => steps,
            None => Steps::new(&self.path.step, scope.clone(), self.context.clone())?,
        };
        let ends = Ends { subject, object };
        if !self.may_start(&steps, ends, scope)? {
            self.steps.insert(graph, steps);
            return Ok(());
        }
        let result = match self.path.mode {
            PathMode::Reachable => self.search_reachable(&mut steps, ends, graph, out),
            PathMode::Trail => self.search_trails(&mut steps, ends, graph, key, out),
            PathMode::Shortest | PathMode::AllShortest => {
                self.search_shortest(&mut steps, ends, graph, key, out)
            }
        };
        self.steps.insert(graph, steps);
        result
    }

    /// Returns whether the ends that a key gives are nodes of the graph. A path of length zero
    /// between two variables is evaluated before it is joined, so other terms have none; between
    /// a constant and a variable any term has one.
    fn may_start(&self, steps: &Steps, ends: Ends, scope: &GraphScope) -> Result<bool, ExecuteError> {
        let is_open = self.path.subject.variable().is_some() && self.path.object.variable().is_some();
        if !steps.may_stay(self.path.min) || !is_open || self.path.mode != PathMode::Reachable {
            return Ok(true);
        }
        for end in [ends.subject, ends.object].into_iter().flatten() {
            let Some(graph) = scope.filter.clone() else { return Ok(false) };
            let as_subject =
                QuadPattern { subject: Some(end), graph: graph.clone(), ..QuadPattern::default() };
            let as_object = QuadPattern { object: Some(end), graph, ..QuadPattern::default() };
            let mut is_node = false;
            for pattern in [as_subject, as_object] {
                if end.as_local().is_none() && !is_node {
                    let mut scan = self.context.dataset.scan(&pattern, Permutation::best_for(&pattern))?;
                    is_node = scan.next_batch()?.is_some();
                }
            }
            if !is_node {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn search_reachable(
        &mut self,
        steps: &mut Steps,
        ends: Ends,
        graph: TermId,
        out: &mut Batch,
    ) -> Result<(), ExecuteError> {
        let (min, max) = (self.path.min, self.path.max);
        let found = |subject, object| Found { subject, object, relationships: vec![], nodes: vec![] };
        let (sources, forward) = match ends {
            Ends { subject: Some(subject), .. } => (vec![subject], true),
            Ends { object: Some(object), .. } => (vec![object], false),
            _ => (steps.preload(min)?, true),
        };
        for source in sources {
            self.context.check()?;
            let target = if forward { ends.object } else { None };
            let mut reached = steps.reach(source, forward, min, max, target)?;
            if let Some(target) = target {
                reached.retain(|node| *node == target);
            }
            let pairs: Vec<Found> = reached
                .into_iter()
                .map(|node| if forward { found(source, node) } else { found(node, source) })
                .collect();
            self.emit(&pairs, graph, out)?;
        }
        Ok(())
    }
}

impl Probe for PathProbe {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn key(&self) -> &[Variable] {
        &self.key
    }

    fn probe(&mut self, key: &[TermId], out: &mut Batch) -> Result<(), ExecuteError> {
        for (graph, scope) in self.scopes(key)? {
            self.search(graph, &scope, key, out)?;
        }
        self.reservation.release();
        Ok(())
    }

    fn describe(&self) -> String {
        describe(&self.path)
    }
}

impl EdgeCondition {
    fn new(path: &Path, key: &[Variable], context: &Context) -> Result<Option<EdgeCondition>, ExecuteError> {
        let Some(properties) = &path.edge_properties else { return Ok(None) };
        let entries: Vec<(String, Expression)> = match properties {
            Expression::Map(entries) => entries.clone(),
            Expression::Constant(Value::Map(map)) => constants(map),
            Expression::Parameter(parameter) => match context.parameters.get(&parameter.name) {
                Some(Value::Map(map)) => constants(map),
                _ => return Err(ExecuteError::Plan(format!("parameter ${} is no map", parameter.name))),
            },
            _ => return Err(ExecuteError::Plan("the properties of a path are no map".to_owned())),
        };
        let relationship = || Expression::Variable(RELATIONSHIP);
        let tests = entries.into_iter().map(|(name, value)| {
            let own = Expression::call(Function::Property(name), [relationship()]);
            Expression::call(Function::CypherEqual, [own, value])
        });
        let Some(condition) = tests.reduce(Expression::and) else { return Ok(None) };
        let mut layout = Layout::new(vec![RELATIONSHIP]);
        for variable in key {
            layout.push(*variable, false);
        }
        let compiled = expression::compile(&condition, &layout, context)?;
        Ok(Some(EdgeCondition { compiled, width: layout.width() }))
    }

    /// Keeps the (relationship, node) pairs whose relationship passes.
    fn retain(
        &self,
        steps: Vec<(TermId, TermId)>,
        key: &[TermId],
        context: &Context,
    ) -> Result<Vec<(TermId, TermId)>, ExecuteError> {
        let mut columns = vec![steps.iter().map(|(relationship, _)| *relationship).collect()];
        columns.extend(key.iter().take(self.width - 1).map(|id| vec![*id; steps.len()]));
        let keep = self.compiled.filter(&Batch::new(columns, steps.len()), context)?;
        Ok(steps.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(step, _)| step).collect())
    }
}

fn constants(map: &crate::model::Map) -> Vec<(String, Expression)> {
    map.iter().map(|(name, value)| (name.clone(), Expression::Constant(value.clone()))).collect()
}

fn describe(path: &Path) -> String {
    let max = path.max.map_or(String::new(), |max| max.to_string());
    format!(
        "Path {:?} {} {:?}{{{},{max}}} {}",
        path.mode,
        describe_slot(&path.subject),
        path.step,
        path.min,
        describe_slot(&path.object)
    )
}

/// All paths of a pattern, with no end given by others.
pub struct PathScan {
    probe: PathProbe,
    /// What was found and not yet handed out.
    found: Batch,
    position: usize,
    is_open: bool,
}

impl PathScan {
    pub fn new(path: &Path, context: Arc<Context>) -> Result<PathScan, ExecuteError> {
        let probe = PathProbe::new(path, Vec::new(), context)?;
        let found = Batch::empty(probe.layout.width());
        Ok(PathScan { probe, found, position: 0, is_open: false })
    }
}

impl Operator for PathScan {
    fn next_batch(&mut self) -> Result<Option<Batch>, ExecuteError> {
        if !self.is_open {
            self.is_open = true;
            self.probe.probe(&[], &mut self.found)?;
            // Paths may bind nothing at all: two constant ends.
            self.probe.reservation.grow(bytes_of(self.found.rows(), self.found.width()))?;
        }
        Ok(self.found.next_part(&mut self.position))
    }

    fn layout(&self) -> &Layout {
        &self.probe.layout
    }

    fn describe(&self) -> String {
        describe(&self.probe.path)
    }
}

/// Returns whether a scope can hold quads at all.
fn filter_of(scope: &GraphScope) -> Option<GraphFilter> {
    scope.filter.clone()
}
