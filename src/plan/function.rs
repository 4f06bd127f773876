//! Scalar functions: one name for one meaning.
//!
//! Where SPARQL and Cypher agree they share a function; where they differ each has its own, named
//! for its language. The executor knows functions, not languages.

use crate::model::NamedNode;

/// A scalar function. Unless it says otherwise: an undefined or ill-typed argument makes the
/// result undefined.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    // Logic, three-valued
    And,
    Or,
    Xor,
    Not,
    /// SPARQL's effective boolean value of one argument.
    EffectiveBoolean,
    /// Whether the argument is defined. Never undefined itself (BOUND, IS NOT NULL).
    IsDefined,
    /// The first defined argument.
    Coalesce,
    /// SPARQL's IF: (condition by EBV, then, else); an error in the condition is an error.
    If,

    // Comparison
    /// RDF term equality (sameTerm), or identity of two nodes.
    SameTerm,
    /// SPARQL's `=`: value equality, undefined where literals cannot be compared.
    SparqlEqual,
    /// Cypher's `=`: false across types, null-propagating inside lists and maps.
    CypherEqual,
    /// SPARQL `<`: numbers, strings, booleans, date and time values.
    SparqlLess,
    SparqlLessOrEqual,
    /// Cypher `<`: comparability, lists included; undefined across types.
    CypherLess,
    CypherLessOrEqual,
    /// `x IN (a, b, ...)`: first argument against the others by SparqlEqual.
    SparqlIn,
    /// `x IN list` by CypherEqual.
    CypherIn,
    /// The one term among integers in their canonical form, plain strings and nodes that equals a value by CypherEqual;
    /// undefined if there is none.
    LookupTerm,

    // Arithmetic. Sparql*: XSD promotion over integer, decimal, float, double (and date arithmetic).
    SparqlAdd,
    SparqlSubtract,
    SparqlMultiply,
    SparqlDivide,
    // Cypher*: 64-bit integers that fail the query on overflow and on division by zero, floats,
    // string and list concatenation, temporal arithmetic; ill-typed arguments fail the query.
    CypherAdd,
    CypherSubtract,
    CypherMultiply,
    CypherDivide,
    CypherModulo,
    CypherPower,
    UnaryMinus,
    UnaryPlus,

    // Numbers
    Abs,
    Ceil,
    Floor,
    /// SPARQL: half away from zero upwards (fn:round).
    SparqlRound,
    /// Cypher: round(x[, precision[, mode]]).
    CypherRound,
    Sign,
    Sqrt,
    Exp,
    Log,
    Log10,
    Sin,
    Cos,
    Tan,
    Cot,
    Asin,
    Acos,
    Atan,
    Atan2,
    Degrees,
    Radians,
    Haversin,
    Pi,
    E,
    IsNaN,
    /// Volatile: a double in [0, 1).
    Rand,

    // Terms
    Str,
    Lang,
    LangDirection,
    LangMatches,
    HasLang,
    HasLangDirection,
    Datatype,
    /// IRI(x): the second argument is the base IRI, if there is one.
    Iri,
    /// BNODE(): volatile. BNODE(x): equal for equal x in one row.
    BlankNode,
    StrDt,
    StrLang,
    StrLangDirection,
    IsIri,
    IsBlank,
    IsLiteral,
    IsNumeric,
    IsTriple,
    Triple,
    Subject,
    Predicate,
    Object,
    /// Volatile: a fresh `urn:uuid:` IRI.
    Uuid,
    /// Volatile: a fresh UUID as a string.
    StrUuid,
    /// A cast by an XSD constructor function.
    Cast(NamedNode),
    /// An IRI that names no function we know: always undefined.
    Unknown(NamedNode),

    // Strings, SPARQL: over simple and language-tagged strings, compatible arguments
    StrLen,
    SubStr,
    UCase,
    LCase,
    StrStarts,
    StrEnds,
    Contains,
    StrBefore,
    StrAfter,
    EncodeForUri,
    Concat,
    Regex,
    Replace,
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,

    // Strings, Cypher
    CypherStartsWith,
    CypherEndsWith,
    CypherContains,
    CypherRegex,
    CypherSubstring,
    CypherLeft,
    CypherRight,
    CypherTrim,
    CypherLTrim,
    CypherRTrim,
    CypherReplace,
    CypherSplit,
    CypherToLower,
    CypherToUpper,
    Reverse,
    CypherToString,
    CypherToInteger,
    CypherToFloat,
    CypherToBoolean,

    // Dates, SPARQL
    /// The moment of the query's start.
    Now,
    Year,
    Month,
    Day,
    Hours,
    Minutes,
    Seconds,
    Timezone,
    Tz,
    /// SEP-0002 ADJUST.
    Adjust,

    // Lists and maps, Cypher
    /// Size of a list or string.
    Size,
    Head,
    Last,
    Tail,
    Range,
    /// container[index or key]: list, map, node or relationship.
    Index,
    /// list[from..to]; either may be undefined-as-absent by way of a null constant.
    Slice,
    /// The keys of a map, node or relationship.
    Keys,
    /// Two maps as one; where both have a key, the second's value.
    MergeMaps,
    /// (map, keys, values): the map without these keys, without these values, and without nulls.
    CleanMap,

    // The graph, Cypher. These read the dataset.
    /// A property of a node, relationship, map or temporal value, by constant key.
    Property(String),
    /// The nodes, and reifiers, whose property `key` equals a value by CypherEqual: a list, each once, in no order.
    WithProperty(String),
    /// All properties of a node or relationship as a map.
    Properties,
    Labels,
    /// Whether a node has all of these labels, or a relationship that type.
    HasLabels(Vec<String>),
    /// The name of a relationship's type.
    RelationshipType,
    StartNode,
    EndNode,
    ElementId,
    /// A local integer for a node or relationship; stable within a process.
    Id,
    Nodes,
    Relationships,
    Length,
    /// (graph or undefined, subject, predicate, object): the relationship that this triple is.
    Relationship,
    /// (node, relationship, node, ...): the path through them.
    Path,
    /// Whether the argument is an IRI or blank node, so that Cypher may see it as a node.
    IsNode,
    /// Volatile: a fresh IRI for a new node, under the workspace's base.
    MintNode,
    Exists,
    Timestamp,

    // Temporal and spatial, Cypher: constructors from a map, a string or nothing
    CypherDate,
    CypherTime,
    CypherLocalTime,
    CypherDateTime,
    CypherLocalDateTime,
    CypherDuration,
    /// `date.truncate(...)`, `duration.between(...)` and their kin, by their full lower-case name.
    CypherTemporal(String),
    Point,
    Distance,

    // GraphQL filters that neither of the others has
    /// Case-sensitive regex on the string form.
    MatchesRegex,
}
