//! `Header`: what the columns of a CSV table mean, in the style of `neo4j-admin database import`.
//!
//! ```text
//! field    = [ name ] [ ":" type ] [ "{" option ":" value *( "," option ":" value ) "}" ]
//! type     = "ID" [ space ] | "LABEL" | "IGNORE"                    of nodes
//!          | "REF" space                                            of nodes; options `type`, `direction`
//!          | "START_ID" [ space ] | "END_ID" [ space ] | "TYPE"     of relationships
//!          | a type of cells, perhaps with "[]"
//! space    = "(" name ")"
//! ```
//!
//! `REF` is ours: a column of foreign keys, each a relationship from the row's node to the node of that id.

use std::collections::BTreeMap;

use super::cell::CellType;
use super::chunk::Chunk;

/// The id space of columns that name none.
const COMMON_SPACE: &str = "node";

/// What a table has a row for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableRows {
    /// One node a row, with these labels.
    Nodes { labels: Vec<String> },
    /// One relationship a row, of this type unless the row names its own.
    Relationships { relationship_type: Option<String> },
}

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Column {
    Ignored,
    /// The id of the row's node.
    Id {
        space: String,
    },
    /// More labels of the row's node, as a list.
    Labels,
    /// The id of the node that a relationship leads from.
    Start {
        space: String,
    },
    /// The id of the node that a relationship leads to.
    End {
        space: String,
    },
    RelationshipType,
    /// The id of a node that the row's node has a relationship with.
    Reference {
        space: String,
        relationship_type: String,
        is_incoming: bool,
    },
    /// Neither ids nor references alone: the value of a property.
    Property,
}

/// A column, and the property that its cells are kept as, if they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub column: Column,
    pub property: Option<Property>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub key: String,
    pub cell_type: CellType,
    pub is_list: bool,
}

/// The columns of a table, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub fields: Vec<Field>,
    /// The names before the colons, by which a header that stands in a later file is known.
    pub names: Vec<String>,
}

impl Header {
    /// Reads the cells of a header.
    ///
    /// # Errors
    /// With the number of the column (from 1; 0 for the header as a whole) and what is wrong with it.
    pub fn parse<'a>(
        cells: impl Iterator<Item = &'a str>,
        rows: &TableRows,
    ) -> Result<Header, (usize, String)> {
        let (mut fields, mut names) = (Vec::new(), Vec::new());
        for (index, cell) in cells.enumerate() {
            let (name, field) = parse_field(cell, rows).map_err(|message| (index + 1, message))?;
            fields.push(field);
            names.push(name);
        }
        let count = |wanted: fn(&Column) -> bool| fields.iter().filter(|field| wanted(&field.column)).count();
        let once = |wanted: fn(&Column) -> bool, what: &str| match count(wanted) {
            1 => Ok(()),
            0 => Err((0, format!("no column is {what}"))),
            _ => Err((0, format!("several columns are {what}"))),
        };
        match rows {
            TableRows::Nodes { .. } => {
                once(|column| matches!(column, Column::Id { .. }), "the node's id, such as personId:ID")?;
            }
            TableRows::Relationships { relationship_type } => {
                once(|column| matches!(column, Column::Start { .. }), "a :START_ID")?;
                once(|column| matches!(column, Column::End { .. }), "an :END_ID")?;
                if relationship_type.is_none() {
                    once(|column| *column == Column::RelationshipType, "a :TYPE, and none was named")?;
                }
            }
        }
        Ok(Header { fields, names })
    }

    /// Returns whether the cells are those of a header with these names.
    pub fn is_repeated_by<'a>(&self, cells: impl Iterator<Item = &'a str>) -> bool {
        cells.map(name_of).eq(self.names.iter().map(String::as_str))
    }

    /// Returns the columns of a relationship's start and end; `None` in a table of nodes.
    pub fn ends(&self) -> Option<[usize; 2]> {
        let start = self.position(|column| matches!(column, Column::Start { .. }))?;
        Some([start, self.position(|column| matches!(column, Column::End { .. }))?])
    }

    /// Returns the type that a row of relationships names; nothing if rows name none.
    pub fn type_cell<'a>(&self, chunk: &'a Chunk, row: usize) -> &'a str {
        let column = self.position(|column| *column == Column::RelationshipType);
        column.map_or("", |column| chunk.cell(row, column))
    }

    pub fn position(&self, wanted: impl Fn(&Column) -> bool) -> Option<usize> {
        self.fields.iter().position(|field| wanted(&field.column))
    }
}

