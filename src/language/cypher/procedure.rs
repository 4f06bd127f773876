//! Signatures of the procedures that CALL may name.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::kind::Kind;

/// What a procedure takes and yields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcedureSignature {
    /// (name, type), in order.
    pub arguments: Vec<(String, ProcedureType)>,
    /// The names of the result fields, in order.
    pub results: Vec<String>,
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

/// Returns the procedures that every session has; whoever runs the plan has their bodies.
pub fn built_in_procedures() -> &'static ProcedureSignatures {
    const RESULTS: [(&str, &[&str]); 4] = [
        ("db.labels", &["label"]),
        ("db.propertyKeys", &["propertyKey"]),
        ("db.relationshipTypes", &["relationshipType"]),
        ("dbms.components", &["name", "versions", "edition"]),
    ];
    static BUILT_IN: LazyLock<ProcedureSignatures> = LazyLock::new(|| {
        let signature = |results: &[&str]| ProcedureSignature {
            arguments: Vec::new(),
            results: results.iter().map(|field| (*field).to_owned()).collect(),
        };
        RESULTS.iter().map(|(name, results)| ((*name).to_owned(), signature(results))).collect()
    });
    &BUILT_IN
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
}
