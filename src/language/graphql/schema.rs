//! The GraphQL schema of a catalog: validation, introspection and SDL by async-graphql.
//!
//! Its resolvers never run. An extension answers every validated operation with nothing, since
//! operations are lowered to plans elsewhere; only introspection is executed here.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use async_graphql::dynamic::{
    Enum, Field as DynamicField, FieldFuture, InputObject, InputValue, Interface, InterfaceField, Object,
    Scalar as DynamicScalar, Schema as DynamicSchema, SchemaError, TypeRef,
};
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{Request, Response, ServerError, Value as GraphqlValue, Variables};

use super::catalog::{Catalog, Field, FieldKind, ObjectType, Scalar, Target};

/// Selections may nest this deep; introspection by the usual tools needs 15.
const DEPTH_MAX: usize = 24;
/// Fields of one operation, fragments expanded.
const COMPLEXITY_MAX: usize = 5_000;
const DIRECTIVES_MAX: usize = 16;

pub(super) struct GraphqlSchema {
    schema: DynamicSchema,
}

impl GraphqlSchema {
    pub fn new(catalog: &Catalog) -> Result<GraphqlSchema, SchemaError> {
        let mut builder = DynamicSchema::build("Query", None, None)
            .extension(ValidateOnly)
            .limit_depth(DEPTH_MAX)
            .limit_complexity(COMPLEXITY_MAX)
            .limit_directives(DIRECTIVES_MAX)
            .register(query_root(catalog))
            .register(node_interface())
            .register(entity())
            .register(node_where())
            .register(list_where("Node"))
            .register(order_by("Node", &BTreeMap::new()))
            .register(
                Enum::new("SortDirection")
                    .item("ASC")
                    .item("DESC")
                    .description("Missing values come last in ascending order."),
            );
        for ty in &catalog.types {
            builder = builder
                .register(object(catalog, ty))
                .register(where_input(catalog, ty))
                .register(list_where(&ty.name))
                .register(order_by(&ty.name, &ty.fields))
                .register(aggregate(ty));
        }
        for filter in filters(catalog) {
            builder = builder.register(filter);
        }
        for (name, description) in [
            ("Date", "A date as `2024-02-29`."),
            ("DateTime", "A moment as `2024-02-29T12:00:00Z`."),
            ("Literal", "A literal of any type: a string, a number or a boolean."),
        ] {
            builder = builder.register(DynamicScalar::new(name).description(description));
        }
        Ok(GraphqlSchema { schema: builder.finish()? })
    }

    pub fn sdl(&self) -> String {
        self.schema.sdl()
    }

    /// Checks a document against the schema and the limits.
    pub fn validate(
        &self,
        document: &ExecutableDocument,
        operation_name: Option<&str>,
        variables: &Variables,
    ) -> Result<(), Vec<ServerError>> {
        let request = request(document, operation_name, variables).data(Validating);
        let response = block_on(self.schema.execute(request));
        if response.errors.is_empty() { Ok(()) } else { Err(response.errors) }
    }

    /// Answers an operation that selects nothing but `__schema`, `__type` and `__typename`.
    pub fn introspect(
        &self,
        document: &ExecutableDocument,
        operation_name: Option<&str>,
        variables: &Variables,
    ) -> Result<GraphqlValue, Vec<ServerError>> {
        let response = block_on(self.schema.execute(request(document, operation_name, variables)));
        if response.errors.is_empty() { Ok(response.data) } else { Err(response.errors) }
    }
}

fn request(document: &ExecutableDocument, operation_name: Option<&str>, variables: &Variables) -> Request {
    let mut request = Request::new("").variables(variables.clone());
    if let Some(name) = operation_name {
        request = request.operation_name(name);
    }
    request.set_parsed_query(document.clone());
    request
}

/// Runs a future that waits for nothing outside itself.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// Marks a request that is to be validated and not executed.
struct Validating;

struct ValidateOnly;

impl ExtensionFactory for ValidateOnly {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(ValidateOnly)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for ValidateOnly {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        match context.data_opt::<Validating>() {
            Some(Validating) => Response::default(),
            None => next.run(context, operation_name).await,
        }
    }
}

fn field(name: impl Into<String>, ty: TypeRef) -> DynamicField {
    DynamicField::new(name.into(), ty, |_| FieldFuture::from_value(None))
}

