//! The mapping between property-graph names and IRIs, both directions (`docs/property_graph.md`).
//!
//! Label, relationship type and key share one namespace: what a name is follows from its position.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::term::{NamedNode, NamedOrBlankNode, Term};

/// Our own vocabulary: markers and datatypes that no standard has.
pub mod pg {
    use oxrdf::NamedNodeRef;

    pub const NAMESPACE: &str = "https://reefloom.org/ns/pg#";
    /// `n rdf:type pg:Node` keeps a node that has no other quad; never shown as a label.
    pub const NODE: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("https://reefloom.org/ns/pg#Node");
    pub const DURATION: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("https://reefloom.org/ns/pg#duration");
    pub const TIME: NamedNodeRef<'_> = NamedNodeRef::new_unchecked("https://reefloom.org/ns/pg#time");
    pub const DATE_TIME: NamedNodeRef<'_> =
        NamedNodeRef::new_unchecked("https://reefloom.org/ns/pg#dateTime");
    /// SPARQL-CDTs list literals (AWS Labs).
    pub const LIST: NamedNodeRef<'_> =
        NamedNodeRef::new_unchecked("http://w3id.org/awslabs/neptune/SPARQL-CDTs/List");
    pub const REIFIES: NamedNodeRef<'_> =
        NamedNodeRef::new_unchecked("http://www.w3.org/1999/02/22-rdf-syntax-ns#reifies");
}

/// What a name may not hold as it stands in an IRI: what RFC 3987 forbids, `%` and `:` (so that an
/// encoded name is never taken for an IRI or a prefixed name).
const NAME: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'%')
    .add(b':')
    .add(b'#')
    .add(b'?')
    .add(b'/')
    .add(b'[')
    .add(b']');

/// A workspace's names: the namespace of plain names, and prefixes for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The IRI that plain names are appended to; ends in `#` or `/` as a rule.
    pub base: String,
    /// (prefix without colon, namespace IRI), sorted.
    pub prefixes: Vec<(String, String)>,
}

impl Default for Vocabulary {
    fn default() -> Vocabulary {
        let prefixes = [
            ("owl", "http://www.w3.org/2002/07/owl#"),
            ("pg", pg::NAMESPACE),
            ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
            ("rdfs", "http://www.w3.org/2000/01/rdf-schema#"),
            ("skos", "http://www.w3.org/2004/02/skos/core#"),
            ("xsd", "http://www.w3.org/2001/XMLSchema#"),
        ];
        Vocabulary {
            base: "https://reefloom.org/data#".to_owned(),
            prefixes: prefixes.map(|(prefix, iri)| (prefix.to_owned(), iri.to_owned())).to_vec(),
        }
    }
}

impl Vocabulary {
    /// Returns the IRI of a name: itself if it is an absolute IRI, expanded if it has a known
    /// prefix, else appended to the base.
    pub fn iri(&self, name: &str) -> NamedNode {
        if let Some((prefix, local)) = name.split_once(':') {
            if let Some((_, namespace)) = self.prefixes.iter().find(|(known, _)| known == prefix) {
                return NamedNode::new_unchecked(format!("{namespace}{local}"));
            }
            if (local.starts_with("//") || prefix == "urn")
                && let Ok(iri) = NamedNode::new(name)
            {
                return iri;
            }
        }
        NamedNode::new_unchecked(format!("{}{}", self.base, utf8_percent_encode(name, NAME)))
    }

    /// Returns the IRIs of imported nodes of an id space, but for the id that [`push_node_id`] puts behind:
    /// no name has an IRI that begins like this.
    pub fn node_iri_start(&self, space: &str) -> String {
        format!("{}{}/", self.base, utf8_percent_encode(space, NAME))
    }

    /// Returns the IRI that stands for the plain relationship `subject predicate object` in a graph
    /// (`None` is the default graph), and that becomes its reifier when it needs one.
    pub fn relationship_iri(&self, graph: Option<&Term>, triple: [&Term; 3]) -> NamedNode {
        let mut hasher = blake3::Hasher::new();
        for term in triple.into_iter().chain(graph) {
            hasher.update(term.to_string().as_bytes());
            hasher.update(b" ");
        }
        let digest = hasher.finalize();
        let text = data_encoding::BASE32_NOPAD.encode(&digest.as_bytes()[..16]).to_ascii_lowercase();
        NamedNode::new_unchecked(format!("{}r-{text}", self.base))
    }

    /// Returns the name of an IRI: local under the base, else the shortest prefixed form, else the
    /// IRI in full. The inverse of [`Vocabulary::iri`].
    pub fn name(&self, iri: &str) -> String {
        if let Some(local) = iri.strip_prefix(&self.base)
            && let Ok(name) = percent_decode_str(local).decode_utf8()
            && self.iri(&name).as_str() == iri
        {
            return name.into_owned();
        }
        let prefixed = self.prefixes.iter().filter_map(|(prefix, namespace)| {
            iri.strip_prefix(namespace.as_str()).map(|local| format!("{prefix}:{local}"))
        });
        prefixed.min_by_key(String::len).unwrap_or_else(|| iri.to_owned())
    }
}

/// Appends the id of an imported node to what [`Vocabulary::node_iri_start`] returns.
pub fn push_node_id(iri: &mut String, id: &str) {
    iri.extend(utf8_percent_encode(id, NAME));
}

/// Returns the element id of a node or relationship: an IRI as it is, a blank node with its `_:`.
pub fn element_id(id: &NamedOrBlankNode) -> String {
    match id {
        NamedOrBlankNode::NamedNode(node) => node.as_str().to_owned(),
        NamedOrBlankNode::BlankNode(node) => node.to_string(),
    }
}

/// Returns the number that goes with an element id, for clients that know nodes by number: 53 bits, so
/// that any of them can hold it.
pub fn number_of_id(element_id: &str) -> i64 {
    let digest = blake3::hash(element_id.as_bytes());
    let word = digest.as_bytes().iter().take(8).fold(0u64, |word, byte| word << 8 | u64::from(*byte));
    (word >> 11) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_iris_map_both_ways() {
        let vocabulary = Vocabulary::default();
        for name in [
            "Person",
            "has space",
            "50%",
            "a/b#c",
            "名前",
            "rdfs:label",
            "https://example.org/x",
            "odd:name",
            "",
        ] {
            assert_eq!(vocabulary.name(vocabulary.iri(name).as_str()), name);
        }
        assert_eq!(vocabulary.iri("rdfs:label").as_str(), "http://www.w3.org/2000/01/rdf-schema#label");
    }
}
