//! Walks over plans and expressions: children, the expressions an operator holds, the variables
//! they mention. What rewriting and printing stand on.

use std::collections::BTreeMap;

use super::{
    AggregateFunction, ApplyKind, Change, Expression, GraphTemplate, LogicalPlan, QuadTemplate, Slot,
    TermTemplate, Variable, VariableSet,
};

impl LogicalPlan {
    /// Returns the direct inputs, left to right; subplans included, plans in expressions not.
    pub fn inputs(&self) -> Vec<&LogicalPlan> {
        use LogicalPlan::*;
        match self {
            QuadScan(_)
            | MultiwayJoin(_)
            | EdgeScan(_)
            | Path(_)
            | Values { .. }
            | Argument { .. }
            | Service { .. } => vec![],
            Join { left, right }
            | LeftJoin { left, right, .. }
            | SemiJoin { left, right }
            | AntiJoin { left, right }
            | Minus { left, right } => vec![left, right],
            Apply { input, subplan, .. } => vec![input, subplan],
            Repeat(repeat) => vec![&repeat.input, &repeat.step],
            Merge { input, pattern, .. } => vec![input, pattern],
            Union(inputs) => inputs.iter().collect(),
            Filter { input, .. }
            | Extend { input, .. }
            | Unwind { input, .. }
            | Project { input, .. }
            | Distinct { input }
            | Aggregate { input, .. }
            | Sort { input, .. }
            | TopN { input, .. }
            | Slice { input, .. }
            | Assert { input, .. }
            | DistinctEdges { input, .. }
            | Call { input, .. }
            | LoadCsv { input, .. }
            | Modify { input, .. } => vec![input],
        }
    }

    /// Returns the variables that rows of this plan may bind, sorted.
    pub fn variables(&self) -> VariableSet {
        use LogicalPlan::*;
        let mut all = VariableSet::new();
        match self {
            MultiwayJoin(scans) => {
                let ends = |scan: &super::QuadScan| [scan.subject.variable(), scan.object.variable()];
                all.extend(scans.iter().flat_map(ends).flatten());
            }
            QuadScan(scan) => {
                all.extend(
                    [&scan.subject, &scan.predicate, &scan.object].iter().filter_map(|s| s.variable()),
                );
                all.extend(scan.graph.variable());
            }
            EdgeScan(scan) => {
                let slots = [&scan.subject, &scan.predicate, &scan.object, &scan.edge];
                all.extend(slots.iter().filter_map(|slot| slot.variable()));
                all.extend(scan.reifier);
                all.extend(scan.graph.variable());
            }
            Path(path) => {
                all.extend([&path.subject, &path.object].iter().filter_map(|slot| slot.variable()));
                all.extend(path.graph.variable());
                all.extend(path.edges.iter().chain(&path.path));
            }
            Repeat(repeat) => {
                all = repeat.input.variables();
                all.extend(repeat.bound());
            }
            Values { variables, .. } | Project { variables, .. } | Argument { variables } => {
                all.extend(variables);
            }
            Service { endpoint, variables, .. } => {
                all.extend(variables);
                all.extend(endpoint.variable());
            }
            SemiJoin { left, .. } | AntiJoin { left, .. } | Minus { left, .. } => all = left.variables(),
            Aggregate { keys, aggregates, .. } => {
                all.extend(keys);
                for (variable, aggregate) in aggregates {
                    all.insert(*variable);
                    if let AggregateFunction::CountTimes(times) = &aggregate.function {
                        all.extend(times);
                    }
                }
            }
            Apply { input, subplan, kind } => {
                all = input.variables();
                all.extend(kind.binds(subplan));
            }
            Join { .. }
            | LeftJoin { .. }
            | Union(_)
            | Filter { .. }
            | Distinct { .. }
            | Sort { .. }
            | TopN { .. }
            | Slice { .. }
            | Assert { .. }
            | DistinctEdges { .. }
            | Extend { .. }
            | Unwind { .. }
            | Call { .. }
            | LoadCsv { .. }
            | Modify { .. }
            | Merge { .. } => {
                for input in self.inputs() {
                    all.extend(input.variables());
                }
                all.extend(self.binds());
            }
        }
        all
    }