fn query_root(catalog: &Catalog) -> Object {
    use super::catalog::Root;
    let id = || {
        InputValue::new("id", TypeRef::named_nn(TypeRef::ID))
            .description("An IRI, or `_:b` for a blank node.")
    };
    catalog.roots.iter().fold(Object::new("Query"), |query, (name, root)| {
        query.field(match root {
            Root::Node => field(name, TypeRef::named("Node"))
                .argument(id())
                .description("The node of this id, if anything is said of it."),
            Root::One(place) => {
                let ty = &catalog.types[*place];
                field(name, TypeRef::named(&ty.name)).argument(id()).description(class_text(ty))
            }
            Root::Many(place) => {
                let ty = &catalog.types[*place];
                let list = field(name, TypeRef::named_nn_list_nn(&ty.name)).description(class_text(ty));
                list_arguments(list, &ty.name)
            }
            Root::Aggregate(place) => {
                let name_of = |suffix: &str| format!("{}{suffix}", catalog.types[*place].name);
                field(name, TypeRef::named_nn(name_of("Aggregate")))
                    .argument(InputValue::new("where", TypeRef::named(name_of("Where"))))
            }
        })
    })
}

fn class_text(ty: &ObjectType) -> String {
    format!("Instances of <{}>.", ty.class.as_str())
}

fn list_arguments(field: DynamicField, name: &str) -> DynamicField {
    field
        .argument(InputValue::new("where", TypeRef::named(format!("{name}Where"))))
        .argument(InputValue::new("orderBy", TypeRef::named_nn_list(format!("{name}OrderBy"))))
        .argument(InputValue::new("first", TypeRef::named(TypeRef::INT)))
        .argument(InputValue::new("offset", TypeRef::named(TypeRef::INT)))
}

fn node_interface() -> Interface {
    Interface::new("Node")
        .description("Whatever has an id.")
        .field(InterfaceField::new("id", TypeRef::named_nn(TypeRef::ID)))
        .field(InterfaceField::new("iri", TypeRef::named(TypeRef::STRING)))
        .field(InterfaceField::new("types", TypeRef::named_nn_list_nn(TypeRef::STRING)))
}

fn node_fields(object: Object) -> Object {
    object
        .implement("Node")
        .field(field("id", TypeRef::named_nn(TypeRef::ID)).description("The IRI, or `_:b` for a blank node."))
        .field(field("iri", TypeRef::named(TypeRef::STRING)).description("The IRI; null for a blank node."))
        .field(
            field("types", TypeRef::named_nn_list_nn(TypeRef::STRING))
                .description("The names of all classes that the node is an instance of."),
        )
}

fn entity() -> Object {
    node_fields(Object::new("Entity").description("A node of no class that the schema knows."))
}

fn object(catalog: &Catalog, ty: &ObjectType) -> Object {
    let object = node_fields(Object::new(&ty.name).description(class_text(ty)));
    ty.fields.iter().fold(object, |object, (name, known)| {
        let from = format!("<{}>", known.predicate.as_str());
        object.field(match &known.kind {
            FieldKind::Literal { scalar, is_list: false, .. } => {
                field(name, TypeRef::named(scalar.name())).description(from)
            }
            FieldKind::Literal { scalar, datatypes, is_list: true } => {
                let list = field(name, TypeRef::named_nn_list_nn(scalar.name())).description(from);
                if has_languages(datatypes) { list.argument(lang_argument()) } else { list }
            }
            FieldKind::Relation { target, is_list: false, .. } => {
                field(name, TypeRef::named(target_name(catalog, *target))).description(from)
            }
            FieldKind::Relation { target, is_list: true, is_inverse } => {
                let name_of = target_name(catalog, *target);
                let text = if *is_inverse { format!("{from}, read backwards") } else { from };
                let list = field(name, TypeRef::named_nn_list_nn(name_of)).description(text);
                list_arguments(list, name_of)
            }
        })
    })
}

/// Returns whether some literal of these datatypes has a language.
pub(super) fn has_languages(datatypes: &[crate::model::NamedNode]) -> bool {
    datatypes.iter().any(|datatype| datatype.as_ref() == crate::model::rdf::LANG_STRING)
}

fn lang_argument() -> InputValue {
    InputValue::new("lang", TypeRef::named_nn_list(TypeRef::STRING))
        .description("Only values in these languages, the first ones first; `*` is any language, `` none.")
}

