//! The functions that an expression may call: names, numbers and kinds of arguments, meanings.

use super::kind::Kind;
use crate::plan::{AggregateFunction, Expression, Function};

/// A scalar function, as far as binding and lowering need to know it.
pub struct Signature {
    pub min: usize,
    pub max: usize,
    /// The kinds that the first argument may have; any, if empty. Others are a mistake in the text.
    pub accepts: &'static [Kind],
    pub result: Kind,
    pub meaning: Meaning,
}

pub enum Meaning {
    Function(Function),
    /// `exists(pattern or property)`
    Exists,
    IsEmpty,
    NullIf,
}

/// Returns the scalar function of a lower-case name.
pub fn scalar(name: &str) -> Option<Signature> {
    use Function as F;
    const ANY: &[Kind] = &[];
    const LIST: &[Kind] = &[Kind::List(None)];
    const SIZED: &[Kind] = &[Kind::List(None), Kind::String];
    const NODE: &[Kind] = &[Kind::Node];
    const RELATIONSHIP: &[Kind] = &[Kind::Relationship];
    const ENTITY: &[Kind] = &[Kind::Node, Kind::Relationship];
    const ENTITY_OR_MAP: &[Kind] = &[Kind::Node, Kind::Relationship, Kind::Map];
    const PATH: &[Kind] = &[Kind::Path];
    let any = || Kind::Any;
    let (min, max, accepts, result, function) = match name {
        "abs" => (1, 1, ANY, any(), F::Abs),
        "ceil" => (1, 1, ANY, Kind::Float, F::Ceil),
        "floor" => (1, 1, ANY, Kind::Float, F::Floor),
        "round" => (1, 3, ANY, Kind::Float, F::CypherRound),
        "sign" => (1, 1, ANY, Kind::Integer, F::Sign),
        "sqrt" => (1, 1, ANY, Kind::Float, F::Sqrt),
        "exp" => (1, 1, ANY, Kind::Float, F::Exp),
        "log" => (1, 1, ANY, Kind::Float, F::Log),
        "log10" => (1, 1, ANY, Kind::Float, F::Log10),
        "sin" => (1, 1, ANY, Kind::Float, F::Sin),
        "cos" => (1, 1, ANY, Kind::Float, F::Cos),
        "tan" => (1, 1, ANY, Kind::Float, F::Tan),
        "cot" => (1, 1, ANY, Kind::Float, F::Cot),
        "asin" => (1, 1, ANY, Kind::Float, F::Asin),
        "acos" => (1, 1, ANY, Kind::Float, F::Acos),
        "atan" => (1, 1, ANY, Kind::Float, F::Atan),
        "atan2" => (2, 2, ANY, Kind::Float, F::Atan2),
        "degrees" => (1, 1, ANY, Kind::Float, F::Degrees),
        "radians" => (1, 1, ANY, Kind::Float, F::Radians),
        "haversin" => (1, 1, ANY, Kind::Float, F::Haversin),
        "pi" => (0, 0, ANY, Kind::Float, F::Pi),
        "e" => (0, 0, ANY, Kind::Float, F::E),
        "isnan" => (1, 1, ANY, Kind::Boolean, F::IsNaN),
        "rand" => (0, 0, ANY, Kind::Float, F::Rand),
        "randomuuid" => (0, 0, ANY, Kind::String, F::StrUuid),
        "tostring" => (1, 1, ANY, Kind::String, F::CypherToString),
        "tointeger" => (1, 1, ANY, Kind::Integer, F::CypherToInteger),
        "tofloat" => (1, 1, ANY, Kind::Float, F::CypherToFloat),
        "toboolean" => (1, 1, ANY, Kind::Boolean, F::CypherToBoolean),
        "left" => (2, 2, ANY, Kind::String, F::CypherLeft),
        "right" => (2, 2, ANY, Kind::String, F::CypherRight),
        "trim" | "btrim" => (1, 1, ANY, Kind::String, F::CypherTrim),
        "ltrim" => (1, 1, ANY, Kind::String, F::CypherLTrim),
        "rtrim" => (1, 1, ANY, Kind::String, F::CypherRTrim),
        "replace" => (3, 3, ANY, Kind::String, F::CypherReplace),
        "split" => (2, 2, ANY, Kind::List(None), F::CypherSplit),
        "substring" => (2, 3, ANY, Kind::String, F::CypherSubstring),
        "tolower" | "lower" => (1, 1, ANY, Kind::String, F::CypherToLower),
        "toupper" | "upper" => (1, 1, ANY, Kind::String, F::CypherToUpper),
        "reverse" => (1, 1, ANY, any(), F::Reverse),
        "size" | "char_length" | "character_length" => (1, 1, SIZED, Kind::Integer, F::Size),
        "head" => (1, 1, LIST, any(), F::Head),
        "last" => (1, 1, LIST, any(), F::Last),
        "tail" => (1, 1, LIST, Kind::List(None), F::Tail),
        "range" => (2, 3, ANY, Kind::List(Some(&Kind::Integer)), F::Range),
        "coalesce" => (1, usize::MAX, ANY, any(), F::Coalesce),
        "keys" => (1, 1, ENTITY_OR_MAP, Kind::List(Some(&Kind::String)), F::Keys),
        "properties" => (1, 1, ENTITY_OR_MAP, Kind::Map, F::Properties),
        "labels" => (1, 1, NODE, Kind::List(Some(&Kind::String)), F::Labels),
        "type" => (1, 1, RELATIONSHIP, Kind::String, F::RelationshipType),
        "startnode" => (1, 1, RELATIONSHIP, Kind::Node, F::StartNode),
        "endnode" => (1, 1, RELATIONSHIP, Kind::Node, F::EndNode),
        "id" => (1, 1, ENTITY, Kind::Integer, F::Id),
        "elementid" => (1, 1, ENTITY, Kind::String, F::ElementId),
        "nodes" => (1, 1, PATH, Kind::List(Some(&Kind::Node)), F::Nodes),
        "relationships" | "rels" => (1, 1, PATH, Kind::List(Some(&Kind::Relationship)), F::Relationships),
        "length" => (1, 1, PATH, Kind::Integer, F::Length),
        "lang" => (1, 1, ANY, Kind::String, F::Lang),
        "timestamp" => (0, 0, ANY, Kind::Integer, F::Timestamp),
        "date" => (0, 1, ANY, any(), F::CypherDate),
        "time" => (0, 1, ANY, any(), F::CypherTime),
        "localtime" => (0, 1, ANY, any(), F::CypherLocalTime),
        "datetime" => (0, 1, ANY, any(), F::CypherDateTime),
        "localdatetime" => (0, 1, ANY, any(), F::CypherLocalDateTime),
        "duration" => (1, 1, ANY, any(), F::CypherDuration),
        "point" => (1, 1, ANY, any(), F::Point),
        "distance" | "point.distance" => (2, 2, ANY, Kind::Float, F::Distance),
        "exists" => return Some(special(1, ANY, Kind::Boolean, Meaning::Exists)),
        "isempty" => {
            const EMPTIABLE: &[Kind] = &[Kind::List(None), Kind::String, Kind::Map];
            return Some(special(1, EMPTIABLE, Kind::Boolean, Meaning::IsEmpty));
        }
        "nullif" => return Some(special(2, ANY, Kind::Any, Meaning::NullIf)),
        _ => {
            let (min, max) = temporal(name)?;
            (min, max, ANY, any(), F::CypherTemporal(name.to_owned()))
        }
    };
    Some(Signature { min, max, accepts, result, meaning: Meaning::Function(function) })
}