    /// Returns the variables that this operator itself adds to its input's.
    fn binds(&self) -> Vec<Variable> {
        use super::Change;
        fn changed(changes: &[Change]) -> impl Iterator<Item = Variable> + '_ {
            changes.iter().filter_map(|change| match change {
                Change::CreateNode { node, .. } => Some(*node),
                Change::CreateEdge { edge, .. } => Some(*edge),
                _ => None,
            })
        }
        match self {
            LogicalPlan::Extend { variable, .. }
            | LogicalPlan::Unwind { variable, .. }
            | LogicalPlan::LoadCsv { variable, .. } => vec![*variable],
            LogicalPlan::Call { yields, .. } => yields.iter().map(|(_, variable)| *variable).collect(),
            LogicalPlan::Modify { changes, .. } => changed(changes).collect(),
            LogicalPlan::Merge { create, .. } => changed(create).collect(),
            _ => vec![],
        }
    }
}

impl LogicalPlan {
    /// Returns the direct inputs, left to right, as [`LogicalPlan::inputs`] does.
    pub fn inputs_mut(&mut self) -> Vec<&mut LogicalPlan> {
        use LogicalPlan::*;
        match self {
            QuadScan(_)
            | MultiwayJoin(_)
            | EdgeScan(_)
            | Path(_)
            | Values { .. }
            | Argument { .. }
            | Service { .. } => vec![],
            Join { left, right }
            | LeftJoin { left, right, .. }
            | SemiJoin { left, right }
            | AntiJoin { left, right }
            | Minus { left, right } => vec![left, right],
            Apply { input, subplan, .. } => vec![input, subplan],
            Repeat(repeat) => vec![&mut repeat.input, &mut repeat.step],
            Merge { input, pattern, .. } => vec![input, pattern],
            Union(inputs) => inputs.iter_mut().collect(),
            Filter { input, .. }
            | Extend { input, .. }
            | Unwind { input, .. }
            | Project { input, .. }
            | Distinct { input }
            | Aggregate { input, .. }
            | Sort { input, .. }
            | TopN { input, .. }
            | Slice { input, .. }
            | Assert { input, .. }
            | DistinctEdges { input, .. }
            | Call { input, .. }
            | LoadCsv { input, .. }
            | Modify { input, .. } => vec![input],
        }
    }

    /// Replaces each direct input by what `f` makes of it.
    pub fn map_inputs(mut self, f: &mut dyn FnMut(LogicalPlan) -> LogicalPlan) -> LogicalPlan {
        for input in self.inputs_mut() {
            *input = f(std::mem::replace(input, LogicalPlan::nothing()));
        }
        self
    }

    /// Returns the expressions that this operator itself holds; those of its inputs not.
    pub fn expressions_mut(&mut self) -> Vec<&mut Expression> {
        use LogicalPlan::*;
        match self {
            Path(path) => path.edge_properties.iter_mut().collect(),
            LeftJoin { condition, .. } => condition.iter_mut().collect(),
            Filter { condition, .. } | Assert { condition, .. } => vec![condition],
            Extend { expression, .. }
            | Unwind { list: expression, .. }
            | LoadCsv { source: expression, .. } => vec![expression],
            Aggregate { aggregates, .. } => {
                aggregates.iter_mut().flat_map(|(_, aggregate)| aggregate.expressions_mut()).collect()
            }
            Sort { keys, .. } | TopN { keys, .. } => keys.iter_mut().map(|key| &mut key.expression).collect(),
            Slice { offset, limit, .. } => offset.iter_mut().chain(limit).collect(),
            Call { arguments, .. } => arguments.iter_mut().collect(),
            Apply { kind: ApplyKind::InBatches(batches), .. } => vec![&mut batches.rows],
            Modify { changes, .. } => changes.iter_mut().flat_map(Change::expressions_mut).collect(),
            Merge { create, on_match, on_create, .. } => {
                create.iter_mut().chain(on_match).chain(on_create).flat_map(Change::expressions_mut).collect()
            }
            QuadScan(_)
            | MultiwayJoin(_)
            | EdgeScan(_)
            | Repeat(_)
            | Values { .. }
            | Join { .. }
            | SemiJoin { .. }
            | AntiJoin { .. }
            | Minus { .. }
            | Apply { .. }
            | Argument { .. }
            | Union(_)
            | Project { .. }
            | Distinct { .. }
            | DistinctEdges { .. }
            | Service { .. } => vec![],
        }
    }

    /// Returns the slots that this operator itself holds.
    pub fn slots_mut(&mut self) -> Vec<&mut Slot> {
        use LogicalPlan::*;
        fn of_scan(scan: &mut super::QuadScan) -> [&mut Slot; 3] {
            [&mut scan.subject, &mut scan.predicate, &mut scan.object]
        }
        match self {
            QuadScan(scan) => of_scan(scan).into(),
            MultiwayJoin(scans) => scans.iter_mut().flat_map(of_scan).collect(),
            EdgeScan(scan) => {
                vec![&mut scan.subject, &mut scan.predicate, &mut scan.object, &mut scan.edge]
            }
            Path(path) => vec![&mut path.subject, &mut path.object],
            Service { endpoint, .. } => vec![endpoint],
            _ => vec![],
        }
    }

