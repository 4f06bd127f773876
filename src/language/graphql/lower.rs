//! Lowering: a validated operation as one plan, and the shape of its response.
//!
//! Literal fields and to-one relations become left joins on the row of their object; lists become
//! a collected column of maps, whose own lists are collected within. One root list alone is the
//! plan's rows as they are; several root fields are one row of collected columns.

use std::collections::BTreeMap;

use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};
use async_graphql::{Pos, Positioned, Value as ConstValue};

use super::catalog::{Catalog, Field as CatalogField, FieldKind, Root, Target};
use super::schema::has_languages;
use super::select::{Selected, Selector};
use super::variables::{Arguments, to_value};
use super::{Fault, Operation};
use crate::model::{BlankNode, NamedNode, Term, Value, rdf};
use crate::plan::{
    Aggregate, AggregateFunction, ApplyKind, Column, Expression, FieldShape, Form, Function, LogicalPlan,
    ObjectShape, Output, QuadScan, Query, RootShape, ScalarShape, Session, Shape, Slot, SortKey, SortOrder,
    ValueShape, Variable, Variables,
};

/// Answers a document that holds introspection alone.
pub(super) type Introspect<'a> = &'a dyn Fn(&ExecutableDocument) -> Result<ConstValue, Fault>;

/// Lowers an operation that validation has passed.
pub(super) fn lower<'a>(
    catalog: &'a Catalog,
    document: &'a ExecutableDocument,
    operation: &'a Positioned<OperationDefinition>,
    arguments: &'a Arguments,
    session: &'a Session,
    introspect: Introspect<'_>,
) -> Result<Operation, Fault> {
    let selector = Selector { catalog, document, arguments, count: 0 };
    let mut lowering = Lowering { catalog, arguments, session, selector, variables: Variables::default() };
    let fields = lowering.selector.collect(None, &[&operation.node.selection_set.node])?;
    let introspected = introspection(document, operation, &fields, introspect)?;
    let is_data = |field: &&Selected<'_>| !field.field.name.node.starts_with("__");
    let rows = match fields.iter().filter(is_data).count() {
        1 => Rows::Direct,
        _ => Rows::Collected,
    };
    let mut row = Row::new(LogicalPlan::unit());
    let mut shape = Shape::default();
    for selected in &fields {
        let name = selected.field.name.node.as_str();
        let root = match catalog.roots.get(name) {
            _ if name == "__typename" => RootShape::Constant(Value::String("Query".to_owned())),
            _ if name.starts_with("__") => {
                RootShape::Constant(introspected.get(&selected.key).cloned().unwrap_or(Value::Null))
            }
            Some(root) => lowering.root(&mut row, *root, selected, rows)?,
            None => return Err(fault(selected.position, format!("unknown field '{name}'"))),
        };
        shape.fields.push((selected.key.clone(), root));
    }
    let columns =
        row.outputs.iter().map(|(name, variable)| Column { name: name.clone(), variable: *variable });
    let query = Query {
        form: Form::Rows,
        columns: columns.collect(),
        root: row.plan,
        variables: lowering.variables,
        writes: false,
    };
    Ok(Operation { query, shape })
}

