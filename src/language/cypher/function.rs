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

/// The functions as SHOW FUNCTIONS tells of them, sorted by name: (name, category, description).
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("abs", "Numeric", "The magnitude of a number"),
    ("acos", "Trigonometric", "The angle in radians that has this cosine"),
    ("apoc.any.property", "Apoc", "A property of a node, relationship or map, by its name"),
    ("apoc.map.clean", "Apoc", "A map without some keys, some values, and nulls"),
    ("asin", "Trigonometric", "The angle in radians that has this sine"),
    ("atan", "Trigonometric", "The angle in radians that has this tangent"),
    ("atan2", "Trigonometric", "The angle in radians of a point"),
    ("avg", "Aggregating", "The mean of numbers or durations"),
    ("btrim", "String", "A string without white space at both ends"),
    ("ceil", "Numeric", "The least integer that is not below a number"),
    ("char_length", "String", "The number of characters of a string"),
    ("character_length", "String", "The number of characters of a string"),
    ("coalesce", "Scalar", "The first value that is not null"),
    ("collect", "Aggregating", "The values as a list"),
    ("cos", "Trigonometric", "The cosine of an angle in radians"),
    ("cot", "Trigonometric", "The cotangent of an angle in radians"),
    ("count", "Aggregating", "The number of values that are not null"),
    ("date", "Temporal", "A date of a string, a map or another value, or today"),
    ("date.realtime", "Temporal", "Today by the clock"),
    ("date.statement", "Temporal", "Today by the statement's clock"),
    ("date.transaction", "Temporal", "Today by the transaction's clock"),
    ("date.truncate", "Temporal", "A date cut to a unit"),
    ("datetime", "Temporal", "A date and time with a zone"),
    ("datetime.fromEpoch", "Temporal", "A date and time of seconds and nanoseconds since 1970"),
    ("datetime.fromEpochMillis", "Temporal", "A date and time of milliseconds since 1970"),
    ("datetime.realtime", "Temporal", "Now by the clock"),
    ("datetime.statement", "Temporal", "Now by the statement's clock"),
    ("datetime.transaction", "Temporal", "Now by the transaction's clock"),
    ("datetime.truncate", "Temporal", "A date and time cut to a unit"),
    ("degrees", "Trigonometric", "Radians as degrees"),
    ("distance", "Spatial", "The distance of two points"),
    ("duration", "Temporal", "A duration of a string or a map"),
    ("duration.between", "Temporal", "The duration between two moments"),
    ("duration.inDays", "Temporal", "The duration between two moments in days"),
    ("duration.inMonths", "Temporal", "The duration between two moments in months"),
    ("duration.inSeconds", "Temporal", "The duration between two moments in seconds"),
    ("e", "Logarithmic", "The base of natural logarithms"),
    ("elementId", "Scalar", "The element id of a node or relationship"),
    ("endNode", "Scalar", "The node that a relationship leads to"),
    ("exists", "Predicate", "Whether a pattern matches, or a property is there"),
    ("exp", "Logarithmic", "The power of e"),
    ("floor", "Numeric", "The greatest integer that is not above a number"),
    ("haversin", "Trigonometric", "Half the versine of an angle in radians"),
    ("head", "List", "The first item of a list"),
    ("id", "Scalar", "A number for a node or relationship"),
    ("isEmpty", "Predicate", "Whether a list, map or string holds nothing"),
    ("isNaN", "Numeric", "Whether a number is none"),
    ("keys", "List", "The names of the properties of a node, relationship or map"),
    ("labels", "List", "The labels of a node"),
    ("lang", "Scalar", "The language of a string"),
    ("last", "List", "The last item of a list"),
    ("left", "String", "The first characters of a string"),
    ("length", "Scalar", "The number of relationships of a path"),
    ("localdatetime", "Temporal", "A date and time without a zone"),
    ("localdatetime.realtime", "Temporal", "Now by the clock"),
    ("localdatetime.statement", "Temporal", "Now by the statement's clock"),
    ("localdatetime.transaction", "Temporal", "Now by the transaction's clock"),
    ("localdatetime.truncate", "Temporal", "A date and time without a zone, cut to a unit"),
    ("localtime", "Temporal", "A time without a zone"),
    ("localtime.realtime", "Temporal", "Now by the clock"),
    ("localtime.statement", "Temporal", "Now by the statement's clock"),
    ("localtime.transaction", "Temporal", "Now by the transaction's clock"),
    ("localtime.truncate", "Temporal", "A time without a zone, cut to a unit"),
    ("log", "Logarithmic", "The natural logarithm"),
    ("log10", "Logarithmic", "The logarithm to base 10"),
    ("lower", "String", "A string in lower case"),
    ("ltrim", "String", "A string without white space at its start"),
    ("max", "Aggregating", "The greatest value"),
    ("min", "Aggregating", "The least value"),
    ("nodes", "List", "The nodes of a path"),
    ("nullIf", "Scalar", "Null if two values are equal, else the first"),
    ("percentileCont", "Aggregating", "A percentile, between values if need be"),
    ("percentileDisc", "Aggregating", "The value next to a percentile"),
    ("pi", "Trigonometric", "The ratio of a circle's circumference to its diameter"),
    ("point", "Spatial", "A point of a map"),
    ("point.distance", "Spatial", "The distance of two points"),
    ("properties", "Scalar", "The properties of a node or relationship as a map"),
    ("radians", "Trigonometric", "Degrees as radians"),
    ("rand", "Numeric", "A random number from 0 up to 1"),
    ("range", "List", "The integers from one to another"),
    ("relationships", "List", "The relationships of a path"),
    ("rels", "List", "The relationships of a path"),
    ("replace", "String", "A string with a part replaced"),
    ("reverse", "String", "A string or list from back to front"),
    ("right", "String", "The last characters of a string"),
    ("round", "Numeric", "A number rounded"),
    ("rtrim", "String", "A string without white space at its end"),
    ("sign", "Numeric", "The sign of a number"),
    ("sin", "Trigonometric", "The sine of an angle in radians"),
    ("size", "Scalar", "The number of items of a list or of characters of a string"),
    ("split", "String", "The parts of a string between separators"),
    ("sqrt", "Logarithmic", "The square root"),
    ("startNode", "Scalar", "The node that a relationship comes from"),
    ("stDev", "Aggregating", "The standard deviation of a sample"),
    ("stDevP", "Aggregating", "The standard deviation of a whole"),
    ("substring", "String", "A part of a string"),
    ("sum", "Aggregating", "The sum of numbers or durations"),
    ("tail", "List", "A list without its first item"),
    ("tan", "Trigonometric", "The tangent of an angle in radians"),
    ("time", "Temporal", "A time with a zone"),
    ("time.realtime", "Temporal", "Now by the clock"),
    ("time.statement", "Temporal", "Now by the statement's clock"),
    ("time.transaction", "Temporal", "Now by the transaction's clock"),
    ("time.truncate", "Temporal", "A time cut to a unit"),
    ("timestamp", "Scalar", "The milliseconds since 1970"),
    ("toBoolean", "Scalar", "A boolean of a string, a number or a boolean"),
    ("toFloat", "Scalar", "A float of a string or a number"),
    ("toInteger", "Scalar", "An integer of a string, a number or a boolean"),
    ("toLower", "String", "A string in lower case"),
    ("toString", "Scalar", "A value as a string"),
    ("toUpper", "String", "A string in upper case"),
    ("trim", "String", "A string without white space at both ends"),
    ("type", "Scalar", "The type of a relationship"),
    ("upper", "String", "A string in upper case"),
];