    /// Returns the expressions that this operator itself holds; those of its inputs not.
    pub fn expressions(&self) -> Vec<&Expression> {
        use LogicalPlan::*;
        match self {
            Path(path) => path.edge_properties.iter().collect(),
            LeftJoin { condition, .. } => condition.iter().collect(),
            Filter { condition, .. } | Assert { condition, .. } => vec![condition],
            Extend { expression, .. }
            | Unwind { list: expression, .. }
            | LoadCsv { source: expression, .. } => vec![expression],
            Aggregate { aggregates, .. } => {
                aggregates.iter().flat_map(|(_, aggregate)| aggregate.expressions()).collect()
            }
            Sort { keys, .. } | TopN { keys, .. } => keys.iter().map(|key| &key.expression).collect(),
            Slice { offset, limit, .. } => offset.iter().chain(limit).collect(),
            Call { arguments, .. } => arguments.iter().collect(),
            Apply { kind: ApplyKind::InBatches(batches), .. } => vec![&batches.rows],
            Modify { changes, .. } => changes.iter().flat_map(Change::expressions).collect(),
            Merge { create, on_match, on_create, .. } => {
                create.iter().chain(on_match).chain(on_create).flat_map(Change::expressions).collect()
            }
            _ => vec![],
        }
    }

    /// Returns every variable that this plan mentions anywhere, bound or not, in its inputs and in
    /// the plans of its expressions too.
    pub fn mentioned(&self) -> VariableSet {
        let mut all = VariableSet::new();
        collect_mentioned(self, &mut all);
        all
    }

    /// Returns how many operators and expressions mention each variable that a row of this plan may meet: of the
    /// branches of a union, a row meets one.
    pub fn mentions(&self) -> BTreeMap<Variable, usize> {
        let mut counts = BTreeMap::new();
        let of_inputs: Vec<_> = self.inputs().into_iter().map(LogicalPlan::mentions).collect();
        let is_union = matches!(self, LogicalPlan::Union(_));
        for (variable, count) in of_inputs.into_iter().flatten() {
            let all = counts.entry(variable).or_default();
            *all = if is_union { count.max(*all) } else { count + *all };
        }
        let mut own = VariableSet::new();
        collect_own(self, &mut own);
        match self {
            // Who compares rows reads all of them.
            LogicalPlan::Distinct { input } => own.extend(input.variables()),
            LogicalPlan::Aggregate { input, aggregates, .. }
                if aggregates
                    .iter()
                    .any(|(_, aggregate)| aggregate.distinct && aggregate.argument.is_none()) =>
            {
                own.extend(input.variables());
            }
            _ => {}
        }
        own.into_iter().for_each(|variable| *counts.entry(variable).or_default() += 1);
        counts
    }
}

fn collect_mentioned(plan: &LogicalPlan, all: &mut VariableSet) {
    collect_own(plan, all);
    for input in plan.inputs() {
        collect_mentioned(input, all);
    }
}

/// Collects what the operator itself mentions, and what its expressions do.
fn collect_own(plan: &LogicalPlan, all: &mut VariableSet) {
    use LogicalPlan::*;
    match plan {
        // A projection hides what it does not keep, but its inside still mentions it.
        Project { variables, .. } | Values { variables, .. } | Argument { variables } => {
            all.extend(variables)
        }
        Aggregate { keys, aggregates, .. } => {
            all.extend(keys);
            all.extend(aggregates.iter().map(|(variable, _)| variable));
        }
        Extend { variable, .. } | Unwind { variable, .. } | LoadCsv { variable, .. } => {
            all.insert(*variable);
        }
        DistinctEdges { edges, .. } => all.extend(edges),
        Repeat(repeat) => {
            all.insert(repeat.start);
            all.extend(repeat.bound().chain(repeat.read()));
        }
        Modify { changes, .. } => changes.iter().for_each(|change| change.mentioned(all)),
        Merge { create, on_match, on_create, .. } => {
            create.iter().chain(on_match).chain(on_create).for_each(|change| change.mentioned(all));
        }
        Call { yields, .. } => all.extend(yields.iter().map(|(_, variable)| variable)),
        Apply { kind, .. } => kind.mentioned(all),
        QuadScan(_) | MultiwayJoin(_) | EdgeScan(_) | Path(_) | Service { .. } => {
            all.extend(plan.variables())
        }
        _ => {}
    }
    for expression in plan.expressions() {
        all.extend(expression.variables());
    }
}

