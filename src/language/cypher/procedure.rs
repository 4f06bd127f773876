//! Signatures of the procedures that CALL may name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::kind::Kind;
use super::show;

/// What a procedure takes and yields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcedureSignature {
    /// (name, type), in order.
    pub arguments: Vec<(String, ProcedureType)>,
    /// How many of the last arguments may be left out; they are null then.
    pub optional: usize,
    /// The names of the result fields, in order.
    pub results: Vec<String>,
    /// Whether a call may change data.
    pub writes: bool,
}

/// The types that a procedure's argument may be declared with; null is always accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcedureType {
    Any,
    Boolean,
    Integer,
    /// An integer will do.
    Float,
    Number,
    String,
    Map,
    List,
    Node,
    Relationship,
    Path,
}

/// Signatures by full name.
pub type ProcedureSignatures = BTreeMap<String, ProcedureSignature>;

/// A procedure that every session has, as SHOW PROCEDURES tells of it.
pub struct BuiltIn {
    pub name: &'static str,
    arguments: &'static [(&'static str, ProcedureType)],
    optional: usize,
    /// (field, type) in order.
    results: &'static [(&'static str, &'static str)],
    pub writes: bool,
    pub description: &'static str,
}

impl BuiltIn {
    const fn new(
        name: &'static str,
        results: &'static [(&'static str, &'static str)],
        description: &'static str,
    ) -> BuiltIn {
        BuiltIn { name, arguments: &[], optional: 0, results, writes: false, description }
    }

    /// Takes these arguments, of which the last `optional` may be left out.
    const fn taking(self, arguments: &'static [(&'static str, ProcedureType)], optional: usize) -> BuiltIn {
        BuiltIn { arguments, optional, ..self }
    }

    const fn writing(self) -> BuiltIn {
        BuiltIn { writes: true, ..self }
    }

    fn signature(&self) -> ProcedureSignature {
        ProcedureSignature {
            arguments: self.arguments.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
            optional: self.optional,
            results: self.results.iter().map(|(field, _)| (*field).to_owned()).collect(),
            writes: self.writes,
        }
    }

    /// (name, type, whether it may be left out), in order.
    pub fn arguments(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let required = self.arguments.len() - self.optional;
        let arguments = self.arguments.iter().enumerate();
        arguments.map(move |(place, (name, kind))| (*name, kind.name(), place >= required))
    }

    /// (field, type), in order.
    pub fn results(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.results.iter().copied()
    }

    /// Returns the signature in the form of Neo4j's documentation.
    pub fn text(&self) -> String {
        let argument = |(name, kind, is_optional): (&str, &str, bool)| {
            format!("{name}{} :: {kind}", if is_optional { " = null" } else { "" })
        };
        let arguments: Vec<String> = self.arguments().map(argument).collect();
        let results: Vec<String> = self.results().map(|(field, kind)| format!("{field} :: {kind}")).collect();
        format!("{}({}) :: ({})", self.name, arguments.join(", "), results.join(", "))
    }
}

