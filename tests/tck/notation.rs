//! The TCK's notation of values, and whether a value is what it says.

use std::collections::BTreeMap;

use reefloom::model::{Duration, NodeValue, PathValue, RelationshipValue, Term, Value};

#[derive(Clone, Debug, PartialEq)]
pub enum Notation {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(String),
    List(Vec<Notation>),
    Map(BTreeMap<String, Notation>),
    Node(Vec<String>, BTreeMap<String, Notation>),
    Relationship(String, BTreeMap<String, Notation>),
    /// Nodes, and between them relationships with whether they point right.
    Path(Vec<Notation>, Vec<(Notation, bool)>),
}

pub fn parse(text: &str) -> Notation {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars, at: 0 };
    let value = parser.value();
    parser.blanks();
    assert!(parser.at == parser.chars.len(), "cannot read the value {text}");
    value
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> char {
        self.chars.get(self.at).copied().unwrap_or('\0')
    }

    fn blanks(&mut self) {
        while self.peek().is_whitespace() {
            self.at += 1;
        }
    }

    fn eat(&mut self, c: char) -> bool {
        self.blanks();
        let found = self.peek() == c;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: char) {
        assert!(self.eat(c), "expected {c} at {} of {:?}", self.at, self.chars.iter().collect::<String>());
    }

    fn value(&mut self) -> Notation {
        self.blanks();
        match self.peek() {
            '\'' => Notation::String(self.string()),
            '[' => self.bracketed(),
            '{' => Notation::Map(self.map()),
            '(' => self.node(),
            '<' => self.path(),
            _ => self.word(),
        }
    }

    fn string(&mut self) -> String {
        self.at += 1;
        let mut out = String::new();
        loop {
            let c = self.peek();
            self.at += 1;
            match c {
                '\'' => return out,
                '\\' => {
                    let escaped = self.peek();
                    self.at += 1;
                    out.push(escaped);
                }
                '\0' => panic!("a string does not end"),
                c => out.push(c),
            }
        }
    }

    fn bracketed(&mut self) -> Notation {
        self.expect('[');
        self.blanks();
        if self.peek() == ':' {
            self.at += 1;
            let name = self.name();
            self.blanks();
            let properties = if self.peek() == '{' { self.map() } else { BTreeMap::new() };
            self.expect(']');
            return Notation::Relationship(name, properties);
        }
        let mut items = Vec::new();
        while !self.eat(']') {
            items.push(self.value());
            self.eat(',');
        }
        Notation::List(items)
    }

    fn map(&mut self) -> BTreeMap<String, Notation> {
        self.expect('{');
        let mut map = BTreeMap::new();
        while !self.eat('}') {
            self.blanks();
            let key = self.name();
            self.expect(':');
            map.insert(key, self.value());
            self.eat(',');
        }
        map
    }

    fn name(&mut self) -> String {
        if self.eat('`') {
            let mut name = String::new();
            while self.peek() != '`' {
                name.push(self.peek());
                self.at += 1;
            }
            self.at += 1;
            return name;
        }
        let mut name = String::new();
        while self.peek().is_alphanumeric() || self.peek() == '_' {
            name.push(self.peek());
            self.at += 1;
        }
        name
    }

    fn node(&mut self) -> Notation {
        self.expect('(');
        let mut labels = Vec::new();
        while self.eat(':') {
            labels.push(self.name());
        }
        labels.sort();
        self.blanks();
        let properties = if self.peek() == '{' { self.map() } else { BTreeMap::new() };
        self.expect(')');
        Notation::Node(labels, properties)
    }

    fn path(&mut self) -> Notation {
        self.expect('<');
        let mut nodes = vec![self.node()];
        let mut relationships = Vec::new();
        while !self.eat('>') {
            let points_left = self.eat('<');
            self.expect('-');
            let relationship = self.bracketed();
            self.expect('-');
            if !points_left {
                self.expect('>');
            }
            relationships.push((relationship, !points_left));
            nodes.push(self.node());
        }
        Notation::Path(nodes, relationships)
    }

    fn word(&mut self) -> Notation {
        let mut word = String::new();
        while self.peek().is_alphanumeric() || matches!(self.peek(), '+' | '-' | '.') {
            word.push(self.peek());
            self.at += 1;
        }
        match word.as_str() {
            "null" => Notation::Null,
            "true" => Notation::Boolean(true),
            "false" => Notation::Boolean(false),
            "NaN" => Notation::Float(f64::NAN),
            "Inf" => Notation::Float(f64::INFINITY),
            "-Inf" => Notation::Float(f64::NEG_INFINITY),
            number => match number.parse::<i64>() {
                Ok(integer) => Notation::Integer(integer),
                Err(_) => Notation::Float(number.parse().unwrap_or_else(|_| panic!("no value: {number:?}"))),
            },
        }
    }
}

