//! EXPLAIN: a plan as text, one operator a line, and as a tree for JSON.
//!
//! Variables are numbered in order of appearance, so equal plans print equal whatever language
//! they come from and whatever its text called them.

use std::collections::HashMap;
use std::fmt::Write;

use super::*;
use crate::model::{Literal, NamedNode, NamedOrBlankNode, Term, Value, Vocabulary, xsd};

/// Returns the plan as indented text; ends in a newline.
pub fn explain(query: &Query) -> String {
    let mut text = String::new();
    explain_tree(query).write(&mut text, 0);
    text
}

/// An operator of an explained plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub operator: &'static str,
    /// What the operator works with; may be empty.
    pub detail: String,
    pub inputs: Vec<Explained>,
}

/// Returns the plan as a tree.
pub fn explain_tree(query: &Query) -> Explained {
    let mut printer = Printer::default();
    let columns: Vec<Variable> = query.columns.iter().map(|column| column.variable).collect();
    let (operator, detail) = match &query.form {
        Form::Rows => ("Rows", printer.variables(&columns)),
        Form::Ask => ("Ask", String::new()),
        Form::Construct(template) => {
            ("Construct", template.iter().map(|quad| printer.quad(quad)).collect::<Vec<_>>().join(" . "))
        }
        Form::Describe { graph } => {
            let graph = printer.graph(graph);
            ("Describe", join_words([printer.variables(&columns), graph]))
        }
    };
    Explained { operator, detail, inputs: vec![printer.plan(&query.root)] }
}

impl Explained {
    fn write(&self, text: &mut String, depth: usize) {
        let line = join_words([self.operator.to_owned(), self.detail.clone()]);
        let _ = writeln!(text, "{:indent$}{line}", "", indent = depth * 2);
        self.inputs.iter().for_each(|input| input.write(text, depth + 1));
    }

    /// Returns `{"operator": ..., "detail": ..., "inputs": [...]}`, empty members left out.
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        object.insert("operator".to_owned(), self.operator.into());
        if !self.detail.is_empty() {
            object.insert("detail".to_owned(), self.detail.clone().into());
        }
        if !self.inputs.is_empty() {
            object.insert("inputs".to_owned(), self.inputs.iter().map(Explained::to_json).collect());
        }
        object.into()
    }
}

