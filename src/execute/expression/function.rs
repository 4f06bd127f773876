//! The table of functions: for each one of the plan, how it is computed.

use super::column::{Arguments, Depth};
use super::datum::Datum;
use super::node::{Kernel, Outcome, Run, Shortcut, TextTest};
use super::{
    arithmetic, cast, comparison, datetime, graph, hash, list, logic, math, property_lookup, regex, spatial,
    string, temporal, term,
};
use crate::execute::Context;
use crate::plan::Function;

impl Kernel {
    /// A function of single rows that is undefined if an argument is.
    fn strict(function: fn(&Arguments<'_>, &Context) -> Outcome) -> Kernel {
        Kernel {
            run: Run::Row(function),
            depth: Depth::Shallow,
            is_strict: true,
            is_volatile: false,
            shortcut: None,
        }
    }

    fn with(run: Run) -> Kernel {
        Kernel { run, ..Kernel::strict(logic::is_defined) }
    }

    /// Sees undefined arguments too.
    fn lenient(self) -> Kernel {
        Kernel { is_strict: false, ..self }
    }

    fn deep(self) -> Kernel {
        Kernel { depth: Depth::Deep, ..self }
    }

    fn ids(self) -> Kernel {
        Kernel { depth: Depth::Ids, ..self }
    }

    fn volatile(self) -> Kernel {
        Kernel { is_volatile: true, ..self }
    }

    fn shortcut(
        self,
        test: fn(crate::model::TermId, crate::model::TermId) -> Option<Option<bool>>,
    ) -> Kernel {
        Kernel { shortcut: Some(Shortcut::Test(test)), ..self }
    }

    fn test_one(self, test: fn(crate::model::TermId) -> Option<Option<bool>>) -> Kernel {
        Kernel { shortcut: Some(Shortcut::TestOne(test)), ..self }
    }

    fn text(self, test: fn(&str) -> TextTest) -> Kernel {
        Kernel { shortcut: Some(Shortcut::Text(test)), ..self }
    }

    fn compute(
        self,
        compute: fn(crate::model::TermId, crate::model::TermId) -> Option<crate::model::TermId>,
    ) -> Kernel {
        Kernel { shortcut: Some(Shortcut::Compute(compute)), ..self }
    }

    /// Returns how `function` is computed. AND, OR, NOT, IF and COALESCE are nodes of their own; as
    /// kernels they would evaluate too much.
    pub fn of(function: &Function) -> Kernel {
        use Function::*;
        match function {
            And | Or | Xor => Kernel::strict(logic::xor),
            If | Coalesce | Not | EffectiveBoolean => Kernel::strict(|_, _| Ok(Datum::Undefined)),
            IsDefined => Kernel::strict(logic::is_defined).lenient().ids(),
            SameTerm | SparqlEqual | CypherEqual | SparqlLess | SparqlLessOrEqual | CypherLess
            | CypherLessOrEqual | SparqlIn | CypherIn | LookupTerm => comparing(function),
            SparqlAdd | SparqlSubtract | SparqlMultiply | SparqlDivide | CypherAdd | CypherSubtract
            | CypherMultiply | CypherDivide | CypherModulo | CypherPower | UnaryMinus | UnaryPlus => {
                calculating(function)
            }
            Abs | Ceil | Floor | SparqlRound | CypherRound | Sign | Sqrt | Exp | Log | Log10 | Sin | Cos
            | Tan | Cot | Asin | Acos | Atan | Atan2 | Degrees | Radians | Haversin | Pi | E | IsNaN
            | Rand => mathematical(function),
            Str | Lang | LangDirection | LangMatches | HasLang | HasLangDirection | Datatype | Iri
            | BlankNode | StrDt | StrLang | StrLangDirection | IsIri | IsBlank | IsLiteral | IsNumeric
            | IsTriple | Triple | Subject | Predicate | Object | Uuid | StrUuid | Cast(_) | Unknown(_) => {
                of_terms(function)
            }
            StrLen | SubStr | UCase | LCase | StrStarts | StrEnds | Contains | StrBefore | StrAfter
            | EncodeForUri | Concat | Regex | Replace | Md5 | Sha1 | Sha256 | Sha384 | Sha512
            | MatchesRegex => of_strings(function),
            CypherStartsWith | CypherEndsWith | CypherContains | CypherRegex | CypherSubstring
            | CypherLeft | CypherRight | CypherTrim | CypherLTrim | CypherRTrim | CypherReplace
            | CypherSplit | CypherToLower | CypherToUpper | Reverse | CypherToString | CypherToInteger
            | CypherToFloat | CypherToBoolean => of_cypher_strings(function),
            Now | Year | Month | Day | Hours | Minutes | Seconds | Timezone | Tz | Adjust | Timestamp => {
                of_dates(function)
            }
            Size | Head | Last | Tail | Range | Index | Slice | Keys | MergeMaps | CleanMap => {
                of_lists(function)
            }
            Property(_) | WithProperty(_) | Properties | Labels | HasLabels(_) | RelationshipType
            | StartNode | EndNode | ElementId | Id | Nodes | Relationships | Length | Relationship | Path
            | IsNode | MintNode | Exists => of_graphs(function),
            CypherDate | CypherTime | CypherLocalTime | CypherDateTime | CypherLocalDateTime
            | CypherDuration | CypherTemporal(_) => Kernel::with(temporal::constructor(function)).deep(),
            Point => Kernel::strict(spatial::point).deep(),
            Distance => Kernel::strict(spatial::distance),
        }
    }
}

fn comparing(function: &Function) -> Kernel {
    match function {
        Function::SameTerm => Kernel::strict(comparison::same_term).deep().shortcut(comparison::same_ids),
        Function::SparqlEqual => {
            Kernel::strict(comparison::sparql_equal_row).deep().shortcut(comparison::equal_ids)
        }
        Function::CypherEqual => {
            Kernel::strict(comparison::cypher_equal_row).deep().shortcut(comparison::equal_ids)
        }
        Function::SparqlLess => Kernel::strict(comparison::sparql_less).shortcut(comparison::less_ids),
        Function::SparqlLessOrEqual => {
            Kernel::strict(comparison::sparql_less_or_equal).shortcut(comparison::less_or_equal_ids)
        }
        Function::CypherLess => Kernel::strict(comparison::cypher_less).deep().shortcut(comparison::less_ids),
        Function::CypherLessOrEqual => {
            Kernel::strict(comparison::cypher_less_or_equal).deep().shortcut(comparison::less_or_equal_ids)
        }
        Function::SparqlIn => Kernel::strict(comparison::sparql_in).lenient(),
        Function::LookupTerm => Kernel::strict(comparison::lookup_term).deep(),
        _ => Kernel::strict(comparison::cypher_in).deep().lenient(),
    }
}

fn calculating(function: &Function) -> Kernel {
    match function {
        Function::SparqlAdd => Kernel::strict(arithmetic::sparql_add).compute(arithmetic::add_ids),
        Function::SparqlSubtract => {
            Kernel::strict(arithmetic::sparql_subtract).compute(arithmetic::subtract_ids)
        }
        Function::SparqlMultiply => {
            Kernel::strict(arithmetic::sparql_multiply).compute(arithmetic::multiply_ids)
        }
        Function::SparqlDivide => Kernel::strict(arithmetic::sparql_divide),
        Function::CypherAdd => Kernel::strict(arithmetic::cypher_add).compute(arithmetic::add_ids),
        Function::CypherSubtract => {
            Kernel::strict(arithmetic::cypher_subtract).compute(arithmetic::subtract_ids)
        }
        Function::CypherMultiply => {
            Kernel::strict(arithmetic::cypher_multiply).compute(arithmetic::multiply_ids)
        }
        Function::CypherDivide => Kernel::strict(arithmetic::cypher_divide),
        Function::CypherModulo => Kernel::strict(arithmetic::cypher_modulo),
        Function::CypherPower => Kernel::strict(arithmetic::cypher_power),
        Function::UnaryMinus => Kernel::strict(arithmetic::unary_minus),
        _ => Kernel::strict(arithmetic::unary_plus),
    }
}

fn mathematical(function: &Function) -> Kernel {
    Kernel::strict(match function {
        Function::Abs => math::abs,
        Function::Ceil => math::ceil,
        Function::Floor => math::floor,
        Function::SparqlRound => math::sparql_round,
        Function::CypherRound => math::cypher_round,
        Function::Sign => math::sign,
        Function::Sqrt => math::sqrt,
        Function::Exp => math::exp,
        Function::Log => math::log,
        Function::Log10 => math::log10,
        Function::Sin => math::sin,
        Function::Cos => math::cos,
        Function::Tan => math::tan,
        Function::Cot => math::cot,
        Function::Asin => math::asin,
        Function::Acos => math::acos,
        Function::Atan => math::atan,
        Function::Atan2 => math::atan2,
        Function::Degrees => math::degrees,
        Function::Radians => math::radians,
        Function::Haversin => math::haversin,
        Function::Pi => math::pi,
        Function::E => math::e,
        Function::IsNaN => math::is_nan,
        _ => return Kernel::strict(math::rand).volatile(),
    })
}

fn of_terms(function: &Function) -> Kernel {
    Kernel::strict(match function {
        Function::Str => term::str,
        Function::Lang => term::lang,
        Function::LangDirection => term::lang_direction,
        Function::LangMatches => term::lang_matches,
        Function::HasLang => term::has_lang,
        Function::HasLangDirection => term::has_lang_direction,
        Function::Datatype => term::datatype,
        Function::Iri => term::iri,
        Function::StrDt => term::str_dt,
        Function::StrLang => term::str_lang,
        Function::StrLangDirection => term::str_lang_direction,
        Function::IsIri => return Kernel::strict(term::is_iri).test_one(term::is_iri_id),
        Function::IsBlank => return Kernel::strict(term::is_blank).test_one(term::is_blank_id),
        Function::IsLiteral => return Kernel::strict(term::is_literal).test_one(term::is_literal_id),
        Function::IsNumeric => return Kernel::strict(term::is_numeric).test_one(term::is_numeric_id),
        Function::IsTriple => return Kernel::strict(term::is_triple).test_one(term::is_triple_id),
        Function::Triple => term::triple,
        Function::Subject => term::subject,
        Function::Predicate => term::predicate,
        Function::Object => term::object,
        Function::Uuid => return Kernel::strict(term::uuid).volatile(),
        Function::StrUuid => return Kernel::strict(term::str_uuid).volatile(),
        Function::BlankNode => return Kernel::strict(|_, _| term::fresh_blank_node()).volatile(),
        Function::Cast(datatype) if cast::is_known(datatype) => {
            let datatype = datatype.clone();
            return Kernel::with(Run::With(Box::new(move |arguments: &Arguments<'_>, _: &Context| {
                Ok(cast::cast(&arguments[0], &datatype).into())
            })));
        }
        _ => |_, _| Ok(Datum::Undefined),
    })
}