/// The procedures that every session has, sorted by name.
pub const BUILT_IN: &[BuiltIn] = &{
    use ProcedureType::{Any, List, Map, Node, String};
    const STRING: &str = "STRING";
    const STRINGS: &str = "LIST<STRING>";
    const INTEGER: &str = "INTEGER";
    const BOOLEAN: &str = "BOOLEAN";
    const NODES: &str = "LIST<NODE>";
    const RELATIONSHIPS: &str = "LIST<RELATIONSHIP>";
    const GRAPH: &[(&str, &str)] = &[("nodes", NODES), ("relationships", RELATIONSHIPS)];
    [
        BuiltIn::new("apoc.create.addLabels", &[("node", "NODE")], "Adds labels to nodes.")
            .taking(&[("nodes", Any), ("labels", List)], 0)
            .writing(),
        BuiltIn::new(
            "apoc.merge.node",
            &[("node", "NODE")],
            "Returns the nodes that have these labels and identifying properties, or makes one.",
        )
        .taking(&[("labels", List), ("identProps", Map), ("onCreateProps", Map), ("onMatchProps", Map)], 2)
        .writing(),
        BuiltIn::new(
            "apoc.merge.relationship",
            &[("rel", "RELATIONSHIP")],
            "Returns the relationships of a type between two nodes that have these identifying properties, or makes one.",
        )
        .taking(
            &[
                ("startNode", Node),
                ("relType", String),
                ("identProps", Map),
                ("onCreateProps", Map),
                ("endNode", Node),
                ("onMatchProps", Map),
            ],
            1,
        )
        .writing(),
        BuiltIn::new(
            "apoc.meta.data",
            &[
                ("label", STRING),
                ("property", STRING),
                ("count", INTEGER),
                ("unique", BOOLEAN),
                ("index", BOOLEAN),
                ("existence", BOOLEAN),
                ("type", STRING),
                ("array", BOOLEAN),
                ("sample", "LIST<ANY>"),
                ("left", INTEGER),
                ("right", INTEGER),
                ("other", STRINGS),
                ("otherLabels", STRINGS),
                ("elementType", STRING),
            ],
            "Tells of each label's and type's properties and relationships.",
        )
        .taking(&[("config", Map)], 1),
        BuiltIn::new("apoc.meta.graph", GRAPH, "Draws the labels, and the relationships between them.")
            .taking(&[("config", Map)], 1),
        BuiltIn::new("apoc.meta.schema", &[("value", "MAP")], "Tells of labels and types as one map.")
            .taking(&[("config", Map)], 1),
        BuiltIn::new(
            "apoc.meta.stats",
            &[
                ("labelCount", INTEGER),
                ("relTypeCount", INTEGER),
                ("propertyKeyCount", INTEGER),
                ("nodeCount", INTEGER),
                ("relCount", INTEGER),
                ("labels", "MAP"),
                ("relTypes", "MAP"),
                ("relTypesCount", "MAP"),
                ("stats", "MAP"),
            ],
            "Counts nodes by label and relationships by type.",
        ),
        BuiltIn::new(
            "apoc.meta.subGraph",
            GRAPH,
            "Draws these labels and types; all that are not excluded, if none are named.",
        )
        .taking(&[("config", Map)], 0),
        BuiltIn::new(
            "apoc.schema.nodes",
            &[
                ("name", STRING),
                ("label", "ANY"),
                ("properties", STRINGS),
                ("status", STRING),
                ("type", STRING),
                ("failure", STRING),
                ("populationProgress", "FLOAT"),
                ("size", INTEGER),
                ("valuesSelectivity", "FLOAT"),
                ("userDescription", STRING),
            ],
            "Lists the indexes and constraints of nodes.",
        )
        .taking(&[("config", Map)], 1),
        BuiltIn::new(
            "db.create.setNodeVectorProperty",
            &[],
            "Sets a property of a node to a vector.",
        )
        .taking(&[("node", Node), ("key", String), ("vector", List)], 0)
        .writing(),
        BuiltIn::new(
            "apoc.schema.properties.distinct",
            &[("value", "LIST<ANY>")],
            "Lists the values that a property has among the nodes of a label.",
        )
        .taking(&[("label", String), ("key", String)], 0),
        BuiltIn::new(
            "db.constraints.violations",
            &[("name", STRING), ("type", STRING), ("message", STRING)],
            "Lists what breaks the constraints.",
        ),
        BuiltIn::new("db.labels", &[("label", STRING)], "Lists the labels."),
        BuiltIn::new(
            "db.ping",
            &[("success", BOOLEAN)],
            "Answers, so that a client can tell that the database does.",
        ),
        BuiltIn::new("db.propertyKeys", &[("propertyKey", STRING)], "Lists the property keys."),
        BuiltIn::new(
            "db.relationshipTypes",
            &[("relationshipType", STRING)],
            "Lists the relationship types.",
        ),
        BuiltIn::new(
            "db.schema.nodeTypeProperties",
            &[
                ("nodeType", STRING),
                ("nodeLabels", STRINGS),
                ("propertyName", STRING),
                ("propertyTypes", STRINGS),
                ("mandatory", BOOLEAN),
            ],
            "Tells which properties nodes of the same labels have.",
        ),
        BuiltIn::new(
            "db.schema.relTypeProperties",
            &[
                ("relType", STRING),
                ("propertyName", STRING),
                ("propertyTypes", STRINGS),
                ("mandatory", BOOLEAN),
            ],
            "Tells which properties relationships of the same type have.",
        ),
        BuiltIn::new(
            "db.schema.visualization",
            GRAPH,
            "Draws the labels, and the relationships between them.",
        ),
        BuiltIn::new(
            "dbms.clientConfig",
            &[("name", STRING), ("description", STRING), ("value", STRING), ("dynamic", BOOLEAN)],
            "Lists the settings that clients may want to know: there are none.",
        ),
        BuiltIn::new(
            "dbms.components",
            &[("name", STRING), ("versions", STRINGS), ("edition", STRING)],
            "Lists what the server is made of.",
        ),
    ]
};