fn join_words(words: impl IntoIterator<Item = String>) -> String {
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Remembers the numbers of the variables.
#[derive(Default)]
struct Printer {
    numbers: HashMap<Variable, usize>,
    vocabulary: Vocabulary,
}

impl Printer {
    fn plan(&mut self, plan: &LogicalPlan) -> Explained {
        // Details first: numbers follow the order of the lines.
        let (operator, detail, plans) = self.describe(plan);
        let mut inputs: Vec<Explained> = plan.inputs().into_iter().map(|input| self.plan(input)).collect();
        inputs.extend(plans);
        Explained { operator, detail, inputs }
    }

    /// Returns the name and the detail of an operator, and the plans in its expressions.
    fn describe(&mut self, plan: &LogicalPlan) -> (&'static str, String, Vec<Explained>) {
        let mut exists = Vec::new();
        let (operator, detail) = match plan {
            LogicalPlan::QuadScan(scan) => ("Scan", self.scan(scan)),
            LogicalPlan::MultiwayJoin(scans) => {
                let scans: Vec<String> = scans.iter().map(|scan| self.scan(scan)).collect();
                ("MultiwayJoin", scans.join("; "))
            }
            LogicalPlan::EdgeScan(scan) => ("EdgeScan", self.edge_scan(scan)),
            LogicalPlan::Path(path) => ("Path", self.path(path)),
            LogicalPlan::Repeat(repeat) => ("Repeat", self.repeat(repeat)),
            LogicalPlan::Values { variables, rows } => ("Values", self.values(variables, rows)),
            LogicalPlan::Join { .. } => ("Join", String::new()),
            LogicalPlan::LeftJoin { condition, .. } => {
                ("LeftJoin", condition.as_ref().map(|c| self.expression(c, &mut exists)).unwrap_or_default())
            }
            LogicalPlan::SemiJoin { .. } => ("SemiJoin", String::new()),
            LogicalPlan::AntiJoin { .. } => ("AntiJoin", String::new()),
            LogicalPlan::Minus { .. } => ("Minus", String::new()),
            LogicalPlan::Apply { kind, .. } => ("Apply", self.apply(kind, &mut exists)),
            LogicalPlan::Argument { variables } => ("Argument", self.variables(variables)),
            LogicalPlan::Union(_) => ("Union", String::new()),
            LogicalPlan::Filter { condition, .. } => ("Filter", self.expression(condition, &mut exists)),
            LogicalPlan::Extend { variable, expression, .. } => {
                let variable = self.variable(*variable);
                ("Extend", format!("{variable} := {}", self.expression(expression, &mut exists)))
            }
            LogicalPlan::Unwind { list, variable, .. } => {
                let list = self.expression(list, &mut exists);
                ("Unwind", format!("{} in {list}", self.variable(*variable)))
            }
            LogicalPlan::LoadCsv { source, has_headers, separator, variable, .. } => {
                let source = self.expression(source, &mut exists);
                let headers = if *has_headers { " with headers" } else { "" };
                let separator = char::from(*separator);
                ("LoadCsv", format!("{} of {source} by {separator:?}{headers}", self.variable(*variable)))
            }
            LogicalPlan::Project { variables, .. } => ("Project", self.variables(variables)),
            LogicalPlan::Distinct { .. } => ("Distinct", String::new()),
            LogicalPlan::Aggregate { keys, aggregates, .. } => {
                let mut words = vec![self.variables(keys)];
                for (variable, aggregate) in aggregates {
                    let variable = self.variable(*variable);
                    words.push(format!("{variable} := {}", self.aggregate(aggregate, &mut exists)));
                }
                ("Aggregate", join_words(words))
            }
            LogicalPlan::Sort { keys, .. } => ("Sort", self.keys(keys, &mut exists)),
            LogicalPlan::TopN { keys, offset, limit, .. } => {
                let keys = self.keys(keys, &mut exists);
                ("TopN", format!("{limit} after {offset} by {keys}"))
            }
            LogicalPlan::Slice { offset, limit, .. } => {
                let mut word = |name: &str, bound: &Option<Expression>| match bound {
                    None => String::new(),
                    Some(bound) => format!("{name} {}", self.expression(bound, &mut exists)),
                };
                ("Slice", join_words([word("limit", limit), word("offset", offset)]))
            }
            LogicalPlan::Assert { condition, .. } => ("Assert", self.expression(condition, &mut exists)),
            LogicalPlan::DistinctEdges { edges, .. } => ("DistinctEdges", self.variables(edges)),
            LogicalPlan::Service { endpoint, silent, variables, .. } => {
                let silent = if *silent { "silent" } else { "" }.to_owned();
                ("Service", join_words([silent, self.slot(endpoint), self.variables(variables)]))
            }
            LogicalPlan::Call { procedure, arguments, yields, .. } => {
                let arguments: Vec<_> = arguments.iter().map(|a| self.expression(a, &mut exists)).collect();
                let variables: Vec<_> = yields.iter().map(|(_, variable)| *variable).collect();
                let call = format!("{procedure}({})", arguments.join(", "));
                ("Call", join_words([call, self.variables(&variables)]))
            }
            LogicalPlan::Modify { changes, .. } => ("Modify", self.changes(changes, &mut exists)),
            LogicalPlan::Merge { create, on_match, on_create, .. } => {
                let mut detail = self.changes(create, &mut exists);
                for (name, changes) in [("on match", on_match), ("on create", on_create)] {
                    if !changes.is_empty() {
                        let _ = write!(detail, " {name} {}", self.changes(changes, &mut exists));
                    }
                }
                ("Merge", detail)
            }
        };
        (operator, detail, exists)
    }

    fn variable(&mut self, variable: Variable) -> String {
        let next = self.numbers.len() + 1;
        format!("?{}", self.numbers.entry(variable).or_insert(next))
    }

    fn variables(&mut self, variables: &[Variable]) -> String {
        variables.iter().map(|variable| self.variable(*variable)).collect::<Vec<_>>().join(" ")
    }

    fn slot(&mut self, slot: &Slot) -> String {
        match slot {
            Slot::Variable(variable) => self.variable(*variable),
            Slot::Constant(term) => self.term(term),
            Slot::Parameter(parameter) => format!("${}", parameter.name),
        }
    }

    fn scan(&mut self, scan: &super::QuadScan) -> String {
        let words = [self.slot(&scan.subject), self.slot(&scan.predicate), self.slot(&scan.object)];
        let graph = self.graph(&scan.graph);
        let per_edge = if scan.per_edge { "per edge" } else { "" };
        join_words(words.into_iter().chain([graph, per_edge.to_owned()]))
    }

    fn edge_scan(&mut self, scan: &super::EdgeScan) -> String {
        let mut words = vec![self.slot(&scan.subject), self.slot(&scan.predicate), self.slot(&scan.object)];
        if !scan.predicates.is_empty() {
            words.push(format!("among {}", self.names(&scan.predicates, "|")));
        }
        words.push(format!("edge {}", self.slot(&scan.edge)));
        words.extend(scan.reifier.map(|reifier| format!("reifier {}", self.variable(reifier))));
        words.push(self.graph(&scan.graph));
        join_words(words)
    }

    fn path(&mut self, path: &super::Path) -> String {
        let subject = self.slot(&path.subject);
        let max = path.max.map(|max| max.to_string()).unwrap_or_default();
        let step = format!("({}){{{},{max}}}", self.step(&path.step), path.min);
        let mut words = vec![subject, step, self.slot(&path.object), format!("{:?}", path.mode)];
        for (name, variable) in [("edges", path.edges), ("path", path.path)] {
            words.extend(variable.map(|variable| format!("{name} {}", self.variable(variable))));
        }
        if let Some(properties) = &path.edge_properties {
            words.push(self.expression(properties, &mut Vec::new()));
        }
        words.push(self.graph(&path.graph));
        join_words(words)
    }

    fn repeat(&mut self, repeat: &super::Repeat) -> String {
        let max = repeat.max.map(|max| max.to_string()).unwrap_or_default();
        let (start, end) = (self.variable(repeat.start), self.variable(repeat.end));
        let (from, to) = (self.variable(repeat.from), self.variable(repeat.to));
        let direction = if repeat.is_reversed { "backward" } else { "" };
        let mut words = vec![format!("{start} ({from} {to}){{{},{max}}} {end}", repeat.min)];
        words.push(direction.to_owned());
        words.push(format!("edges {} of {}", self.variable(repeat.trail), self.variables(&repeat.edges)));
        for (own, list) in &repeat.lists {
            words.push(format!("{} := list {}", self.variable(*list), self.variable(*own)));
        }
        join_words(words)
    }

    fn step(&self, step: &PathExpression) -> String {
        match step {
            PathExpression::Predicates(names) => self.names(names, "|"),
            PathExpression::Not(names) => format!("!({})", self.names(names, "|")),
            PathExpression::Inverse(inner) => format!("^({})", self.step(inner)),
            PathExpression::Sequence(steps) => {
                steps.iter().map(|step| self.step(step)).collect::<Vec<_>>().join("/")
            }
            PathExpression::Alternative(steps) => {
                format!("({})", steps.iter().map(|step| self.step(step)).collect::<Vec<_>>().join("|"))
            }
            PathExpression::Repeat(inner, min, max) => {
                let max = max.map(|max| max.to_string()).unwrap_or_default();
                format!("({}){{{min},{max}}}", self.step(inner))
            }
        }
    }

    fn graph(&mut self, graph: &GraphSelector) -> String {
        match graph {
            GraphSelector::Default => String::new(),
            GraphSelector::Named(name) => format!("in {}", self.name(name)),
            GraphSelector::Merge(names) => format!("in merge({})", self.names(names, " ")),
            GraphSelector::Everything => "in everything".to_owned(),
            GraphSelector::Each(variable, None) => format!("in each {}", self.variable(*variable)),
            GraphSelector::Each(variable, Some(names)) => {
                format!("in each {} of ({})", self.variable(*variable), self.names(names, " "))
            }
        }
    }

    fn values(&mut self, variables: &[Variable], rows: &[Vec<Value>]) -> String {
        const ROWS_SHOWN: usize = 8;
        let mut words = vec![self.variables(variables)];
        for row in rows.iter().take(ROWS_SHOWN) {
            let row: Vec<_> = row.iter().map(|value| self.value(value)).collect();
            words.push(format!("({})", row.join(" ")));
        }
        if rows.len() > ROWS_SHOWN {
            words.push(format!("and {} more", rows.len() - ROWS_SHOWN));
        }
        join_words(words)
    }

    fn apply(&mut self, kind: &ApplyKind, exists: &mut Vec<Explained>) -> String {
        match kind {
            ApplyKind::Inner => "inner".to_owned(),
            ApplyKind::Left => "left".to_owned(),
            ApplyKind::Exists(variable) => format!("{} := exists", self.variable(*variable)),
            ApplyKind::Count(variable) => format!("{} := count", self.variable(*variable)),
            ApplyKind::Collect(list, element) => {
                format!("{} := collect {}", self.variable(*list), self.variable(*element))
            }
            ApplyKind::InBatches(batches) => {
                let mut words = vec![self.apply(&batches.kind, exists)];
                words.push(format!("in batches of {}", self.expression(&batches.rows, exists)));
                words.push(format!("on error {}", batches.on_error.name()));
                words.extend(batches.status.map(|status| format!("{} := status", self.variable(status))));
                words.join(", ")
            }
        }
    }

    fn aggregate(&mut self, aggregate: &super::Aggregate, exists: &mut Vec<Explained>) -> String {
        let argument = match &aggregate.argument {
            None => "*".to_owned(),
            Some(argument) => self.expression(argument, exists),
        };
        let distinct = if aggregate.distinct { "distinct " } else { "" };
        match &aggregate.function {
            AggregateFunction::GroupConcat { separator } => {
                format!("GroupConcat({distinct}{argument}, {separator:?})")
            }
            AggregateFunction::PercentileDisc(p) => {
                format!("PercentileDisc({distinct}{argument}, {})", self.expression(p, exists))
            }
            AggregateFunction::PercentileCont(p) => {
                format!("PercentileCont({distinct}{argument}, {})", self.expression(p, exists))
            }
            AggregateFunction::CountTimes(times) => {
                let times: Vec<String> = times.iter().map(|variable| self.variable(*variable)).collect();
                format!("CountTimes({})", times.join(", "))
            }
            function => format!("{function:?}({distinct}{argument})"),
        }
    }

    fn keys(&mut self, keys: &[SortKey], exists: &mut Vec<Explained>) -> String {
        let key = |key: &SortKey| {
            let direction = if key.descending { " desc" } else { "" };
            format!("{}{direction} ({:?})", self.expression(&key.expression, exists), key.order)
        };
        keys.iter().map(key).collect::<Vec<_>>().join(", ")
    }

    fn changes(&mut self, changes: &[Change], exists: &mut Vec<Explained>) -> String {
        changes.iter().map(|change| self.change(change, exists)).collect::<Vec<_>>().join("; ")
    }

    fn change(&mut self, change: &Change, exists: &mut Vec<Explained>) -> String {
        match change {
            Change::Insert(quad) => format!("insert {}", self.quad(quad)),
            Change::Delete(quad) => format!("delete {}", self.quad(quad)),
            Change::CreateNode { node, labels, .. } => {
                let node = self.variable(*node);
                let properties = self.operands(change, exists);
                join_words([format!("create node {node}"), labels.join(" "), properties])
            }
            Change::CreateEdge { edge, name, .. } => {
                let edge = self.variable(*edge);
                format!("create edge {edge} {name} {}", self.operands(change, exists))
            }
            Change::SetProperty { key, .. } => format!("set {key} {}", self.operands(change, exists)),
            Change::SetProperties { replace, .. } => {
                let verb = if *replace { "replace" } else { "set" };
                format!("{verb} properties {}", self.operands(change, exists))
            }
            Change::SetLabels { labels, .. } => {
                format!("set labels {} {}", labels.join(" "), self.operands(change, exists))
            }
            Change::SetDynamicLabels { .. } => format!("set labels {}", self.operands(change, exists)),
            Change::RemoveLabels { labels, .. } => {
                format!("remove labels {} {}", labels.join(" "), self.operands(change, exists))
            }
            Change::DeleteEntity { detach, .. } => {
                let verb = if *detach { "detach delete" } else { "delete" };
                format!("{verb} {}", self.operands(change, exists))
            }
            Change::ForEach { variable, list, changes } => {
                let list = self.expression(list, exists);
                let variable = self.variable(*variable);
                format!("for each {variable} in {list} ({})", self.changes(changes, exists))
            }
            Change::Clear { target, .. } => match target {
                GraphTarget::Default => "clear default".to_owned(),
                GraphTarget::Named(name) => format!("clear {}", self.name(name)),
                GraphTarget::AllNamed => "clear named".to_owned(),
                GraphTarget::All => "clear all".to_owned(),
            },
            Change::CreateGraph { graph, .. } => format!("create graph {}", self.name(graph)),
            Change::Load { source, .. } => format!("load {}", self.name(source)),
        }
    }

    fn operands(&mut self, change: &Change, exists: &mut Vec<Explained>) -> String {
        let operands = change.expressions();
        operands.into_iter().map(|operand| self.expression(operand, exists)).collect::<Vec<_>>().join(", ")
    }

    fn quad(&mut self, quad: &QuadTemplate) -> String {
        let mut words: Vec<String> = [&quad.subject, &quad.predicate, &quad.object]
            .into_iter()
            .map(|term| self.template(term))
            .collect();
        words.push(match &quad.graph {
            GraphTemplate::Default => String::new(),
            GraphTemplate::Named(name) => format!("in {}", self.name(name)),
            GraphTemplate::Variable(variable) => format!("in {}", self.variable(*variable)),
        });
        join_words(words)
    }

    fn template(&mut self, term: &TermTemplate) -> String {
        match term {
            TermTemplate::Constant(term) => self.term(term),
            TermTemplate::Variable(variable) => self.variable(*variable),
            TermTemplate::BlankNode(label) => format!("_:{label}"),
            TermTemplate::Triple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.template(part)).collect();
                format!("<<( {} )>>", parts.join(" "))
            }
        }
    }

    /// Prints an expression; the plans of its EXISTS go to `exists` and print as inputs.
    fn expression(&mut self, expression: &Expression, exists: &mut Vec<Explained>) -> String {
        let mut list = |printer: &mut Printer, items: &[Expression]| {
            items.iter().map(|item| printer.expression(item, exists)).collect::<Vec<_>>().join(", ")
        };
        match expression {
            Expression::Constant(value) => self.value(value),
            Expression::Variable(variable) => self.variable(*variable),
            Expression::Parameter(parameter) => format!("${}", parameter.name),
            Expression::Call(function, arguments) => {
                let name = match function {
                    Function::Cast(name) => format!("Cast<{}>", self.name(name)),
                    Function::Unknown(name) => format!("Unknown<{}>", self.name(name)),
                    function => format!("{function:?}"),
                };
                format!("{name}({})", list(self, arguments))
            }
            Expression::Case { branches, otherwise } => {
                let mut text = "case".to_owned();
                for (condition, value) in branches {
                    let condition = self.expression(condition, exists);
                    let _ = write!(text, " when {condition} then {}", self.expression(value, exists));
                }
                if let Some(otherwise) = otherwise {
                    let _ = write!(text, " else {}", self.expression(otherwise, exists));
                }
                text + " end"
            }
            Expression::List(items) => format!("[{}]", list(self, items)),
            Expression::Map(entries) => {
                let entry = |(key, value): &(String, Expression)| {
                    format!("{key}: {}", self.expression(value, exists))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
            Expression::Exists(plan) => {
                exists.push(self.plan(plan));
                format!("exists #{}", exists.len())
            }
            Expression::ListComprehension { variable, list, filter, map } => {
                let list = self.expression(list, exists);
                let mut text = format!("[{} in {list}", self.variable(*variable));
                for (word, part) in [(" where ", filter), (" | ", map)] {
                    if let Some(part) = part {
                        let _ = write!(text, "{word}{}", self.expression(part, exists));
                    }
                }
                text + "]"
            }
            Expression::Reduce { accumulator, init, variable, list, step } => {
                let (init, list) = (self.expression(init, exists), self.expression(list, exists));
                let (accumulator, variable) = (self.variable(*accumulator), self.variable(*variable));
                let step = self.expression(step, exists);
                format!("reduce({accumulator} = {init}, {variable} in {list} | {step})")
            }
            Expression::Quantifier { kind, variable, list, condition } => {
                let list = self.expression(list, exists);
                let variable = self.variable(*variable);
                format!("{kind:?}({variable} in {list} where {})", self.expression(condition, exists))
            }
        }
    }

    fn value(&self, value: &Value) -> String {
        match value {
            Value::Null => "undef".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => format!("{value:?}"),
            Value::String(value) => format!("{value:?}"),
            Value::Term(term) => self.term(term),
            Value::List(items) => {
                format!("[{}]", items.iter().map(|item| self.value(item)).collect::<Vec<_>>().join(", "))
            }
            Value::Map(map) => {
                let entries = map.iter().map(|(key, value)| format!("{key}: {}", self.value(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            other => format!("{other:?}"),
        }
    }

    fn term(&self, term: &Term) -> String {
        match term {
            Term::NamedNode(name) => self.name(name),
            Term::BlankNode(node) => node.to_string(),
            Term::Literal(literal) => self.literal(literal),
            Term::Triple(triple) => {
                let subject = match &triple.subject {
                    NamedOrBlankNode::NamedNode(name) => self.name(name),
                    NamedOrBlankNode::BlankNode(node) => node.to_string(),
                };
                format!("<<( {subject} {} {} )>>", self.name(&triple.predicate), self.term(&triple.object))
            }
        }
    }

    fn literal(&self, literal: &Literal) -> String {
        let datatype = literal.datatype();
        let canonical = crate::model::TermId::inline(literal).is_some();
        if canonical && (datatype == xsd::INTEGER || datatype == xsd::BOOLEAN) {
            literal.value().to_owned()
        } else if literal.language().is_some() || datatype == xsd::STRING {
            literal.to_string()
        } else {
            format!("{:?}^^{}", literal.value(), self.name(&datatype.into_owned()))
        }
    }

    fn name(&self, name: &NamedNode) -> String {
        let short = self.vocabulary.name(name.as_str());
        match short.split_once(':') {
            Some((prefix, _)) if self.vocabulary.prefixes.iter().any(|(known, _)| known == prefix) => short,
            _ => format!("<{}>", name.as_str()),
        }
    }

    fn names(&self, names: &[NamedNode], separator: &str) -> String {
        names.iter().map(|name| self.name(name)).collect::<Vec<_>>().join(separator)
    }
}
