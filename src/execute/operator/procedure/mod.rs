//! The procedures that every query may call. What they take and yield the language knows by itself, to
//! check a text without running it.

mod constraint_violations;
mod drawing;
mod meta;
mod names;
mod property_type;
mod schema;
mod schema_command;
mod schema_nodes;
mod survey;
mod writing;

use std::sync::Arc;

use self::constraint_violations::ConstraintViolations;
use self::meta::Meta;
use self::names::Names;
use self::schema::SchemaProcedure;
use self::schema_nodes::SchemaNodes;
pub(super) use self::writing::WritingProcedure;
use crate::execute::context::Procedure;
use crate::execute::{Context, ExecuteError};
use crate::model::Value;

/// The version of Neo4j whose features clients may count on.
pub const COMPATIBLE_VERSION: &str = "5.26.0";

/// Returns a procedure by its name, in any case.
pub fn built_in(name: &str) -> Option<Arc<dyn Procedure>> {
    Some(match name.to_ascii_lowercase().as_str() {
        "apoc.meta.data" => Arc::new(Meta::Data),
        "apoc.meta.graph" => Arc::new(Meta::Graph),
        "apoc.meta.schema" => Arc::new(Meta::Schema),
        "apoc.meta.stats" => Arc::new(Meta::Stats),
        "apoc.meta.subgraph" => Arc::new(Meta::SubGraph),
        "apoc.schema.nodes" => Arc::new(SchemaNodes::Rules),
        "apoc.schema.properties.distinct" => Arc::new(SchemaNodes::Distinct),
        "db.constraints.violations" => Arc::new(ConstraintViolations),
        "db.labels" => Arc::new(Names::Labels),
        "db.ping" => Arc::new(Fixed::Ping),
        "db.propertykeys" => Arc::new(Names::PropertyKeys),
        "db.relationshiptypes" => Arc::new(Names::RelationshipTypes),
        "db.schema.nodetypeproperties" => Arc::new(SchemaProcedure::NodeTypeProperties),
        "db.schema.reltypeproperties" => Arc::new(SchemaProcedure::RelTypeProperties),
        "db.schema.visualization" => Arc::new(SchemaProcedure::Visualization),
        "dbms.clientconfig" => Arc::new(Fixed::ClientConfig),
        "dbms.components" => Arc::new(Fixed::Components),
        _ => return None,
    })
}

/// Procedures that tell the same of every graph.
enum Fixed {
    /// What the server is made of: first what clients ask for to learn what it can do, then what it is.
    Components,
    ClientConfig,
    Ping,
}

impl Procedure for Fixed {
    fn fields(&self) -> Vec<String> {
        let fields: &[&str] = match self {
            Fixed::Components => &["name", "versions", "edition"],
            Fixed::ClientConfig => &["name", "description", "value", "dynamic"],
            Fixed::Ping => &["success"],
        };
        names_of(fields)
    }

    fn call(&self, _: &[Value], _: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        let component = |name: &str, version: &str| {
            vec![string(name), Value::List(vec![string(version)]), string("community")]
        };
        Ok(match self {
            Fixed::Components => vec![
                component("Neo4j Kernel", COMPATIBLE_VERSION),
                component("Reefloom", env!("CARGO_PKG_VERSION")),
            ],
            Fixed::ClientConfig => Vec::new(),
            Fixed::Ping => vec![vec![Value::Boolean(true)]],
        })
    }
}

fn names_of(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

fn string(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn strings(texts: impl IntoIterator<Item = String>) -> Value {
    Value::List(texts.into_iter().map(Value::String).collect())
}

fn integer(count: u64) -> Value {
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

fn map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