pub(super) fn target_name(catalog: &Catalog, target: Target) -> &str {
    target_type(catalog, target).map_or("Node", |ty| ty.name.as_str())
}

fn target_type(catalog: &Catalog, target: Target) -> Option<&ObjectType> {
    match target {
        Target::Type(place) => catalog.types.get(place),
        Target::Node => None,
    }
}

fn where_fields(input: InputObject, name: &str) -> InputObject {
    let this = format!("{name}Where");
    input
        .field(InputValue::new("id", TypeRef::named("IDFilter")))
        .field(InputValue::new("and", TypeRef::named_nn_list(&this)))
        .field(InputValue::new("or", TypeRef::named_nn_list(&this)))
        .field(InputValue::new("not", TypeRef::named(&this)))
        .field(
            InputValue::new("exists", TypeRef::named(TypeRef::BOOLEAN))
                .description("As the only condition on a relation, false asks that it leads nowhere."),
        )
}

fn node_where() -> InputObject {
    where_fields(InputObject::new("NodeWhere"), "Node")
}

fn where_input(catalog: &Catalog, ty: &ObjectType) -> InputObject {
    let input = where_fields(InputObject::new(format!("{}Where", ty.name)), &ty.name);
    ty.fields.iter().fold(input, |input, (name, field)| {
        let filter = match &field.kind {
            FieldKind::Literal { scalar, .. } => format!("{}Filter", scalar.name()),
            FieldKind::Relation { target, is_list: false, .. } => {
                format!("{}Where", target_name(catalog, *target))
            }
            FieldKind::Relation { target, is_list: true, .. } => {
                format!("{}ListWhere", target_name(catalog, *target))
            }
        };
        input.field(InputValue::new(name, TypeRef::named(filter)))
    })
}

fn list_where(name: &str) -> InputObject {
    let one = || TypeRef::named(format!("{name}Where"));
    InputObject::new(format!("{name}ListWhere"))
        .field(InputValue::new("some", one()))
        .field(InputValue::new("all", one()))
        .field(InputValue::new("none", one()))
        .field(InputValue::new("exists", TypeRef::named(TypeRef::BOOLEAN)))
}

fn order_by(name: &str, fields: &BTreeMap<String, Field>) -> InputObject {
    let direction = |name: &str| InputValue::new(name, TypeRef::named("SortDirection"));
    let input = InputObject::new(format!("{name}OrderBy")).field(direction("id")).field(direction("iri"));
    let sortable = |kind: &FieldKind| matches!(kind, FieldKind::Literal { is_list: false, .. });
    fields
        .iter()
        .filter(|(_, field)| sortable(&field.kind))
        .fold(input, |input, (name, _)| input.field(direction(name)))
}

fn aggregate(ty: &ObjectType) -> Object {
    Object::new(format!("{}Aggregate", ty.name)).field(field("count", TypeRef::named_nn(TypeRef::INT)))
}

/// Returns the filter inputs of all scalars that fields have, and that of ids.
fn filters(catalog: &Catalog) -> Vec<InputObject> {
    let kinds = catalog.types.iter().flat_map(|ty| ty.fields.values()).map(|field| &field.kind);
    let used: BTreeSet<Scalar> = kinds
        .filter_map(|kind| match kind {
            FieldKind::Literal { scalar, .. } => Some(*scalar),
            FieldKind::Relation { .. } => None,
        })
        .collect();
    let one = |name: &str, ty: &str| InputValue::new(name, TypeRef::named(ty));
    let list = |name: &str, ty: &str| InputValue::new(name, TypeRef::named_nn_list(ty));
    let equality = |name: &str| {
        InputObject::new(format!("{name}Filter"))
            .field(one("eq", name))
            .field(one("ne", name))
            .field(list("in", name))
            .field(list("notIn", name))
    };
    let filter = |scalar: Scalar| {
        let name = scalar.name();
        let mut filter = equality(name).field(one("exists", TypeRef::BOOLEAN));
        if scalar != Scalar::Boolean {
            for operator in ["lt", "lte", "gt", "gte"] {
                filter = filter.field(one(operator, name));
            }
        }
        if matches!(scalar, Scalar::String | Scalar::Literal) {
            for operator in ["contains", "startsWith", "endsWith", "regex"] {
                filter = filter.field(one(operator, TypeRef::STRING));
            }
        }
        filter
    };
    used.into_iter().map(filter).chain([equality(TypeRef::ID)]).collect()
}