fn name_of(cell: &str) -> &str {
    split_options(cell.trim()).0.rsplit_once(':').map_or(cell.trim(), |(name, _)| name)
}

/// Splits a field from the options after it.
fn split_options(cell: &str) -> (&str, &str) {
    match cell.strip_suffix('}').and_then(|rest| rest.split_once('{')) {
        Some((field, options)) => (field, options),
        None => (cell, ""),
    }
}

fn parse_field(cell: &str, rows: &TableRows) -> Result<(String, Field), String> {
    let cell = cell.trim();
    let (field, options) = split_options(cell);
    let mut options = parse_options(options)?;
    let (name, full_type) = field.rsplit_once(':').unwrap_or((field, "string"));
    let (base, space) = match full_type.strip_suffix(')').and_then(|rest| rest.split_once('(')) {
        Some((base, space)) => (base, Some(space.to_owned())),
        None => (full_type, None),
    };
    let common = || space.clone().unwrap_or_else(|| COMMON_SPACE.to_owned());
    let is_nodes = matches!(rows, TableRows::Nodes { .. });
    let column = match (base, is_nodes) {
        ("IGNORE", _) => Column::Ignored,
        ("ID", true) => Column::Id { space: common() },
        ("LABEL", true) => Column::Labels,
        ("REF", true) => reference(space.clone(), &mut options)?,
        ("START_ID", false) => Column::Start { space: common() },
        ("END_ID", false) => Column::End { space: common() },
        ("TYPE", false) => Column::RelationshipType,
        ("ID" | "LABEL" | "REF", false) => return Err(format!("a relationship has no {base}")),
        ("START_ID" | "END_ID" | "TYPE", true) => return Err(format!("a node has no {base}")),
        _ if space.is_some() => return Err(format!("'{full_type}' is no type of a column")),
        _ => Column::Property,
    };
    let property = property(name, base, &column, &mut options)?;
    match options.into_keys().next() {
        Some(option) => Err(format!("a column of type {base} has no option '{option}'")),
        None => Ok((name.to_owned(), Field { column, property })),
    }
}

fn parse_options(options: &str) -> Result<BTreeMap<&str, &str>, String> {
    let parts = options.split(',').filter(|part| !part.trim().is_empty());
    let pairs = parts.map(|part| match part.split_once(':') {
        Some((key, value)) => Ok((key.trim(), value.trim())),
        None => Err(format!("'{part}' is no option: write name:value")),
    });
    pairs.collect()
}

fn reference(space: Option<String>, options: &mut BTreeMap<&str, &str>) -> Result<Column, String> {
    let space = space.ok_or("REF names the id space that it leads to, such as REF(City)")?;
    let relationship_type =
        options.remove("type").ok_or("REF names the type of its relationships, such as {type:LIVES_IN}")?;
    let is_incoming = match options.remove("direction") {
        None | Some("out") => false,
        Some("in") => true,
        Some(other) => return Err(format!("'{other}' is no direction: in or out")),
    };
    Ok(Column::Reference { space, relationship_type: relationship_type.to_owned(), is_incoming })
}