/// The procedures behind CREATE and DROP of constraints and indexes, under names that no CALL is written with.
pub const CREATE_RULE: &str = "CREATE RULE";
pub const DROP_RULE: &str = "DROP RULE";

const SCHEMA_COMMANDS: &[BuiltIn] = &{
    use ProcedureType::{Any, List, String};
    [
        BuiltIn::new(CREATE_RULE, &[], "Makes a constraint or an index.")
            .taking(
                &[
                    ("name", String),
                    ("mayExist", Any),
                    ("kind", String),
                    ("entity", String),
                    ("labels", List),
                    ("keys", List),
                ],
                0,
            )
            .writing(),
        BuiltIn::new(DROP_RULE, &[], "Drops a constraint or an index.")
            .taking(&[("name", String), ("mayBeAbsent", Any), ("isConstraint", Any)], 0)
            .writing(),
    ]
};

/// Returns the procedures that every session has, those behind SHOW included; whoever runs the plan has
/// their bodies.
pub fn built_in_procedures() -> &'static ProcedureSignatures {
    static SIGNATURES: LazyLock<ProcedureSignatures> = LazyLock::new(|| {
        let called = BUILT_IN
            .iter()
            .chain(SCHEMA_COMMANDS)
            .map(|procedure| (procedure.name.to_owned(), procedure.signature()));
        let shown = show::TABLES.iter().map(|table| (table.name.to_owned(), table.signature()));
        called.chain(shown).collect()
    });
    &SIGNATURES
}

impl ProcedureType {
    pub fn accepts(self, kind: Kind) -> bool {
        let wanted = match self {
            ProcedureType::Any => Kind::Any,
            ProcedureType::Boolean => Kind::Boolean,
            ProcedureType::Integer => Kind::Integer,
            ProcedureType::Float | ProcedureType::Number => {
                return kind.is_numeric() || kind.may_be(Kind::Float);
            }
            ProcedureType::String => Kind::String,
            ProcedureType::Map => Kind::Map,
            ProcedureType::List => Kind::List(None),
            ProcedureType::Node => Kind::Node,
            ProcedureType::Relationship => Kind::Relationship,
            ProcedureType::Path => Kind::Path,
        };
        kind.may_be(wanted)
    }

    fn name(self) -> &'static str {
        match self {
            ProcedureType::Any => "ANY",
            ProcedureType::Boolean => "BOOLEAN",
            ProcedureType::Integer => "INTEGER",
            ProcedureType::Float => "FLOAT",
            ProcedureType::Number => "INTEGER | FLOAT",
            ProcedureType::String => "STRING",
            ProcedureType::Map => "MAP",
            ProcedureType::List => "LIST<ANY>",
            ProcedureType::Node => "NODE",
            ProcedureType::Relationship => "RELATIONSHIP",
            ProcedureType::Path => "PATH",
        }
    }
}