impl Notation {
    /// Returns the value, for parameters and procedures.
    pub fn to_value(&self) -> Value {
        match self {
            Notation::Null => Value::Null,
            Notation::Boolean(value) => Value::Boolean(*value),
            Notation::Integer(value) => Value::Integer(*value),
            Notation::Float(value) => Value::Float(*value),
            Notation::String(value) => Value::String(value.clone()),
            Notation::List(items) => Value::List(items.iter().map(Notation::to_value).collect()),
            Notation::Map(map) => {
                Value::Map(map.iter().map(|(key, value)| (key.clone(), value.to_value())).collect())
            }
            other => panic!("{other:?} is no parameter"),
        }
    }

    /// Returns the same with the elements of all lists sorted.
    pub fn with_sorted_lists(&self) -> Notation {
        let sorted = |map: &BTreeMap<String, Notation>| {
            map.iter().map(|(key, value)| (key.clone(), value.with_sorted_lists())).collect()
        };
        match self {
            Notation::List(items) => {
                let mut items: Vec<Notation> = items.iter().map(Notation::with_sorted_lists).collect();
                items.sort_by_key(|item| format!("{item:?}"));
                Notation::List(items)
            }
            Notation::Map(map) => Notation::Map(sorted(map)),
            Notation::Node(labels, map) => Notation::Node(labels.clone(), sorted(map)),
            Notation::Relationship(name, map) => Notation::Relationship(name.clone(), sorted(map)),
            other => other.clone(),
        }
    }

    /// Returns whether both say the same; NaN is NaN here, and 1 is not 1.0.
    pub fn is(&self, other: &Notation) -> bool {
        match (self, other) {
            (Notation::Float(a), Notation::Float(b)) => a == b || a.is_nan() && b.is_nan(),
            (Notation::List(a), Notation::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is(b))
            }
            (Notation::Map(a), Notation::Map(b)) => same_maps(a, b),
            (Notation::Node(a, x), Notation::Node(b, y)) => a == b && same_maps(x, y),
            (Notation::Relationship(a, x), Notation::Relationship(b, y)) => a == b && same_maps(x, y),
            (Notation::Path(a, x), Notation::Path(b, y)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|(a, b)| a.is(b))
                    && x.iter().zip(y).all(|((a, p), (b, q))| a.is(b) && p == q)
            }
            _ => self == other,
        }
    }
}

fn same_maps(a: &BTreeMap<String, Notation>, b: &BTreeMap<String, Notation>) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((k, x), (l, y))| k == l && x.is(y))
}

/// Returns a result's value in the notation. Temporal values are written as strings, as the TCK has them.
pub fn of_value(value: &Value) -> Notation {
    match value {
        Value::Null => Notation::Null,
        Value::Boolean(value) => Notation::Boolean(*value),
        Value::Integer(value) => Notation::Integer(*value),
        Value::Float(value) => Notation::Float(*value),
        Value::String(value) => Notation::String(value.clone()),
        Value::Duration(duration) => Notation::String(duration_text(duration)),
        Value::List(items) => Notation::List(items.iter().map(of_value).collect()),
        Value::Map(map) => Notation::Map(of_map(map)),
        Value::Node(node) => of_node(node),
        Value::Relationship(relationship) => of_relationship(relationship),
        Value::Path(path) => of_path(path),
        Value::Term(Term::Literal(literal)) => {
            let local = literal.datatype().as_str().rsplit(['#', '/']).next().unwrap_or_default();
            match local {
                "integer" | "int" | "long" => literal
                    .value()
                    .parse()
                    .map_or_else(|_| Notation::String(literal.value().into()), Notation::Integer),
                "double" | "decimal" | "float" => {
                    let text = literal.value().replace("INF", "inf");
                    text.parse().map_or_else(|_| Notation::String(text), Notation::Float)
                }
                "boolean" => Notation::Boolean(matches!(literal.value(), "true" | "1")),
                "time" | "dateTime" => Notation::String(without_zero_seconds(literal.value())),
                _ => Notation::String(literal.value().to_owned()),
            }
        }
        Value::Term(term) => Notation::String(format!("TERM {term}")),
    }
}