/// Returns the property that a column is kept as: a named id or reference is one too.
fn property(
    name: &str,
    base: &str,
    column: &Column,
    options: &mut BTreeMap<&str, &str>,
) -> Result<Option<Property>, String> {
    let (type_name, is_list) = match column {
        Column::Property => match base.strip_suffix("[]") {
            Some(item) => (item, true),
            None => (base, false),
        },
        Column::Id { .. } | Column::Reference { .. } => {
            (options.remove("id-type").unwrap_or("string"), false)
        }
        _ => return Ok(None),
    };
    let cell_type = CellType::of_name(type_name).ok_or_else(|| format!("there is no type '{type_name}'"))?;
    match (name, column) {
        ("", Column::Property) => Err("a column has neither a name nor a meaning of its own".to_owned()),
        ("", _) => Ok(None),
        _ => Ok(Some(Property { key: name.to_owned(), cell_type, is_list })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(header: &str) -> Result<Header, (usize, String)> {
        Header::parse(header.split(';'), &TableRows::Nodes { labels: Vec::new() })
    }

    fn relationships(header: &str, relationship_type: Option<&str>) -> Result<Header, (usize, String)> {
        let relationship_type = relationship_type.map(str::to_owned);
        Header::parse(header.split(';'), &TableRows::Relationships { relationship_type })
    }

    fn property(key: &str, cell_type: CellType) -> Option<Property> {
        Some(Property { key: key.to_owned(), cell_type, is_list: false })
    }

    #[test]
    fn columns_of_nodes_are_understood() {
        let header = nodes(
            "id:ID(Person){id-type:int};name;age:int;tags:string[];:LABEL;:IGNORE;\
             cityId:REF(City){type:LIVES_IN,id-type:int};:REF(Post){type:WROTE,direction:in}",
        )
        .unwrap();
        let columns: Vec<_> = header.fields.iter().map(|field| field.column.clone()).collect();
        let reference = |space: &str, relationship_type: &str, is_incoming| Column::Reference {
            space: space.to_owned(),
            relationship_type: relationship_type.to_owned(),
            is_incoming,
        };
        assert_eq!(
            columns,
            [
                Column::Id { space: "Person".to_owned() },
                Column::Property,
                Column::Property,
                Column::Property,
                Column::Labels,
                Column::Ignored,
                reference("City", "LIVES_IN", false),
                reference("Post", "WROTE", true),
            ]
        );
        assert_eq!(header.fields[0].property, property("id", CellType::Integer));
        assert_eq!(header.fields[1].property, property("name", CellType::String));
        assert_eq!(header.fields[6].property, property("cityId", CellType::Integer));
        assert_eq!(header.fields[7].property, None);
        assert!(header.fields[3].property.as_ref().unwrap().is_list);
        assert!(header.is_repeated_by("id;name;age;tags;;;cityId;".split(';')));
        assert!(!header.is_repeated_by("1;Ann;7;;;;2;".split(';')));
    }

    #[test]
    fn columns_of_relationships_are_understood() {
        let header = relationships(":START_ID(A);:END_ID;:TYPE;since:date", None).unwrap();
        assert_eq!(header.fields[0].column, Column::Start { space: "A".to_owned() });
        assert_eq!(header.fields[1].column, Column::End { space: "node".to_owned() });
        assert_eq!(header.position(|column| *column == Column::RelationshipType), Some(2));
        assert!(relationships(":START_ID;:END_ID", Some("KNOWS")).is_ok());
    }

    #[test]
    fn mistakes_name_their_column() {
        for (header, column, word) in [
            ("name;age:int", 0, "id"),
            ("a:ID;b:ID", 0, "several"),
            ("a:ID;b:colour", 2, "colour"),
            ("a:ID;;c", 2, "neither"),
            ("a:ID;:START_ID", 2, "START_ID"),
            ("a:ID;b:REF{type:T}", 2, "space"),
            ("a:ID;b:REF(B)", 2, "type"),
            ("a:ID;b:REF(B){type:T,direction:up}", 2, "up"),
            ("a:ID{colour:red}", 1, "colour"),
            ("a:ID{id-type}", 1, "id-type"),
            ("a:ID;b:int(B)", 2, "int(B)"),
        ] {
            let (at, message) = nodes(header).unwrap_err();
            assert!(at == column && message.contains(word), "{header}: {at} {message}");
        }
        assert!(relationships(":START_ID;:END_ID", None).unwrap_err().1.contains(":TYPE"));
        assert!(relationships(":START_ID;b", Some("T")).unwrap_err().1.contains(":END_ID"));
    }
}
