//! The questions' file, as `maritime.txt` describes it.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    Sparql,
    Cypher,
    GraphQl,
}

pub struct Question {
    pub name: String,
    pub is_ordered: bool,
    pub has_one_plan: bool,
    pub texts: Vec<(Tongue, String)>,
}

impl Question {
    pub fn text(&self, tongue: Tongue) -> Option<&str> {
        self.texts.iter().find(|(other, _)| *other == tongue).map(|(_, text)| text.as_str())
    }
}

/// Parses the file.
///
/// # Panics
/// If it is malformed, or a name stands twice.
pub fn parse(file: &str) -> Vec<Question> {
    let mut questions: Vec<Question> = Vec::new();
    for line in file.lines() {
        if let Some(heading) = line.strip_prefix("== ") {
            let mut words = heading.split_whitespace();
            let name = words.next().expect("a name").to_owned();
            assert!(questions.iter().all(|question| question.name != name), "{name} stands twice");
            let flags: Vec<&str> = words.collect();
            assert!(flags.iter().all(|flag| ["ordered", "same-plan"].contains(flag)), "{heading}");
            let (is_ordered, has_one_plan) = (flags.contains(&"ordered"), flags.contains(&"same-plan"));
            questions.push(Question { name, is_ordered, has_one_plan, texts: Vec::new() });
        } else if let Some(tongue) = line.strip_prefix("-- ") {
            let tongue = match tongue.trim() {
                "sparql" => Tongue::Sparql,
                "cypher" => Tongue::Cypher,
                "graphql" => Tongue::GraphQl,
                other => panic!("no such language: {other}"),
            };
            questions.last_mut().expect("a heading first").texts.push((tongue, String::new()));
        } else if !line.starts_with('#')
            && let Some((_, text)) = questions.last_mut().and_then(|question| question.texts.last_mut())
        {
            text.push_str(line);
            text.push('\n');
        }
    }
    questions
}