fn of_strings(function: &Function) -> Kernel {
    let kernel = Kernel::strict(match function {
        Function::StrLen => string::str_len,
        Function::SubStr => string::sub_str,
        Function::UCase => string::upper,
        Function::LCase => string::lower,
        Function::StrStarts => string::starts,
        Function::StrEnds => string::ends,
        Function::Contains => string::contains,
        Function::StrBefore => string::before,
        Function::StrAfter => string::after,
        Function::EncodeForUri => string::encode_for_uri,
        Function::Concat => string::concat,
        Function::Md5 => hash::md5,
        Function::Sha1 => hash::sha1,
        Function::Sha256 => hash::sha256,
        Function::Sha384 => hash::sha384,
        Function::Sha512 => hash::sha512,
        Function::Regex => return Kernel::with(regex::matches()),
        Function::Replace => return Kernel::with(regex::replace()),
        _ => return Kernel::with(regex::search()),
    });
    match function {
        Function::StrStarts => kernel.text(string::starting_with),
        Function::StrEnds => kernel.text(string::ending_with),
        Function::Contains => kernel.text(string::containing),
        _ => kernel,
    }
}

fn of_cypher_strings(function: &Function) -> Kernel {
    let kernel = Kernel::strict(match function {
        Function::CypherStartsWith => string::cypher_starts_with,
        Function::CypherEndsWith => string::cypher_ends_with,
        Function::CypherContains => string::cypher_contains,
        Function::CypherSubstring => string::cypher_substring,
        Function::CypherLeft => string::cypher_left,
        Function::CypherRight => string::cypher_right,
        Function::CypherTrim => string::cypher_trim,
        Function::CypherLTrim => string::cypher_trim_start,
        Function::CypherRTrim => string::cypher_trim_end,
        Function::CypherReplace => string::cypher_replace,
        Function::CypherSplit => return Kernel::strict(string::cypher_split).deep(),
        Function::CypherToLower => string::cypher_to_lower,
        Function::CypherToUpper => string::cypher_to_upper,
        Function::Reverse => string::reverse,
        Function::CypherToString => cast::to_string,
        Function::CypherToInteger => cast::to_cypher_integer,
        Function::CypherToFloat => cast::to_cypher_float,
        Function::CypherToBoolean => cast::to_cypher_boolean,
        _ => return Kernel::with(regex::cypher_matches()),
    });
    match function {
        Function::CypherStartsWith => kernel.text(string::starting_with),
        Function::CypherEndsWith => kernel.text(string::ending_with),
        Function::CypherContains => kernel.text(string::containing),
        _ => kernel,
    }
}

