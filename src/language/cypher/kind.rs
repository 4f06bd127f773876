//! Kinds: what the text alone says of a value.

/// What a value is known to be before anything runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is known.
    Any,
    Null,
    Boolean,
    Integer,
    Float,
    String,
    Map,
    /// A list, with the kind of its elements where that is known. One level of it is enough.
    List(Option<&'static Kind>),
    Node,
    Relationship,
    Path,
}

impl Kind {
    /// Returns whether a value of this kind may turn out to be of the other.
    pub fn may_be(self, other: Kind) -> bool {
        match (self, other) {
            (Kind::Any | Kind::Null, _) | (_, Kind::Any | Kind::Null) => true,
            (Kind::List(Some(a)), Kind::List(Some(b))) => a.may_be(*b),
            (Kind::List(_), Kind::List(_)) => true,
            _ => self == other,
        }
    }

    /// Returns the kind of a list of elements of this kind.
    pub fn list(self) -> Kind {
        Kind::List(match self {
            Kind::Boolean => Some(&Kind::Boolean),
            Kind::Integer => Some(&Kind::Integer),
            Kind::Float => Some(&Kind::Float),
            Kind::String => Some(&Kind::String),
            Kind::Map => Some(&Kind::Map),
            Kind::Node => Some(&Kind::Node),
            Kind::Relationship => Some(&Kind::Relationship),
            Kind::Path => Some(&Kind::Path),
            Kind::List(_) => Some(&Kind::List(None)),
            Kind::Any | Kind::Null => None,
        })
    }

    /// Returns the kind of the elements, if this is a list.
    pub fn element(self) -> Kind {
        match self {
            Kind::List(Some(element)) => *element,
            _ => Kind::Any,
        }
    }

    /// Returns the kind of a value that is of this kind or of the other.
    pub fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (Kind::Null, kind) | (kind, Kind::Null) => kind,
            (Kind::List(_), Kind::List(_)) if self != other => Kind::List(None),
            _ if self == other => self,
            _ => Kind::Any,
        }
    }

    pub fn is_numeric(self) -> bool {
        matches!(self, Kind::Integer | Kind::Float)
    }

    /// Returns the name of the type in signatures.
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::Any | Kind::Null => "ANY",
            Kind::Boolean => "BOOLEAN",
            Kind::Integer => "INTEGER",
            Kind::Float => "FLOAT",
            Kind::String => "STRING",
            Kind::Map => "MAP",
            Kind::List(_) => "LIST<ANY>",
            Kind::Node => "NODE",
            Kind::Relationship => "RELATIONSHIP",
            Kind::Path => "PATH",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Any => "a value",
            Kind::Null => "null",
            Kind::Boolean => "a boolean",
            Kind::Integer => "an integer",
            Kind::Float => "a float",
            Kind::String => "a string",
            Kind::Map => "a map",
            Kind::List(_) => "a list",
            Kind::Node => "a node",
            Kind::Relationship => "a relationship",
            Kind::Path => "a path",
        }
    }
}