/// The TCK writes `12:31` where XSD has to write `12:31:00`; it is the same value.
fn without_zero_seconds(text: &str) -> String {
    let time = text.find('T').map_or(0, |at| at + 1);
    let is_zero = text.get(time + 5..time + 8) == Some(":00");
    let has_fraction = text.get(time + 8..).is_some_and(|rest| rest.starts_with('.'));
    match is_zero && !has_fraction {
        true => format!("{}{}", &text[..time + 5], &text[time + 8..]),
        false => text.to_owned(),
    }
}

fn of_map(map: &BTreeMap<String, Value>) -> BTreeMap<String, Notation> {
    map.iter().map(|(key, value)| (key.clone(), of_value(value))).collect()
}

fn of_node(node: &NodeValue) -> Notation {
    Notation::Node(node.labels.clone(), of_map(&node.properties))
}

fn of_relationship(relationship: &RelationshipValue) -> Notation {
    Notation::Relationship(relationship.name.clone(), of_map(&relationship.properties))
}

fn of_path(path: &PathValue) -> Notation {
    let right = |(index, relationship): (usize, &RelationshipValue)| {
        let points_right = path.nodes.get(index).is_some_and(|node| node.id == relationship.start);
        (of_relationship(relationship), points_right)
    };
    let relationships = path.relationships.iter().enumerate().map(right).collect();
    Notation::Path(path.nodes.iter().map(of_node).collect(), relationships)
}

/// Returns a duration as Cypher prints it: `P1Y2M3DT4H5M6.7S`.
fn duration_text(duration: &Duration) -> String {
    let mut text = "P".to_owned();
    let (years, months) = (duration.months / 12, duration.months % 12);
    for (amount, unit) in [(years, 'Y'), (months, 'M'), (duration.days, 'D')] {
        if amount != 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    }
    let nanoseconds = i128::from(duration.seconds) * 1_000_000_000 + i128::from(duration.nanoseconds);
    if nanoseconds != 0 {
        text.push('T');
        let (hours, rest) = (nanoseconds / 3_600_000_000_000, nanoseconds % 3_600_000_000_000);
        let (minutes, rest) = (rest / 60_000_000_000, rest % 60_000_000_000);
        if hours != 0 {
            text.push_str(&format!("{hours}H"));
        }
        if minutes != 0 {
            text.push_str(&format!("{minutes}M"));
        }
        if rest != 0 {
            let sign = if rest < 0 { "-" } else { "" };
            let (whole, fraction) = (rest.abs() / 1_000_000_000, rest.abs() % 1_000_000_000);
            text.push_str(&format!("{sign}{whole}"));
            if fraction != 0 {
                text.push('.');
                text.push_str(format!("{fraction:09}").trim_end_matches('0'));
            }
            text.push('S');
        }
    }
    if text == "P" { "PT0S".to_owned() } else { text }
}

#[test]
fn notation_is_read() {
    for text in
        ["(:A:B {x: 1, y: 'a\\'b'})", "<(:A)-[:T {x: [1, null]}]->()<-[:U]-()>", "{a: {b: -1.5}}", "[[]]"]
    {
        parse(text);
    }
    assert!(parse("(:B:A {x: NaN})").is(&parse("(:A:B {x: NaN})")));
    assert!(!parse("1").is(&parse("1.0")));
    assert!(parse("[1, [3, 2]]").with_sorted_lists().is(&parse("[[2, 3], 1]").with_sorted_lists()));
}

#[test]
fn zero_seconds_are_left_out() {
    for (text, expected) in [
        ("12:31:00", "12:31"),
        ("1984-10-11T12:31:00+02:05:59", "1984-10-11T12:31+02:05:59"),
        ("12:31:00.5Z", "12:31:00.5Z"),
        ("+999999999-12-31T00:00:00[Z]", "+999999999-12-31T00:00[Z]"),
        ("12:31:14", "12:31:14"),
    ] {
        assert_eq!(without_zero_seconds(text), expected);
    }
}

#[test]
fn durations_are_written() {
    for (parts, expected) in [
        ((0, 0, 0, 0), "PT0S"),
        ((14, 3, 3661, 500_000_000), "P1Y2M3DT1H1M1.5S"),
        ((0, 0, -1, -1), "PT-1.000000001S"),
    ] {
        let (months, days, seconds, nanoseconds) = parts;
        assert_eq!(duration_text(&Duration { months, days, seconds, nanoseconds }), expected);
    }
}
