//! XML literals as exclusive canonical XML.
//!
//! The parser of RDF/XML copies every namespace in scope to the outermost elements of an XML literal.
//! Canonical XML declares the namespaces in use, where they are used, so that one piece of XML is one
//! literal wherever it stands.
//!
//! # Source
//! RDF 1.1 XML Syntax, 7.2.17; Exclusive XML Canonicalization 1.0, with comments.

use std::collections::BTreeMap;

use oxrdf::vocab::rdf;
use quick_xml::NsReader;
use quick_xml::escape::{EscapeError, unescape};
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};

use crate::model::{Literal, Term};

/// Rewrites the XML literals in a quad of an RDF/XML document.
pub fn canonicalize(quad: &mut oxrdf::Quad) {
    let mut object = &mut quad.object;
    while let Term::Triple(triple) = object {
        object = &mut triple.object;
    }
    if let Term::Literal(literal) = object
        && literal.datatype() == rdf::XML_LITERAL
        && let Ok(text) = canonical(literal.value())
    {
        *literal = Literal::new_typed_literal(text, rdf::XML_LITERAL);
    }
}

fn canonical(text: &str) -> Result<String, quick_xml::Error> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut writer = Writer { out: String::with_capacity(text.len()), declared: vec![BTreeMap::new()] };
    loop {
        match reader.read_event()? {
            Event::Start(start) => writer.start(&start, &reader)?,
            Event::End(end) => writer.end(reader.decoder().decode(end.name().as_ref())?.as_ref()),
            Event::Text(text) => escape(&text.unescape()?, TEXT, &mut writer.out),
            Event::CData(text) => escape(&text.decode()?, TEXT, &mut writer.out),
            Event::Comment(text) => {
                writer.out.extend(["<!--", reader.decoder().decode(&text)?.as_ref(), "-->"]);
            }
            Event::PI(text) => writer.out.extend(["<?", reader.decoder().decode(&text)?.as_ref(), "?>"]),
            Event::Eof => return Ok(writer.out),
            Event::Empty(_) | Event::Decl(_) | Event::DocType(_) => {}
        }
    }
}

struct Writer {
    out: String,
    /// For each open element, the namespaces of the prefixes that are declared there and around it.
    declared: Vec<BTreeMap<String, String>>,
}

impl Writer {
    fn start(&mut self, start: &BytesStart<'_>, reader: &NsReader<&[u8]>) -> Result<(), quick_xml::Error> {
        let decode = |bytes: &[u8]| reader.decoder().decode(bytes).map(|text| text.into_owned());
        let name = start.name();
        let mut used = BTreeMap::from([(prefix_of(name), namespace(reader, name, false))]);
        // By namespace, then local name; those without a prefix have no namespace.
        let mut attributes = BTreeMap::new();
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute.map_err(quick_xml::Error::InvalidAttr)?;
            let key = attribute.key;
            if key.as_namespace_binding().is_some() {
                continue;
            }
            let (prefix, namespace) = (prefix_of(key), namespace(reader, key, true));
            if !prefix.is_empty() && prefix != "xml" {
                used.insert(prefix, namespace.clone());
            }
            let value = unescape_value(&decode(&attribute.value)?)?;
            attributes
                .insert((namespace, decode(key.local_name().as_ref())?), (decode(key.as_ref())?, value));
        }
        self.out.extend(["<", decode(name.as_ref())?.as_str()]);
        self.declare(used);
        for (name, value) in attributes.values() {
            self.attribute(name, value);
        }
        self.out.push('>');
        Ok(())
    }

    /// Declares those prefixes in use that mean something else, or nothing, around here.
    fn declare(&mut self, used: BTreeMap<String, String>) {
        let mut declared = self.declared.last().cloned().unwrap_or_default();
        for (prefix, namespace) in used {
            if declared.get(&prefix).map_or("", String::as_str) != namespace {
                match prefix.as_str() {
                    "" => self.attribute("xmlns", &namespace),
                    prefix => self.attribute(&format!("xmlns:{prefix}"), &namespace),
                }
                declared.insert(prefix, namespace);
            }
        }
        self.declared.push(declared);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.extend([" ", name, "=\""]);
        escape(value, VALUE, &mut self.out);
        self.out.push('"');
    }

    fn end(&mut self, name: &str) {
        self.out.extend(["</", name, ">"]);
        self.declared.pop();
    }
}

fn prefix_of(name: QName<'_>) -> String {
    let prefix = name.prefix();
    prefix.map(|prefix| String::from_utf8_lossy(prefix.as_ref()).into_owned()).unwrap_or_default()
}

/// Returns the namespace of a name; empty if it has none.
fn namespace(reader: &NsReader<&[u8]>, name: QName<'_>, is_attribute: bool) -> String {
    match reader.resolve(name, is_attribute).0 {
        ResolveResult::Bound(namespace) => String::from_utf8_lossy(namespace.as_ref()).into_owned(),
        _ => String::new(),
    }
}

fn unescape_value(raw: &str) -> Result<String, EscapeError> {
    unescape(raw).map(|value| value.into_owned())
}

const TEXT: &[(char, &str)] = &[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('\r', "&#xD;")];
const VALUE: &[(char, &str)] =
    &[('&', "&amp;"), ('<', "&lt;"), ('"', "&quot;"), ('\t', "&#x9;"), ('\n', "&#xA;"), ('\r', "&#xD;")];

fn escape(text: &str, escapes: &[(char, &str)], out: &mut String) {
    for c in text.chars() {
        match escapes.iter().find(|(known, _)| *known == c) {
            Some((_, escaped)) => out.push_str(escaped),
            None => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(canonical(text).unwrap(), expected, "{text}");
        assert_eq!(canonical(expected).unwrap(), expected, "a canonical form is its own");
    }

    #[test]
    fn namespaces_are_declared_where_they_are_used() {
        check(r#"<br xmlns:rdf="http://r" xmlns:eg="http://e"/>"#, "<br></br>");
        check(
            r#"<h:h1 xmlns="http://x" xmlns:h="http://h" xmlns:r="http://r"><b>J</b></h:h1>"#,
            r#"<h:h1 xmlns:h="http://h"><b xmlns="http://x">J</b></h:h1>"#,
        );
        check(
            r#"<a xmlns="http://x" xmlns="http://x"><b><c xmlns=""/></b><d/></a>"#,
            r#"<a xmlns="http://x"><b><c xmlns=""></c></b><d></d></a>"#,
        );
        check(
            r#"<a xmlns:y="http://1" xmlns:x="http://2" x:c="1" y:c="2" b="3" xml:lang="en"/>"#,
            r#"<a xmlns:x="http://2" xmlns:y="http://1" b="3" y:c="2" x:c="1" xml:lang="en"></a>"#,
        );
    }

    #[test]
    fn text_is_escaped_one_way() {
        check("a &quot;b&quot; &#x26; <![CDATA[<c>]]>", "a \"b\" &amp; &lt;c&gt;");
        check("<a b='\"&#10;&gt;'/>", "<a b=\"&quot;&#xA;>\"></a>");
        check("<!-- c --><?p i?>", "<!-- c --><?p i?>");
        assert!(canonical("<a></b>").is_err());
    }
}