/// Returns the values of `__schema` and `__type`, by response key. They are asked in an operation
/// of their own, so that what they stand beside is never executed.
fn introspection(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    fields: &[Selected<'_>],
    introspect: Introspect<'_>,
) -> Result<BTreeMap<String, Value>, Fault> {
    let asked = fields.iter().filter(|field| matches!(field.field.name.node.as_str(), "__schema" | "__type"));
    let mut items: Vec<Positioned<Selection>> = Vec::new();
    for selected in asked {
        let mut field = selected.field.clone();
        let all = selected.sets.iter().flat_map(|set| set.items.iter().cloned());
        field.selection_set.node = SelectionSet { items: all.collect() };
        field.directives.clear();
        items.push(Positioned::new(
            Selection::Field(Positioned::new(field, selected.position)),
            selected.position,
        ));
    }
    if items.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut alone = operation.clone();
    alone.node.selection_set.node = SelectionSet { items };
    alone.node.directives.clear();
    let document = ExecutableDocument {
        operations: async_graphql::parser::types::DocumentOperations::Single(alone),
        fragments: document.fragments.clone(),
    };
    match to_value(&introspect(&document)?) {
        Value::Map(map) => Ok(map),
        _ => Ok(BTreeMap::new()),
    }
}

/// Whether the rows of a root field are the plan's rows or one collected value.
#[derive(Clone, Copy, PartialEq)]
enum Rows {
    Direct,
    Collected,
}

pub(super) struct Lowering<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) arguments: &'a Arguments,
    pub(super) session: &'a Session,
    pub(super) selector: Selector<'a>,
    pub(super) variables: Variables,
}

/// A plan in the making, whose rows become objects.
pub(super) struct Row {
    pub(super) plan: LogicalPlan,
    /// What the shape reads: names, unique, and the variables behind them.
    outputs: Vec<(String, Variable)>,
    /// For a node and a functional predicate: the variable that every row binds to its object.
    pub(super) bound: BTreeMap<(Variable, NamedNode), Variable>,
    /// As `bound`, for variables that rows may leave undefined.
    optional: BTreeMap<(Variable, NamedNode), Variable>,
    /// What was computed of a node, by name.
    computed: Vec<(Slot, &'static str, Variable)>,
}

/// The arguments that order and cut a list.
#[derive(Default)]
struct Window {
    /// (field, whether descending)
    order: Vec<(SortField, bool)>,
    first: Option<i64>,
    offset: Option<i64>,
}

enum SortField {
    Id,
    Iri,
    Of(NamedNode),
}

impl Row {
    pub(super) fn new(plan: LogicalPlan) -> Row {
        Row {
            plan,
            outputs: Vec::new(),
            bound: BTreeMap::new(),
            optional: BTreeMap::new(),
            computed: Vec::new(),
        }
    }

    fn output(&mut self, name: &str, variable: Variable) -> Output {
        let is_taken = |name: &str| self.outputs.iter().any(|(taken, _)| taken == name);
        let mut key = name.to_owned();
        let mut number = 2;
        while is_taken(&key) {
            key = format!("{name}#{number}");
            number += 1;
        }
        self.outputs.push((key.clone(), variable));
        Output { column: self.outputs.len() - 1, key }
    }

    pub(super) fn update(&mut self, make: impl FnOnce(Box<LogicalPlan>) -> LogicalPlan) {
        let plan = std::mem::replace(&mut self.plan, LogicalPlan::unit());
        self.plan = make(Box::new(plan));
    }

    pub(super) fn join(&mut self, right: LogicalPlan) {
        self.update(|left| join(left, right));
    }

    fn extend(&mut self, variable: Variable, expression: Expression) {
        self.update(|input| LogicalPlan::Extend { input, variable, expression });
    }
}

impl<'a> Lowering<'a> {
    fn root(
        &mut self,
        row: &mut Row,
        root: Root,
        selected: &Selected<'a>,
        rows: Rows,
    ) -> Result<RootShape, Fault> {
        match root {
            Root::Many(place) => {
                let node = self.variables.named(selected.key.clone());
                let mut list = Row::new(self.class_scan(Slot::Variable(node), place));
                let object = self.list(&mut list, node, Target::Type(place), selected, "")?;
                Ok(self.root_rows(row, list, object, selected, rows, false))
            }
            Root::One(place) => {
                let id = self.id_argument(selected)?;
                let mut one = Row::new(self.class_scan(Slot::Constant(id.clone()), place));
                let object = self.object(&mut one, &Slot::Constant(id), Target::Type(place), selected, "")?;
                Ok(self.root_rows(row, one, object, selected, rows, true))
            }
            Root::Node => {
                let id = Slot::Constant(self.id_argument(selected)?);
                let (p, o) = (self.variables.fresh(), self.variables.fresh());
                let any = self.scan(id.clone(), Slot::Variable(p), Slot::Variable(o));
                let condition = Expression::Exists(Box::new(any));
                let input = Box::new(LogicalPlan::unit());
                let mut one = Row::new(LogicalPlan::Filter { input, condition });
                let object = self.object(&mut one, &id, Target::Node, selected, "")?;
                Ok(self.root_rows(row, one, object, selected, rows, true))
            }
            Root::Aggregate(place) => self.root_aggregate(row, place, selected),
        }
    }

