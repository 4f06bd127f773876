//! `Layout`: which column of a batch holds which variable.

use crate::plan::Variable;

/// The columns of an operator's batches, in order, and which of them may hold an undefined value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    variables: Vec<Variable>,
    /// For each column: no row of it is undefined.
    defined: Vec<bool>,
}

impl Layout {
    /// Makes a layout whose every column may be undefined.
    pub fn new(variables: impl Into<Vec<Variable>>) -> Layout {
        let variables = variables.into();
        let defined = vec![false; variables.len()];
        Layout { variables, defined }
    }

    /// Adds a column.
    ///
    /// # Panics
    /// If the variable has a column already.
    pub fn push(&mut self, variable: Variable, is_defined: bool) {
        assert!(!self.contains(variable), "{variable:?} has two columns");
        self.variables.push(variable);
        self.defined.push(is_defined);
    }

    /// Returns the column of a variable.
    pub fn column(&self, variable: Variable) -> Option<usize> {
        self.variables.iter().position(|known| *known == variable)
    }

    pub fn contains(&self, variable: Variable) -> bool {
        self.variables.contains(&variable)
    }

    /// Returns whether the variable has a column in which no row is undefined.
    pub fn is_defined(&self, variable: Variable) -> bool {
        self.column(variable).is_some_and(|column| self.defined[column])
    }

    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    pub fn width(&self) -> usize {
        self.variables.len()
    }

    /// Says that a column may hold undefined values after all.
    pub fn weaken(&mut self, column: usize) {
        self.defined[column] = false;
    }

    /// Says that no row is undefined in a column.
    pub fn strengthen(&mut self, column: usize) {
        self.defined[column] = true;
    }

    /// Returns the variables of both, in this layout's order.
    pub fn shared(&self, other: &Layout) -> Vec<Variable> {
        self.variables.iter().copied().filter(|variable| other.contains(*variable)).collect()
    }
}
