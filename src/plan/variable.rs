//! Variables of a plan: numbers, with the names that the text gave them.

use std::fmt;

/// A variable of one plan; an index into its [`Variables`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Variable(pub u32);

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "?{}", self.0)
    }
}

/// Every variable of a plan, with its name in the text where it has one.
///
/// Names are for people and need not be unique: Cypher may reuse a name in another scope.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    names: Vec<Option<String>>,
}

impl Variables {
    /// Makes a new variable that the text names `name`.
    pub fn named(&mut self, name: impl Into<String>) -> Variable {
        self.push(Some(name.into()))
    }

    /// Makes a new variable that the text does not name.
    pub fn fresh(&mut self) -> Variable {
        self.push(None)
    }

    pub fn name(&self, variable: Variable) -> Option<&str> {
        self.names.get(variable.0 as usize)?.as_deref()
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn push(&mut self, name: Option<String>) -> Variable {
        let variable = Variable(self.names.len() as u32);
        self.names.push(name);
        variable
    }
}