    /// Makes a root field of rows and their shape: the rows themselves, or all of them as a value.
    fn root_rows(
        &mut self,
        row: &mut Row,
        rows: Row,
        object: ObjectShape,
        selected: &Selected<'a>,
        kind: Rows,
        is_one: bool,
    ) -> RootShape {
        if kind == Rows::Direct {
            let variables = rows.outputs.iter().map(|(_, variable)| *variable);
            row.plan = project(rows.plan, variables.collect());
            row.outputs = rows.outputs;
            return if is_one { RootShape::FirstRow(object) } else { RootShape::EachRow(object) };
        }
        let list = self.variables.named(selected.key.clone());
        let (plan, map) = self.mapped(rows);
        let collect = Aggregate {
            function: AggregateFunction::Collect,
            argument: Some(Expression::Variable(map)),
            distinct: false,
        };
        row.join(LogicalPlan::Aggregate {
            input: Box::new(plan),
            keys: Vec::new(),
            aggregates: vec![(list, collect)],
        });
        let output = row.output(&selected.key, list);
        let value = if is_one {
            ValueShape::FirstObject(output, object)
        } else {
            ValueShape::Objects(output, object)
        };
        RootShape::Value(FieldShape { key: selected.key.clone(), only_labels: None, value })
    }

    fn root_aggregate(
        &mut self,
        row: &mut Row,
        place: usize,
        selected: &Selected<'a>,
    ) -> Result<RootShape, Fault> {
        let node = self.variables.named(selected.key.clone());
        let mut rows = Row::new(self.class_scan(Slot::Variable(node), place));
        if let Some((condition, position)) = self.arguments.get(selected.field, "where") {
            self.restrict(&mut rows, node, Target::Type(place), &condition, position, 0)?;
        }
        let type_name = format!("{}Aggregate", self.catalog.types[place].name);
        let mut object = ObjectShape::default();
        let mut aggregates = Vec::new();
        for field in self.selector.collect(Some(Target::Type(place)), &selected.sets)? {
            let value = match field.field.name.node.as_str() {
                "__typename" => ValueShape::Constant(Value::String(type_name.clone())),
                _ => {
                    let count = self.variables.named(field.key.clone());
                    let all =
                        Aggregate { function: AggregateFunction::Count, argument: None, distinct: false };
                    aggregates.push((count, all));
                    let name = format!("{}.{}", selected.key, field.key);
                    ValueShape::Scalar(row.output(&name, count), ScalarShape::Int)
                }
            };
            object.fields.push(FieldShape { key: field.key, only_labels: None, value });
        }
        row.join(LogicalPlan::Aggregate { input: Box::new(rows.plan), keys: Vec::new(), aggregates });
        let value = ValueShape::Inline(object);
        Ok(RootShape::Value(FieldShape { key: selected.key.clone(), only_labels: None, value }))
    }

