//! `PhysicalNode`: a running operator, as EXPLAIN and PROFILE tell of it.

use std::fmt;

use serde::Serialize;

use super::operator::Operator;

/// An operator and what it pulls from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhysicalNode {
    pub operator: String,
    /// The variables that its rows are sorted by, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sorted_by: Vec<String>,
    #[serde(flatten)]
    pub meter: Option<Meter>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PhysicalNode>,
}

/// What an operator was expected to give, and what it gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meter {
    pub estimated_rows: f64,
    pub rows: u64,
    pub batches: u64,
    /// Its inputs' time is in it.
    pub milliseconds: f64,
}

impl PhysicalNode {
    pub(super) fn of(operator: &dyn Operator) -> PhysicalNode {
        PhysicalNode {
            operator: operator.describe(),
            sorted_by: operator.sorted_by().iter().map(|variable| format!("{variable:?}")).collect(),
            meter: operator.meter(),
            inputs: operator.inputs().into_iter().map(PhysicalNode::of).collect(),
        }
    }

    fn write(&self, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", "  ".repeat(depth), self.operator)?;
        if !self.sorted_by.is_empty() {
            write!(f, " [sorted by [{}]]", self.sorted_by.join(", "))?;
        }
        if let Some(Meter { estimated_rows, rows, batches, milliseconds }) = &self.meter {
            write!(
                f,
                " ({rows} rows, about {estimated_rows:.0} expected; {batches} batches, {milliseconds:.3} ms)"
            )?;
        }
        writeln!(f)?;
        self.inputs.iter().try_for_each(|input| input.write(depth + 1, f))
    }
}

/// One operator a line, inputs indented below it.
impl fmt::Display for PhysicalNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(0, f)
    }
}