/// Returns the signature of a function in the form of Neo4j's documentation.
pub fn signature_text(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let (min, max, result) = match (aggregate_arguments(&lower), scalar(&lower)) {
        (Some(count), _) => (count, count, "ANY"),
        (None, Some(signature)) => (signature.min, signature.max, signature.result.type_name()),
        (None, None) => (0, 0, "ANY"),
    };
    let argument = |place: usize| match place < min {
        true => format!("argument{place} :: ANY"),
        false => format!("argument{place} = null :: ANY"),
    };
    let mut arguments: Vec<String> = (0..max.min(4)).map(argument).collect();
    if max == usize::MAX {
        arguments = vec!["arguments... :: ANY".to_owned()];
    }
    format!("{name}({}) :: {result}", arguments.join(", "))
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
    const MAP: &[Kind] = &[Kind::Map];
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
        "apoc.any.property" => (2, 2, ANY, any(), F::Index),
        "apoc.map.clean" => (3, 3, MAP, Kind::Map, F::CleanMap),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_there_and_in_order() {
        for (name, category, _) in FUNCTIONS {
            let lower = name.to_ascii_lowercase();
            let is_aggregate = aggregate_arguments(&lower).is_some();
            assert!(is_aggregate || scalar(&lower).is_some(), "{name}");
            assert_eq!(is_aggregate, *category == "Aggregating", "{name}");
        }
        assert!(FUNCTIONS.is_sorted_by_key(|(name, ..)| name.to_ascii_lowercase()));
        assert_eq!(
            signature_text("range"),
            "range(argument0 :: ANY, argument1 :: ANY, argument2 = null :: ANY) :: LIST<ANY>"
        );
    }
}