    /// Lowers the arguments and fields of a list whose elements `row` binds to `node`.
    fn list(
        &mut self,
        row: &mut Row,
        node: Variable,
        target: Target,
        selected: &Selected<'a>,
        prefix: &str,
    ) -> Result<ObjectShape, Fault> {
        if let Some((condition, position)) = self.arguments.get(selected.field, "where") {
            self.restrict(row, node, target, &condition, position, 0)?;
        }
        let window = self.window(target, selected)?;
        let fields = self.selector.collect(Some(target), &selected.sets)?;
        let slot = Slot::Variable(node);
        let mut object = ObjectShape::default();
        let (lists, flat): (Vec<_>, Vec<_>) = fields.iter().partition(|field| self.has_lists(target, field));
        let mut shapes = self.fields(row, &slot, target, &flat, &mut object, prefix)?;
        let keys = self.sort_keys(row, node, &window);
        self.cut(row, &keys, &window);
        if !lists.is_empty() {
            // What is cut first is nested for few; but only Sort promises an order.
            shapes.extend(self.fields(row, &slot, target, &lists, &mut object, prefix)?);
            if !keys.is_empty() {
                row.update(|input| LogicalPlan::Sort { input, keys });
            }
        }
        object.fields = in_order(&fields, shapes);
        Ok(object)
    }

    /// Lowers the fields of a single object.
    fn object(
        &mut self,
        row: &mut Row,
        node: &Slot,
        target: Target,
        selected: &Selected<'a>,
        prefix: &str,
    ) -> Result<ObjectShape, Fault> {
        let fields = self.selector.collect(Some(target), &selected.sets)?;
        let mut object = ObjectShape::default();
        let all: Vec<&Selected<'a>> = fields.iter().collect();
        object.fields = self.fields(row, node, target, &all, &mut object, prefix)?;
        Ok(object)
    }