impl ApplyKind {
    /// Returns how a row is combined with the rows of the subplan, whether or not in batches.
    pub fn of_row(&self) -> &ApplyKind {
        match self {
            ApplyKind::InBatches(batches) => &batches.kind,
            kind => kind,
        }
    }

    /// Returns the variables that it adds to an input row.
    fn binds(&self, subplan: &LogicalPlan) -> VariableSet {
        match self {
            ApplyKind::Inner | ApplyKind::Left => subplan.variables(),
            ApplyKind::Exists(variable) | ApplyKind::Count(variable) | ApplyKind::Collect(variable, _) => {
                VariableSet::from([*variable])
            }
            ApplyKind::InBatches(batches) => {
                batches.kind.binds(subplan).into_iter().chain(batches.status).collect()
            }
        }
    }

    fn mentioned(&self, all: &mut VariableSet) {
        match self {
            ApplyKind::Exists(variable) | ApplyKind::Count(variable) => {
                all.insert(*variable);
            }
            ApplyKind::Collect(variable, element) => all.extend([*variable, *element]),
            ApplyKind::InBatches(batches) => {
                batches.kind.mentioned(all);
                all.extend(batches.status);
            }
            ApplyKind::Inner | ApplyKind::Left => {}
        }
    }
}

impl super::Aggregate {
    pub fn expressions_mut(&mut self) -> Vec<&mut Expression> {
        let second = match &mut self.function {
            AggregateFunction::PercentileDisc(p) | AggregateFunction::PercentileCont(p) => Some(&mut **p),
            _ => None,
        };
        self.argument.iter_mut().chain(second).collect()
    }

    pub fn expressions(&self) -> Vec<&Expression> {
        let second = match &self.function {
            AggregateFunction::PercentileDisc(p) | AggregateFunction::PercentileCont(p) => Some(&**p),
            _ => None,
        };
        self.argument.iter().chain(second).collect()
    }
}

impl Change {
    /// Returns the expressions of this change and of those within it.
    pub fn expressions_mut(&mut self) -> Vec<&mut Expression> {
        match self {
            Change::CreateNode { properties, .. } => properties.iter_mut().collect(),
            Change::CreateEdge { start, end, properties, .. } => {
                [start, end].into_iter().chain(properties).collect()
            }
            Change::SetProperty { entity, value, .. } => vec![entity, value],
            Change::SetProperties { entity, map, .. } => vec![entity, map],
            Change::SetDynamicLabels { node, labels } => vec![node, labels],
            Change::SetLabels { node, .. } | Change::RemoveLabels { node, .. } => vec![node],
            Change::DeleteEntity { entity, .. } => vec![entity],
            Change::ForEach { list, changes, .. } => std::iter::once(list)
                .chain(changes.iter_mut().flat_map(|change| change.expressions_mut()))
                .collect(),
            Change::Insert(_)
            | Change::Delete(_)
            | Change::Clear { .. }
            | Change::CreateGraph { .. }
            | Change::Load { .. } => vec![],
        }
    }

    /// Returns the expressions of this change and of those within it.
    pub fn expressions(&self) -> Vec<&Expression> {
        match self {
            Change::CreateNode { properties, .. } => properties.iter().collect(),
            Change::CreateEdge { start, end, properties, .. } => {
                [start, end].into_iter().chain(properties).collect()
            }
            Change::SetProperty { entity, value, .. } => vec![entity, value],
            Change::SetProperties { entity, map, .. } => vec![entity, map],
            Change::SetDynamicLabels { node, labels } => vec![node, labels],
            Change::SetLabels { node, .. } | Change::RemoveLabels { node, .. } => vec![node],
            Change::DeleteEntity { entity, .. } => vec![entity],
            Change::ForEach { list, changes, .. } => {
                std::iter::once(list).chain(changes.iter().flat_map(|change| change.expressions())).collect()
            }
            _ => vec![],
        }
    }

    /// Adds the variables that this change binds or reads, outside its expressions.
    fn mentioned(&self, all: &mut VariableSet) {
        match self {
            Change::Insert(quad) | Change::Delete(quad) => all.extend(quad.variables()),
            Change::CreateNode { node: variable, .. } | Change::CreateEdge { edge: variable, .. } => {
                all.insert(*variable);
            }
            Change::ForEach { variable, changes, .. } => {
                all.insert(*variable);
                changes.iter().for_each(|change| change.mentioned(all));
            }
            _ => {}
        }
    }
}

