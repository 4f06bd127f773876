//! Procedures that scenarios register: a signature, and a table of what they answer.

use reefloom::execute::{Context, ExecuteError, Procedure};
use reefloom::language::cypher::{ProcedureSignature, ProcedureType};
use reefloom::model::Value;

use super::notation;

pub struct TableProcedure {
    pub name: String,
    pub signature: ProcedureSignature,
    rows: Vec<Vec<Value>>,
}

impl TableProcedure {
    /// Reads `there exists a procedure name(in :: TYPE?) :: (out :: TYPE?)` and its table.
    pub fn parse(text: &str, table: &[Vec<String>]) -> TableProcedure {
        let text = text.trim_start_matches("there exists a procedure ").trim();
        let (name, rest) = text.split_once('(').unwrap();
        let (arguments, rest) = rest.split_once(')').unwrap();
        let results = rest.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let fields = |list: &str| -> Vec<(String, ProcedureType)> {
            list.split(',')
                .filter(|field| !field.trim().is_empty())
                .map(|field| {
                    let (name, kind) = field.split_once("::").unwrap();
                    (name.trim().to_owned(), procedure_type(kind.trim().trim_end_matches('?')))
                })
                .collect()
        };
        let results = fields(results).into_iter().map(|(name, _)| name).collect();
        let signature =
            ProcedureSignature { arguments: fields(arguments), results, ..ProcedureSignature::default() };
        let is_row = |row: &&Vec<String>| row.len() == signature.arguments.len() + signature.results.len();
        let rows = table.iter().skip(1).filter(is_row);
        let rows =
            rows.map(|row| row.iter().map(|cell| notation::parse(cell).to_value()).collect()).collect();
        TableProcedure { name: name.to_owned(), signature, rows }
    }
}

impl Procedure for TableProcedure {
    fn fields(&self) -> Vec<String> {
        self.signature.results.clone()
    }

    fn call(&self, arguments: &[Value], _: &Context) -> Result<Vec<Vec<Value>>, ExecuteError> {
        if self.signature.results.is_empty() {
            // It yields nothing, and takes no row away.
            return Ok(vec![Vec::new()]);
        }
        let answers =
            |row: &&Vec<Value>| row.iter().zip(arguments).all(|(wanted, given)| is_same(wanted, given));
        Ok(self.rows.iter().filter(answers).map(|row| row[arguments.len()..].to_vec()).collect())
    }
}

fn is_same(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| match notation::of_value(value) {
        notation::Notation::Integer(value) => Some(value as f64),
        notation::Notation::Float(value) => Some(value),
        _ => None,
    };
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => notation::of_value(a).is(&notation::of_value(b)),
    }
}

fn procedure_type(name: &str) -> ProcedureType {
    match name {
        "BOOLEAN" => ProcedureType::Boolean,
        "INTEGER" => ProcedureType::Integer,
        "FLOAT" => ProcedureType::Float,
        "NUMBER" => ProcedureType::Number,
        "STRING" => ProcedureType::String,
        "MAP" => ProcedureType::Map,
        _ => ProcedureType::Any,
    }
}