    fn fields(
        &mut self,
        row: &mut Row,
        node: &Slot,
        target: Target,
        fields: &[&Selected<'a>],
        object: &mut ObjectShape,
        prefix: &str,
    ) -> Result<Vec<FieldShape>, Fault> {
        let mut shapes = Vec::new();
        for selected in fields {
            let owner = selected.only.map_or(target, Target::Type);
            let name = selected.field.name.node.as_str();
            let path = format!("{prefix}{}", selected.key);
            if object.labels.is_none()
                && target == Target::Node
                && (selected.only.is_some() || name == "__typename")
            {
                let labels = self.computed(row, "types", node);
                object.labels = Some(row.output(&format!("{prefix}types"), labels));
            }
            let value = match (name, owner) {
                ("__typename", Target::Type(place)) if selected.only.is_none() => {
                    ValueShape::Constant(Value::String(self.catalog.types[place].name.clone()))
                }
                ("__typename", _) => self.type_name(),
                ("id", _) => {
                    let id = self.computed(row, "id", node);
                    ValueShape::Scalar(row.output(&path, id), ScalarShape::Text)
                }
                ("iri", _) => {
                    let iri = self.computed(row, "iri", node);
                    ValueShape::Scalar(row.output(&path, iri), ScalarShape::Text)
                }
                ("types", _) => {
                    let types = self.computed(row, "types", node);
                    ValueShape::Scalars(row.output(&path, types), ScalarShape::Text)
                }
                (_, Target::Type(place)) => match self.catalog.types[place].fields.get(name) {
                    Some(field) => self.field(row, node, field, selected, &path)?,
                    None => return Err(fault(selected.position, format!("unknown field '{name}'"))),
                },
                (_, Target::Node) => return Err(fault(selected.position, format!("unknown field '{name}'"))),
            };
            let label = |place: usize| vec![self.catalog.types[place].label.clone()];
            let only_labels = selected.only.map(label);
            shapes.push(FieldShape { key: selected.key.clone(), only_labels, value });
        }
        Ok(shapes)
    }

    fn field(
        &mut self,
        row: &mut Row,
        node: &Slot,
        field: &'a CatalogField,
        selected: &Selected<'a>,
        path: &str,
    ) -> Result<ValueShape, Fault> {
        let name = selected.field.name.node.as_str();
        match &field.kind {
            FieldKind::Literal { scalar, is_list: false, .. } => {
                let value = self.functional(row, node, &field.predicate, name);
                Ok(ValueShape::Scalar(row.output(path, value), scalar.shape()))
            }
            FieldKind::Literal { scalar, datatypes, is_list: true } => {
                let list = self.literals(row, node, field, selected, has_languages(datatypes));
                Ok(ValueShape::Scalars(row.output(path, list), scalar.shape()))
            }
            FieldKind::Relation { target, is_list: false, .. } => {
                self.relation(row, node, field, *target, selected, path)
            }
            FieldKind::Relation { target, is_list: true, is_inverse } => {
                let other = self.variables.named(name);
                let hop = self.hop(node, &field.predicate, other, *is_inverse);
                let mut inner = Row::new(self.correlated(node, hop));
                let object = self.list(&mut inner, other, *target, selected, "")?;
                let (subplan, map) = self.mapped(inner);
                let list = self.collected(row, name, subplan, map);
                Ok(ValueShape::Objects(row.output(path, list), object))
            }
        }
    }

    /// Returns the variable of a functional field's value; a left join makes it, if need be.
    fn functional(&mut self, row: &mut Row, node: &Slot, predicate: &NamedNode, name: &str) -> Variable {
        let key = node.variable().map(|node| (node, predicate.clone()));
        let known = key.as_ref().and_then(|key| row.bound.get(key).or_else(|| row.optional.get(key)));
        if let Some(variable) = known {
            return *variable;
        }
        let variable = self.variables.named(name);
        let scan =
            self.scan(node.clone(), Slot::Constant(predicate.clone().into()), Slot::Variable(variable));
        row.update(|left| LogicalPlan::LeftJoin { left, right: Box::new(scan), condition: None });
        if let Some(key) = key {
            row.optional.insert(key, variable);
        }
        variable
    }

    /// Lowers a relation to at most one object, whose fields then share the row.
    fn relation(
        &mut self,
        row: &mut Row,
        node: &Slot,
        field: &'a CatalogField,
        target: Target,
        selected: &Selected<'a>,
        path: &str,
    ) -> Result<ValueShape, Fault> {
        let prefix = format!("{path}.");
        let known = node.variable().and_then(|node| row.bound.get(&(node, field.predicate.clone())).copied());
        if let Some(other) = known {
            let object = self.object(row, &Slot::Variable(other), target, selected, &prefix)?;
            return Ok(ValueShape::Inline(object));
        }
        let other = self.variables.named(selected.field.name.node.as_str());
        let hop = self.hop(node, &field.predicate, other, false);
        let left = std::mem::replace(&mut row.plan, hop);
        let presence = self.computed(row, "id", &Slot::Variable(other));
        let presence = row.output(&format!("{prefix}id"), presence);
        let mut object = self.object(row, &Slot::Variable(other), target, selected, &prefix)?;
        row.update(|right| LogicalPlan::LeftJoin { left: Box::new(left), right, condition: None });
        object.presence = Some(presence);
        Ok(ValueShape::Inline(object))
    }

    /// Collects the values of a literal field: in the order of the languages asked for, then of
    /// the values.
    fn literals(
        &mut self,
        row: &mut Row,
        node: &Slot,
        field: &CatalogField,
        selected: &Selected<'a>,
        has_languages: bool,
    ) -> Variable {
        let name = selected.field.name.node.as_str();
        let value = self.variables.named(name);
        let scan =
            self.scan(node.clone(), Slot::Constant(field.predicate.clone().into()), Slot::Variable(value));
        let mut subplan = self.correlated(node, scan);
        let mut keys = Vec::new();
        let languages = self.arguments.get(selected.field, "lang").filter(|_| has_languages);
        if let Some((ConstValue::List(languages), _)) = languages {
            let matches: Vec<Expression> = languages.iter().map(|range| lang_matches(value, range)).collect();
            let ranks = matches.iter().cloned().enumerate();
            let rank = Expression::Case {
                branches: ranks.map(|(rank, matches)| (matches, constant(rank as i64))).collect(),
                otherwise: None,
            };
            keys.push(ascending(rank));
            let condition = any_of(matches);
            subplan = LogicalPlan::Filter { input: Box::new(subplan), condition };
        }
        keys.push(ascending(Expression::Variable(value)));
        let subplan = LogicalPlan::Sort { input: Box::new(subplan), keys };
        self.collected(row, name, subplan, value)
    }

    /// Binds a new variable to the list of what `subplan` binds `value` to, for each row.
    fn collected(&mut self, row: &mut Row, name: &str, subplan: LogicalPlan, value: Variable) -> Variable {
        let list = self.variables.named(name);
        row.update(|input| LogicalPlan::Apply {
            input,
            subplan: Box::new(subplan),
            kind: ApplyKind::Collect(list, value),
        });
        list
    }

    /// Extends each row by a map of its outputs.
    fn mapped(&mut self, mut row: Row) -> (LogicalPlan, Variable) {
        let map = self.variables.fresh();
        let entries = std::mem::take(&mut row.outputs);
        let entries = entries.into_iter().map(|(name, variable)| (name, Expression::Variable(variable)));
        row.extend(map, Expression::Map(entries.collect()));
        (row.plan, map)
    }

    /// Returns the variable that holds `id`, `iri` or `types` of a node.
    fn computed(&mut self, row: &mut Row, name: &'static str, node: &Slot) -> Variable {
        let known = row.computed.iter().find(|(of, what, _)| of == node && *what == name);
        if let Some((_, _, variable)) = known {
            return *variable;
        }
        let variable = self.variables.named(name);
        row.extend(
            variable,
            match name {
                "id" => id_of(node),
                "iri" => iri_of(node),
                _ => labels_of(node),
            },
        );
        row.computed.push((node.clone(), name, variable));
        variable
    }

    fn type_name(&self) -> ValueShape {
        let names = self.catalog.types.iter().map(|ty| (ty.label.clone(), ty.name.clone()));
        ValueShape::TypeName { names: names.collect(), otherwise: "Entity".to_owned() }
    }

    /// Returns whether a field needs rows of its own for each object.
    fn has_lists(&mut self, target: Target, selected: &Selected<'a>) -> bool {
        let Target::Type(place) = selected.only.map_or(target, Target::Type) else { return false };
        let kind =
            self.catalog.types[place].fields.get(selected.field.name.node.as_str()).map(|field| &field.kind);
        match kind {
            None | Some(FieldKind::Literal { is_list: false, .. }) => false,
            Some(FieldKind::Literal { is_list: true, .. } | FieldKind::Relation { is_list: true, .. }) => {
                true
            }
            Some(FieldKind::Relation { target, is_list: false, .. }) => {
                let fields = self.selector.collect(Some(*target), &selected.sets).unwrap_or_default();
                fields.iter().any(|field| self.has_lists(*target, field))
            }
        }
    }

    fn id_argument(&self, selected: &Selected<'a>) -> Result<Term, Fault> {
        let (id, position) = match self.arguments.get(selected.field, "id") {
            Some((ConstValue::String(id), position)) => (id, position),
            Some((ConstValue::Number(id), position)) => (id.to_string(), position),
            _ => return Err(fault(selected.position, "'id' has no value".to_owned())),
        };
        term_of_id(&id).ok_or_else(|| fault(position, format!("'{id}' is neither an IRI nor a blank node")))
    }

    fn window(&self, target: Target, selected: &Selected<'a>) -> Result<Window, Fault> {
        let mut window = Window::default();
        for (name, place) in [("first", &mut window.first), ("offset", &mut window.offset)] {
            match self.arguments.get(selected.field, name) {
                Some((ConstValue::Number(number), position)) => match number.as_i64() {
                    Some(number) if number >= 0 => *place = Some(number),
                    _ => return Err(fault(position, format!("'{name}' must be 0 or more, not {number}"))),
                },
                Some((ConstValue::Null, _)) | None => {}
                Some((other, position)) => {
                    return Err(fault(position, format!("'{name}' must be an integer, not {other}")));
                }
            }
        }
        let Some((order, position)) = self.arguments.get(selected.field, "orderBy") else {
            return Ok(window);
        };
        let orders = match order {
            ConstValue::List(orders) => orders,
            ConstValue::Null => Vec::new(),
            one => vec![one],
        };
        for order in orders {
            let ConstValue::Object(entries) = order else {
                return Err(fault(position, format!("'orderBy' takes {{field: ASC}}, not {order}")));
            };
            for (name, direction) in entries {
                let descending = match direction {
                    ConstValue::Null => continue,
                    ConstValue::Enum(name) if name == "ASC" => false,
                    ConstValue::String(name) if name == "ASC" => false,
                    ConstValue::Enum(name) if name == "DESC" => true,
                    ConstValue::String(name) if name == "DESC" => true,
                    other => {
                        return Err(fault(position, format!("'{name}' is ordered ASC or DESC, not {other}")));
                    }
                };
                window.order.push((self.sort_field(target, &name, position)?, descending));
            }
        }
        Ok(window)
    }

    fn sort_field(&self, target: Target, name: &str, position: Pos) -> Result<SortField, Fault> {
        match name {
            "id" => return Ok(SortField::Id),
            "iri" => return Ok(SortField::Iri),
            _ => {}
        }
        let field = match target {
            Target::Type(place) => self.catalog.types[place].fields.get(name),
            Target::Node => None,
        };
        match field {
            Some(CatalogField { predicate, kind: FieldKind::Literal { is_list: false, .. } }) => {
                Ok(SortField::Of(predicate.clone()))
            }
            _ => Err(fault(position, format!("'{name}' is no field to order by"))),
        }
    }

    fn sort_keys(&mut self, row: &mut Row, node: Variable, window: &Window) -> Vec<SortKey> {
        let mut keys = Vec::new();
        for (field, descending) in &window.order {
            let expression = match field {
                SortField::Id => id_of(&Slot::Variable(node)),
                SortField::Iri => iri_of(&Slot::Variable(node)),
                SortField::Of(predicate) => {
                    let name = self.session.vocabulary.name(predicate.as_str());
                    Expression::Variable(self.functional(row, &Slot::Variable(node), predicate, &name))
                }
            };
            keys.push(SortKey { expression, descending: *descending, order: SortOrder::Cypher });
        }
        keys
    }

    fn cut(&mut self, row: &mut Row, keys: &[SortKey], window: &Window) {
        if !keys.is_empty() {
            row.update(|input| LogicalPlan::Sort { input, keys: keys.to_vec() });
        }
        if window.first.is_some() || window.offset.is_some() {
            row.update(|input| LogicalPlan::Slice {
                input,
                offset: window.offset.map(constant),
                limit: window.first.map(constant),
            });
        }
    }

    fn class_scan(&self, node: Slot, place: usize) -> LogicalPlan {
        let class = self.catalog.types[place].class.clone();
        self.scan(node, Slot::Constant(rdf::TYPE.into_owned().into()), Slot::Constant(class.into()))
    }

    /// Returns the scan from `node` along `predicate`, or against it, to `other`.
    pub(super) fn hop(
        &self,
        node: &Slot,
        predicate: &NamedNode,
        other: Variable,
        is_inverse: bool,
    ) -> LogicalPlan {
        let predicate = Slot::Constant(predicate.clone().into());
        if is_inverse {
            self.scan(Slot::Variable(other), predicate, node.clone())
        } else {
            self.scan(node.clone(), predicate, Slot::Variable(other))
        }
    }

    pub(super) fn scan(&self, subject: Slot, predicate: Slot, object: Slot) -> LogicalPlan {
        let graph = self.session.default_graph.clone();
        LogicalPlan::QuadScan(Box::new(QuadScan::new(subject, predicate, object, graph)))
    }

    /// Returns a subplan of an Apply over rows that bind `node`.
    fn correlated(&self, node: &Slot, plan: LogicalPlan) -> LogicalPlan {
        match node.variable() {
            Some(node) => join(Box::new(LogicalPlan::Argument { variables: vec![node] }), plan),
            None => plan,
        }
    }
}

pub(super) fn fault(position: Pos, message: String) -> Fault {
    Fault { position, message, code: "BAD_USER_INPUT" }
}

pub(super) fn constant(value: i64) -> Expression {
    Expression::Constant(Value::Integer(value))
}

fn join(left: Box<LogicalPlan>, right: LogicalPlan) -> LogicalPlan {
    if left.is_unit() { right } else { LogicalPlan::Join { left, right: Box::new(right) } }
}

/// Projects, below a final Slice: rows are cut last, as the other languages do.
fn project(input: LogicalPlan, mut variables: Vec<Variable>) -> LogicalPlan {
    if let LogicalPlan::Slice { input, offset, limit } = input {
        return LogicalPlan::Slice { input: Box::new(project(*input, variables)), offset, limit };
    }
    let mut seen = std::collections::BTreeSet::new();
    variables.retain(|variable| seen.insert(*variable));
    LogicalPlan::Project { input: Box::new(input), variables }
}

fn ascending(expression: Expression) -> SortKey {
    SortKey { expression, descending: false, order: SortOrder::Cypher }
}

/// Returns the condition that holds where any of `conditions` does.
pub(super) fn any_of(conditions: Vec<Expression>) -> Expression {
    let or = |a, b| Expression::call(Function::Or, [a, b]);
    conditions.into_iter().reduce(or).unwrap_or(Expression::Constant(Value::Boolean(false)))
}

fn lang_matches(value: Variable, range: &ConstValue) -> Expression {
    let ConstValue::String(range) = range else { return Expression::Constant(Value::Boolean(false)) };
    let language = Expression::call(Function::Lang, [value.into()]);
    let range_value = Expression::Constant(Value::String(range.clone()));
    if range.is_empty() {
        return Expression::call(Function::SparqlEqual, [language, range_value]);
    }
    Expression::call(Function::LangMatches, [language, range_value])
}

/// Returns the node that an id names.
pub(super) fn term_of_id(id: &str) -> Option<Term> {
    match id.strip_prefix("_:") {
        Some(label) => BlankNode::new(label).ok().map(Term::from),
        None => NamedNode::new(id).ok().map(Term::from),
    }
}

fn id_of(node: &Slot) -> Expression {
    match node {
        Slot::Constant(Term::NamedNode(node)) => {
            Expression::Constant(Value::String(node.as_str().to_owned()))
        }
        Slot::Constant(term) => Expression::Constant(Value::String(term.to_string())),
        node => Expression::call(Function::ElementId, [node.expression()]),
    }
}

fn iri_of(node: &Slot) -> Expression {
    match node {
        Slot::Constant(Term::NamedNode(node)) => {
            Expression::Constant(Value::String(node.as_str().to_owned()))
        }
        Slot::Constant(_) => Expression::Constant(Value::Null),
        node => Expression::call(Function::Str, [node.expression()]),
    }
}

fn labels_of(node: &Slot) -> Expression {
    Expression::call(Function::Labels, [node.expression()])
}

/// Returns the shapes in the order of the selections that they were made from.
fn in_order(fields: &[Selected<'_>], mut shapes: Vec<FieldShape>) -> Vec<FieldShape> {
    // A key stands twice only for different types, whose objects never show both.
    let place = |shape: &FieldShape| fields.iter().position(|field| field.key == shape.key);
    shapes.sort_by_key(place);
    shapes
}