fn of_dates(function: &Function) -> Kernel {
    Kernel::strict(match function {
        Function::Now => datetime::now,
        Function::Year => datetime::year,
        Function::Month => datetime::month,
        Function::Day => datetime::day,
        Function::Hours => datetime::hours,
        Function::Minutes => datetime::minutes,
        Function::Seconds => datetime::seconds,
        Function::Timezone => datetime::timezone,
        Function::Tz => datetime::tz,
        Function::Adjust => datetime::adjust,
        _ => |_, context| Ok(Datum::integer(context.now_ms)),
    })
}

fn of_lists(function: &Function) -> Kernel {
    Kernel::strict(match function {
        Function::Size => list::size,
        Function::Head => list::head,
        Function::Last => list::last,
        Function::Tail => list::tail,
        Function::Range => list::range,
        Function::MergeMaps => list::merge_maps,
        Function::CleanMap => list::clean_map,
        Function::Index => return Kernel::with(graph::index()).lenient(),
        Function::Keys => return Kernel::with(graph::keys()).lenient(),
        _ => |arguments, _| list::slice(&arguments[0], arguments.get(1), arguments.get(2)),
    })
}

fn of_graphs(function: &Function) -> Kernel {
    Kernel::strict(match function {
        Function::Property(key) => return Kernel::with(graph::property(key.clone())).lenient(),
        Function::WithProperty(key) => {
            return Kernel::with(property_lookup::with_property(key.clone())).deep();
        }
        Function::Properties => return Kernel::with(graph::properties()).lenient(),
        Function::Labels => return Kernel::with(graph::labels()).lenient(),
        Function::HasLabels(labels) => return Kernel::with(graph::has_labels(labels.clone())).lenient(),
        Function::RelationshipType => graph::relationship_type,
        Function::StartNode => graph::start_node,
        Function::EndNode => graph::end_node,
        Function::ElementId => graph::element_id,
        Function::Id => graph::id,
        Function::Nodes => graph::nodes,
        Function::Relationships => graph::relationships,
        Function::Length => graph::length,
        Function::Relationship => return Kernel::strict(graph::make_relationship).lenient().ids(),
        Function::Path => return Kernel::strict(graph::make_path).lenient(),
        Function::IsNode => return Kernel::strict(graph::is_node).lenient(),
        Function::MintNode => {
            return Kernel::strict(|_, context| Ok(Datum::term(context.mint()?))).volatile();
        }
        _ => return Kernel::strict(logic::is_defined).lenient().ids(),
    })
}