impl QuadTemplate {
    /// Returns the variables that the template reads, with repetitions.
    pub fn variables(&self) -> Vec<Variable> {
        let mut all = Vec::new();
        for term in [&self.subject, &self.predicate, &self.object] {
            term.collect(&mut all);
        }
        if let GraphTemplate::Variable(variable) = self.graph {
            all.push(variable);
        }
        all
    }
}

impl TermTemplate {
    fn collect(&self, all: &mut Vec<Variable>) {
        match self {
            TermTemplate::Variable(variable) => all.push(*variable),
            TermTemplate::Triple(parts) => parts.iter().for_each(|part| part.collect(all)),
            TermTemplate::Constant(_) | TermTemplate::BlankNode(_) => {}
        }
    }
}

impl From<Variable> for Slot {
    fn from(variable: Variable) -> Slot {
        Slot::Variable(variable)
    }
}

impl Expression {
    /// Returns the direct operands; plans of Exists not.
    pub fn children_mut(&mut self) -> Vec<&mut Expression> {
        match self {
            Expression::Constant(_)
            | Expression::Variable(_)
            | Expression::Parameter(_)
            | Expression::Exists(_) => vec![],
            Expression::Call(_, arguments) | Expression::List(arguments) => arguments.iter_mut().collect(),
            Expression::Map(entries) => entries.iter_mut().map(|(_, value)| value).collect(),
            Expression::Case { branches, otherwise } => branches
                .iter_mut()
                .flat_map(|(condition, value)| [condition, value])
                .chain(otherwise.iter_mut().map(|value| &mut **value))
                .collect(),
            Expression::ListComprehension { list, filter, map, .. } => std::iter::once(&mut **list)
                .chain(filter.iter_mut().map(|e| &mut **e))
                .chain(map.iter_mut().map(|e| &mut **e))
                .collect(),
            Expression::Reduce { init, list, step, .. } => vec![init, list, step],
            Expression::Quantifier { list, condition, .. } => vec![list, condition],
        }
    }

    /// Returns the direct operands; plans of Exists not.
    pub fn children(&self) -> Vec<&Expression> {
        match self {
            Expression::Constant(_)
            | Expression::Variable(_)
            | Expression::Parameter(_)
            | Expression::Exists(_) => vec![],
            Expression::Call(_, arguments) | Expression::List(arguments) => arguments.iter().collect(),
            Expression::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
            Expression::Case { branches, otherwise } => branches
                .iter()
                .flat_map(|(condition, value)| [condition, value])
                .chain(otherwise.iter().map(|value| &**value))
                .collect(),
            Expression::ListComprehension { list, filter, map, .. } => std::iter::once(&**list)
                .chain(filter.iter().map(|e| &**e))
                .chain(map.iter().map(|e| &**e))
                .collect(),
            Expression::Reduce { init, list, step, .. } => vec![init, list, step],
            Expression::Quantifier { list, condition, .. } => vec![list, condition],
        }
    }

    /// Applies `f` to every subexpression, operands first.
    pub fn rewrite(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        for child in self.children_mut() {
            child.rewrite(f);
        }
        f(self);
    }

    /// Hands every subexpression (operands, not plans) to `f`.
    pub fn visit(&self, f: &mut dyn FnMut(&Expression)) {
        f(self);
        self.children().into_iter().for_each(|child| child.visit(f));
    }

    /// Returns whether some subexpression (operands, not plans) satisfies the predicate.
    pub fn any(&self, predicate: &dyn Fn(&Expression) -> bool) -> bool {
        predicate(self) || self.children().into_iter().any(|child| child.any(predicate))
    }

    /// Returns the variables that the expression reads from its row; those that it binds itself
    /// (in a comprehension, say) not; those that the plan of an Exists mentions too.
    pub fn variables(&self) -> VariableSet {
        let mut all = VariableSet::new();
        self.collect_variables(&mut all);
        all
    }

    fn collect_variables(&self, all: &mut VariableSet) {
        match self {
            Expression::Variable(variable) => {
                all.insert(*variable);
            }
            Expression::Exists(plan) => all.extend(plan.mentioned()),
            _ => {
                let mut inner = VariableSet::new();
                self.children().into_iter().for_each(|child| child.collect_variables(&mut inner));
                for own in self.own_variables() {
                    inner.remove(&own);
                }
                all.extend(inner);
            }
        }
    }

    /// Returns the variables that the expression itself binds for its operands.
    pub fn own_variables(&self) -> Vec<Variable> {
        match self {
            Expression::ListComprehension { variable, .. } | Expression::Quantifier { variable, .. } => {
                vec![*variable]
            }
            Expression::Reduce { accumulator, variable, .. } => vec![*accumulator, *variable],
            _ => vec![],
        }
    }
}
