//! `RowWriter`: rows of a table as quads.

use super::cell::CellType;
use super::chunk::Chunk;
use super::header::{Column, Header, Property, TableRows};
use super::{CsvSyntax, TableContext};
use crate::engine::lines::is_valid;
use crate::execute::expression::list_of_literals;
use crate::graph::{Gatherer, IriConstant, IriSeries, PlainNode, PlainQuad, PlainTerm, Refused, WriteError};
use crate::model::{GraphName, Literal, TermId, Vocabulary, pg, push_node_id, rdf, xsd};

/// What is wrong with a row, and if nothing is, how its writing went.
type Written = Result<Result<(), String>, WriteError>;

/// Turns the rows of one file into quads.
pub struct RowWriter<'a> {
    /// Where each column's cells go.
    cells: Vec<CellWriter>,
    rows: RowKind,
    list_delimiter: char,
    vocabulary: &'a Vocabulary,
    graph: Option<PlainNode<'a>>,
    /// What the labels of reifiers begin with.
    blank_prefix: &'a str,
    header: &'a Header,
    rdf_type: IriConstant,
    /// Whether what the IRIs of nodes begin with is well-formed; then they are, for ids are escaped.
    has_valid_starts: bool,
}

/// Where the cells of a column go.
struct CellWriter {
    target: Target,
    property: Option<PropertyWriter>,
}

enum Target {
    Nothing,
    Labels,
    Reference { nodes: IriSeries, predicate: IriConstant, is_incoming: bool },
}

struct PropertyWriter {
    predicate: IriConstant,
    cell_type: CellType,
    is_list: bool,
}

enum RowKind {
    Nodes {
        id: usize,
        nodes: IriSeries,
        labels: Vec<IriConstant>,
    },
    Relationships {
        start: (usize, IriSeries),
        end: (usize, IriSeries),
        /// The column of types, and the type where it is empty.
        type_column: Option<usize>,
        predicate: Option<IriConstant>,
        has_properties: bool,
    },
}

/// The IRI of a node.
enum NodeIri<'a> {
    Numbered(&'a IriSeries, u64),
    Text(String),
}

impl NodeIri<'_> {
    fn node(&self) -> PlainNode<'_> {
        match self {
            NodeIri::Numbered(nodes, number) => PlainNode::Numbered(nodes, *number),
            NodeIri::Text(iri) => PlainNode::Iri(iri),
        }
    }

    /// Returns whether this is its text.
    fn is(&self, iri: &str) -> bool {
        matches!(self, NodeIri::Text(text) if text == iri)
    }
}

/// The literal of a cell.
enum CellValue<'a> {
    String(&'a str),
    Inline(TermId),
    Literal(Literal),
}

impl CellValue<'_> {
    fn term(&self) -> PlainTerm<'_> {
        match self {
            CellValue::String(text) => PlainTerm::String(text),
            CellValue::Inline(id) => PlainTerm::Inline(*id),
            CellValue::Literal(literal) if literal.datatype() == xsd::STRING => {
                PlainTerm::String(literal.value())
            }
            CellValue::Literal(literal) => PlainTerm::Typed(literal.value(), literal.datatype().as_str()),
        }
    }
}

/// The IRIs of a table as a gatherer finds them quickly.
struct Iris<'a> {
    vocabulary: &'a Vocabulary,
    /// What those of each series begin with.
    starts: Vec<String>,
    constants: usize,
}

impl Iris<'_> {
    /// Returns those of the nodes of an id space.
    fn nodes(&mut self, space: &str) -> IriSeries {
        let start = self.vocabulary.node_iri_start(space);
        let place = self.starts.iter().position(|other| *other == start);
        let place = place.unwrap_or_else(|| {
            self.starts.push(start.clone());
            self.starts.len() - 1
        });
        IriSeries::new(start, place)
    }

    fn named(&mut self, name: &str) -> IriConstant {
        self.constant(self.vocabulary.iri(name).into_string())
    }

    fn constant(&mut self, iri: String) -> IriConstant {
        self.constants += 1;
        IriConstant::new(iri, self.constants - 1)
    }
}

