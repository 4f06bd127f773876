//! Schemas derived from facts, kept by the content of the facts.

use std::sync::{Arc, Mutex, PoisonError};

use super::catalog::Catalog;
use super::lower::lower;
use super::schema::GraphqlSchema;
use super::select::check_size;
use super::variables::Arguments;
use super::{Fault, Operation, from_server_error, operation_of, parse, variables_of};
use crate::language::SyntaxError;
use crate::model::{Map, Vocabulary};
use crate::plan::{Schema, Session};

const SCHEMAS_MAX: usize = 8;

/// A GraphQL schema derived from the facts of one snapshot.
pub struct DerivedSchema {
    catalog: Catalog,
    schema: GraphqlSchema,
}

impl DerivedSchema {
    /// # Errors
    /// If async-graphql refuses the schema, which would be a mistake of ours in naming.
    pub fn new(schema: &Schema, vocabulary: &Vocabulary) -> Result<DerivedSchema, String> {
        let catalog = Catalog::new(schema, vocabulary);
        let schema = GraphqlSchema::new(&catalog).map_err(|error| error.to_string())?;
        Ok(DerivedSchema { catalog, schema })
    }

    /// Returns the schema in GraphQL's schema definition language.
    pub fn sdl(&self) -> String {
        self.schema.sdl()
    }

    /// Compiles one operation; see [`super::compile`]. `session` must hold the facts that this
    /// schema was derived from.
    pub fn compile(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: &Map,
        session: &Session,
    ) -> Result<Operation, Vec<SyntaxError>> {
        let one = |fault: Fault| vec![fault.into_error(text)];
        let document = parse(text).map_err(|error| vec![error])?;
        check_size(&document).map_err(one)?;
        let operation = operation_of(&document, operation_name).map_err(one)?;
        let given = variables_of(variables);
        let arguments = Arguments::new(&operation.node, &given).map_err(one)?;
        self.schema.validate(&document, operation_name, &given).map_err(|errors| {
            errors
                .into_iter()
                .map(|error| from_server_error(text, "GRAPHQL_VALIDATION_FAILED", error))
                .collect::<Vec<_>>()
        })?;
        let introspect = |document: &_| {
            self.schema.introspect(document, None, &given).map_err(|mut errors| {
                let error = errors.pop();
                let message = error.map_or_else(|| "introspection failed".to_owned(), |error| error.message);
                Fault { position: operation.pos, message, code: "GRAPHQL_VALIDATION_FAILED" }
            })
        };
        lower(&self.catalog, &document, operation, &arguments, session, &introspect).map_err(one)
    }
}

/// The schemas of the facts that were last asked for.
#[derive(Default)]
pub struct SchemaCache {
    /// Most recent last.
    schemas: Mutex<Vec<Entry>>,
}

struct Entry {
    schema: Schema,
    vocabulary: Vocabulary,
    derived: Arc<DerivedSchema>,
}

impl SchemaCache {
    /// Returns the schema of these facts, derived if it is not at hand.
    ///
    /// # Errors
    /// As [`DerivedSchema::new`].
    pub fn get(&self, schema: &Schema, vocabulary: &Vocabulary) -> Result<Arc<DerivedSchema>, String> {
        let is_same = |entry: &Entry| entry.vocabulary == *vocabulary && derive_alike(&entry.schema, schema);
        {
            let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = schemas.iter().position(is_same) {
                let entry = schemas.remove(place);
                let derived = entry.derived.clone();
                schemas.push(entry);
                return Ok(derived);
            }
        }
        let derived = Arc::new(DerivedSchema::new(schema, vocabulary)?);
        let mut schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        if schemas.len() >= SCHEMAS_MAX {
            schemas.remove(0);
        }
        schemas.push(Entry {
            schema: schema.clone(),
            vocabulary: vocabulary.clone(),
            derived: derived.clone(),
        });
        Ok(derived)
    }
}

/// Returns whether two sets of facts derive the same schema: they may differ in counts, which every
/// commit changes.
fn derive_alike(a: &Schema, b: &Schema) -> bool {
    let predicates = || a.predicates.iter().zip(&b.predicates);
    let classes = || a.classes.iter().zip(&b.classes);
    a.predicates.len() == b.predicates.len()
        && a.classes.len() == b.classes.len()
        && predicates().all(|((a, a_info), (b, b_info))| {
            a == b
                && a_info.is_functional == b_info.is_functional
                && a_info.has_node_objects == b_info.has_node_objects
                && a_info.has_literal_objects == b_info.has_literal_objects
                && a_info.datatypes == b_info.datatypes
                && a_info.object_classes == b_info.object_classes
        })
        && classes().all(|((a, a_info), (b, b_info))| {
            a == b
                && a_info.predicates == b_info.predicates
                && a_info.inverse_predicates == b_info.inverse_predicates
        })
}
