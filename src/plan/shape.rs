//! Shapes: how the rows of an operation become the nested data of its response.
//!
//! A shape is made beside the plan, by the language that lowered it, and read by whoever writes
//! the response; neither needs to know the other. Rows and map values are read alike: an
//! [`Output`] is a column of the row at the top and an entry of the map below it.

use crate::model::Value;

/// The data of a response: an object with these fields, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    pub fields: Vec<(String, RootShape)>,
}

/// What a field of the outermost object holds.
#[derive(Clone, Debug, PartialEq)]
pub enum RootShape {
    /// A list with one object for each row of the result. At most one field of a shape may be so,
    /// and no other field then reads rows; such a shape streams.
    EachRow(ObjectShape),
    /// The first row as an object; null if there are no rows.
    FirstRow(ObjectShape),
    /// A value of the first row.
    Value(FieldShape),
    /// A value known before the plan runs.
    Constant(Value),
}

/// An object made of a row or a map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObjectShape {
    /// Null instead of an object where this output is null. For objects that share the row of
    /// the object around them.
    pub presence: Option<Output>,
    /// The list of labels, where fields or type names depend on it.
    pub labels: Option<Output>,
    pub fields: Vec<FieldShape>,
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldShape {
    pub key: String,
    /// Written only for objects that have one of these labels.
    pub only_labels: Option<Vec<String>>,
    pub value: ValueShape,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ValueShape {
    Scalar(Output, ScalarShape),
    /// A list of scalars; null reads as the empty list.
    Scalars(Output, ScalarShape),
    /// A list of maps, each an object; null reads as the empty list.
    Objects(Output, ObjectShape),
    /// The first map of a list as an object; null if there is none.
    FirstObject(Output, ObjectShape),
    /// An object that reads the row or map of the object around it.
    Inline(ObjectShape),
    Constant(Value),
    /// The name that belongs to the first of these labels that the object has, else the last.
    TypeName {
        names: Vec<(String, String)>,
        otherwise: String,
    },
}

/// Where a value stands: a column of the row, or the entry of a map by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub column: usize,
    pub key: String,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarShape {
    /// The lexical form of a literal, the text of an IRI.
    Text,
    /// A signed 32-bit integer; anything else is an error of the field.
    Int,
    /// A finite number; anything else is an error of the field.
    Float,
    Boolean,
    /// As JSON has it: numbers and booleans as themselves, everything else as text.
    Natural,
}