fn cell_writers(header: &Header, iris: &mut Iris<'_>) -> Vec<CellWriter> {
    let fields = header.fields.iter().map(|field| CellWriter {
        target: match &field.column {
            Column::Labels => Target::Labels,
            Column::Reference { space, relationship_type, is_incoming } => Target::Reference {
                nodes: iris.nodes(space),
                predicate: iris.named(relationship_type),
                is_incoming: *is_incoming,
            },
            _ => Target::Nothing,
        },
        property: field.property.as_ref().map(|Property { key, cell_type, is_list }| PropertyWriter {
            predicate: iris.named(key),
            cell_type: *cell_type,
            is_list: *is_list,
        }),
    });
    fields.collect()
}

impl RowKind {
    fn of(header: &Header, rows: &TableRows, has_properties: bool, iris: &mut Iris<'_>) -> RowKind {
        let mut end = |wanted: fn(&Column) -> Option<&String>| {
            let found = header.fields.iter().enumerate();
            let mut found = found.filter_map(|(index, field)| Some((index, wanted(&field.column)?)));
            let (index, space) = found.next().expect("a header has an id, or a start and an end");
            (index, iris.nodes(space))
        };
        match rows {
            TableRows::Nodes { labels } => {
                let (id, nodes) = end(|column| match column {
                    Column::Id { space } => Some(space),
                    _ => None,
                });
                RowKind::Nodes { id, nodes, labels: labels.iter().map(|label| iris.named(label)).collect() }
            }
            TableRows::Relationships { relationship_type } => RowKind::Relationships {
                start: end(|column| match column {
                    Column::Start { space } => Some(space),
                    _ => None,
                }),
                end: end(|column| match column {
                    Column::End { space } => Some(space),
                    _ => None,
                }),
                type_column: header.position(|column| *column == Column::RelationshipType),
                predicate: relationship_type.as_deref().map(|name| iris.named(name)),
                has_properties,
            },
        }
    }
}