fn special(arguments: usize, accepts: &'static [Kind], result: Kind, meaning: Meaning) -> Signature {
    Signature { min: arguments, max: arguments, accepts, result, meaning }
}

/// Returns how many arguments a temporal function takes, named with its namespace.
fn temporal(name: &str) -> Option<(usize, usize)> {
    let (namespace, function) = name.split_once('.')?;
    match (namespace, function) {
        ("date" | "time" | "localtime" | "datetime" | "localdatetime", "truncate") => Some((1, 3)),
        (
            "date" | "time" | "localtime" | "datetime" | "localdatetime",
            "transaction" | "statement" | "realtime",
        ) => Some((0, 1)),
        ("datetime", "fromepoch") => Some((2, 2)),
        ("datetime", "fromepochmillis") => Some((1, 1)),
        ("duration", "between" | "inmonths" | "indays" | "inseconds") => Some((2, 2)),
        _ => None,
    }
}

/// Returns whether the name, in lower case, is an aggregate function, and how many arguments it takes.
pub fn aggregate_arguments(name: &str) -> Option<usize> {
    match name {
        "count" | "sum" | "avg" | "min" | "max" | "collect" | "stdev" | "stdevp" => Some(1),
        "percentiledisc" | "percentilecont" => Some(2),
        _ => None,
    }
}

/// Returns the aggregate of a lower-case name; `second` is the second argument, where there is one.
pub fn aggregate(name: &str, second: Option<Expression>) -> Option<AggregateFunction> {
    let aggregate = match (name, second) {
        ("count", None) => AggregateFunction::Count,
        ("sum", None) => AggregateFunction::CypherSum,
        ("avg", None) => AggregateFunction::CypherAvg,
        ("min", None) => AggregateFunction::CypherMin,
        ("max", None) => AggregateFunction::CypherMax,
        ("collect", None) => AggregateFunction::Collect,
        ("stdev", None) => AggregateFunction::StDev,
        ("stdevp", None) => AggregateFunction::StDevP,
        ("percentiledisc", Some(second)) => AggregateFunction::PercentileDisc(Box::new(second)),
        ("percentilecont", Some(second)) => AggregateFunction::PercentileCont(Box::new(second)),
        _ => return None,
    };
    Some(aggregate)
}