impl<'a> RowWriter<'a> {
    pub fn new(
        header: &'a Header,
        rows: &TableRows,
        syntax: CsvSyntax,
        context: &TableContext<'a>,
        blank_prefix: &'a str,
    ) -> RowWriter<'a> {
        let vocabulary = context.vocabulary;
        let mut iris = Iris { vocabulary, starts: Vec::new(), constants: 0 };
        let cells = cell_writers(header, &mut iris);
        let has_properties = cells.iter().any(|cell| cell.property.is_some());
        let rows = RowKind::of(header, rows, has_properties, &mut iris);
        let rdf_type = iris.constant(rdf::TYPE.as_str().to_owned());
        let starts = iris.starts;
        let has_valid_starts = starts.iter().all(|start| is_valid(PlainTerm::Node(PlainNode::Iri(start))));
        let graph = match context.graph {
            GraphName::NamedNode(name) => Some(PlainNode::Iri(name.as_str())),
            _ => None,
        };
        RowWriter {
            cells,
            rows,
            list_delimiter: syntax.list_delimiter,
            vocabulary,
            graph,
            blank_prefix,
            header,
            rdf_type,
            has_valid_starts,
        }
    }

    /// Returns whether a term is well-formed, as the IRIs of these nodes are known to be.
    fn is_valid(&self, term: PlainTerm<'_>, of_nodes: &[&NodeIri<'_>]) -> bool {
        match term {
            PlainTerm::Node(PlainNode::Numbered(..)) if self.has_valid_starts => true,
            PlainTerm::Node(PlainNode::Iri(iri))
                if self.has_valid_starts && of_nodes.iter().any(|node| node.is(iri)) =>
            {
                true
            }
            term => is_valid(term),
        }
    }

    /// Writes a row, the `number`th of its file as they are written. Relationships that are alike are neighbours.
    pub fn write(&self, chunk: &Chunk, row: usize, number: u64, gatherer: &mut Gatherer<'_>) -> Written {
        let written = match &self.rows {
            RowKind::Nodes { id, nodes, labels } => {
                self.write_node(chunk, row, (*id, nodes), labels, gatherer)
            }
            RowKind::Relationships { .. } => self.write_relationship(chunk, row, number, gatherer),
        };
        match written {
            Ok(()) => Ok(Ok(())),
            Err(BadRow::Cell(message)) => Ok(Err(message)),
            Err(BadRow::Refused(Refused::Term)) => {
                Ok(Err("an id or a value is too long, or makes no IRI".to_owned()))
            }
            Err(BadRow::Refused(Refused::Write(error))) => Err(error),
        }
    }

    fn write_node(
        &self,
        chunk: &Chunk,
        row: usize,
        (id, nodes): (usize, &IriSeries),
        labels: &[IriConstant],
        gatherer: &mut Gatherer<'_>,
    ) -> Result<(), BadRow> {
        let iri = self.node_iri(chunk.cell(row, id), id, nodes)?;
        // A row is written whole or not at all.
        let values = self.values(chunk, row)?;
        let mut has_quads = !labels.is_empty();
        let mut put = |subject: &NodeIri<'_>, predicate: &IriConstant, object: PlainTerm<'_>| {
            let predicate = PlainNode::Constant(predicate);
            let quad = PlainQuad { subject: subject.node(), predicate, object, graph: self.graph };
            gatherer.insert_plain(&quad, &|term| self.is_valid(term, &[&iri]))
        };
        for label in labels {
            put(&iri, &self.rdf_type, PlainTerm::Node(PlainNode::Constant(label)))?;
        }
        for (predicate, value) in &values {
            put(&iri, predicate, value.term())?;
            has_quads = true;
        }
        for (column, cell) in self.cells.iter().enumerate() {
            let text = chunk.cell(row, column);
            match &cell.target {
                Target::Nothing => {}
                Target::Labels => {
                    for label in self.items(text) {
                        let label = self.vocabulary.iri(label);
                        put(&iri, &self.rdf_type, node(label.as_str()))?;
                        has_quads = true;
                    }
                }
                Target::Reference { .. } if text.is_empty() => {}
                Target::Reference { nodes, predicate, is_incoming } => {
                    let other = self.node_iri(text, column, nodes)?;
                    match is_incoming {
                        true => put(&other, predicate, PlainTerm::Node(iri.node()))?,
                        false => put(&iri, predicate, PlainTerm::Node(other.node()))?,
                    }
                    has_quads = true;
                }
            }
        }
        if !has_quads {
            put(&iri, &self.rdf_type, node(pg::NODE.as_str()))?;
        }
        Ok(())
    }

    fn write_relationship(
        &self,
        chunk: &Chunk,
        row: usize,
        number: u64,
        gatherer: &mut Gatherer<'_>,
    ) -> Result<(), BadRow> {
        let RowKind::Relationships { start, end, type_column, predicate, has_properties } = &self.rows else {
            return Ok(());
        };
        let subject = self.node_iri(chunk.cell(row, start.0), start.0, &start.1)?;
        let object = self.node_iri(chunk.cell(row, end.0), end.0, &end.1)?;
        let named = type_column.map(|column| chunk.cell(row, column).trim()).filter(|name| !name.is_empty());
        let named = named.map(|name| self.vocabulary.iri(name).into_string());
        let predicate = match (&named, predicate) {
            (Some(named), _) => PlainNode::Iri(named),
            (None, Some(predicate)) => PlainNode::Constant(predicate),
            (None, None) => return Err(BadRow::Cell("the relationship has no type".to_owned())),
        };
        let quad = PlainQuad {
            subject: subject.node(),
            predicate,
            object: PlainTerm::Node(object.node()),
            graph: self.graph,
        };
        let is_valid = |term: PlainTerm<'_>| self.is_valid(term, &[&subject, &object]);
        if !has_properties && !self.has_twin(chunk, row) {
            return Ok(gatherer.insert_plain(&quad, &is_valid)?);
        }
        let values = self.values(chunk, row)?;
        let properties =
            values.iter().map(|(predicate, value)| (PlainNode::Constant(predicate), value.term()));
        let label = edge_label(number);
        let reifier = [self.blank_prefix, label.as_str()];
        Ok(gatherer.insert_edge(&quad, reifier, properties, &is_valid)?)
    }

    /// Returns whether a neighbour is a relationship of the same ends and type.
    fn has_twin(&self, chunk: &Chunk, row: usize) -> bool {
        let key = |row: usize| {
            let ends = self.header.ends().map(|ends| ends.map(|column| chunk.cell(row, column)));
            (ends, self.header.type_cell(chunk, row))
        };
        row > 0 && key(row - 1) == key(row) || row + 1 < chunk.rows() && key(row + 1) == key(row)
    }

    fn node_iri<'r>(&self, id: &str, column: usize, nodes: &'r IriSeries) -> Result<NodeIri<'r>, BadRow> {
        if id.is_empty() {
            return Err(BadRow::Cell(format!("{} holds no id", self.place(column))));
        }
        if let Some(number) = IriSeries::number_of(id) {
            return Ok(NodeIri::Numbered(nodes, number));
        }
        let mut iri = String::with_capacity(nodes.start().len() + id.len());
        iri.push_str(nodes.start());
        push_node_id(&mut iri, id);
        Ok(NodeIri::Text(iri))
    }

    /// Returns the properties of a row; empty cells are absent ones.
    fn values<'r>(
        &'r self,
        chunk: &'r Chunk,
        row: usize,
    ) -> Result<Vec<(&'r IriConstant, CellValue<'r>)>, BadRow> {
        let mut values = Vec::with_capacity(self.cells.len());
        for (column, cell) in self.cells.iter().enumerate() {
            let text = chunk.cell(row, column);
            if let Some(property) = cell.property.as_ref().filter(|_| !text.is_empty()) {
                let value = self.value(property, text).ok_or_else(|| {
                    let name = property.cell_type.name();
                    let list = if property.is_list { "[]" } else { "" };
                    BadRow::Cell(format!("{}: '{text}' is no {name}{list}", self.place(column)))
                })?;
                values.push((&property.predicate, value));
            }
        }
        Ok(values)
    }

    fn value<'r>(&self, property: &PropertyWriter, text: &'r str) -> Option<CellValue<'r>> {
        if property.is_list {
            let items: Option<Vec<_>> =
                self.items(text).map(|item| property.cell_type.literal(item)).collect();
            return Some(CellValue::Literal(list_of_literals(items?)));
        }
        match property.cell_type {
            CellType::String => Some(CellValue::String(text)),
            cell_type => match cell_type.inline(text) {
                Some(id) => Some(CellValue::Inline(id)),
                None => cell_type.literal(text).map(CellValue::Literal),
            },
        }
    }

    fn items<'r>(&self, text: &'r str) -> impl Iterator<Item = &'r str> + use<'r> {
        text.split(self.list_delimiter).filter(|item| !item.is_empty())
    }

    fn place(&self, column: usize) -> String {
        match self.header.names[column].as_str() {
            "" => format!("column {}", column + 1),
            name => format!("column {} ({name})", column + 1),
        }
    }
}

/// Returns the label of an edge, whose order is that of the numbers, as far as there are 2^36.
fn edge_label(number: u64) -> String {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(9);
    let mut label = String::with_capacity(17);
    label.push('e');
    label.extend(
        (0..digits).rev().filter_map(|place| char::from_digit((number >> (place * 4) & 15) as u32, 16)),
    );
    label
}

fn node(iri: &str) -> PlainTerm<'_> {
    PlainTerm::Node(PlainNode::Iri(iri))
}

/// Why a row was not written.
enum BadRow {
    Cell(String),
    Refused(Refused),
}

impl From<Refused> for BadRow {
    fn from(refused: Refused) -> BadRow {
        BadRow::Refused(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_edges_are_numbers_in_order() {
        for number in [0, 1, 0xABC, (1 << 36) - 1, 1 << 36, u64::MAX] {
            assert_eq!(edge_label(number), format!("e{number:09x}"));
        }
    }
}
