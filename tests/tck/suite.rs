//! The feature files as scenarios, outlines expanded.
//!
//! The reader is our own: of Gherkin it knows just what these files use, and it does not stumble over
//! what stands in their doc strings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub struct Suite {
    /// The setup scripts of the named graphs, by name.
    pub graphs: BTreeMap<String, String>,
    pub scenarios: Vec<Scenario>,
}

pub struct Scenario {
    /// Feature file, name, and the index of the example where there is one.
    pub id: String,
    pub steps: Vec<Step>,
}

#[derive(Clone)]
pub struct Step {
    pub text: String,
    pub docstring: Option<String>,
    pub table: Vec<Vec<String>>,
}

pub fn load(folder: &Path) -> Suite {
    let features = folder.join("features");
    let mut files = Vec::new();
    find(&features, &mut files);
    files.sort();
    let scenarios = files.iter().flat_map(|file| read(file, &features)).collect();
    let mut graphs = BTreeMap::new();
    for name in ["binary-tree-1", "binary-tree-2"] {
        let path = folder.join("graphs").join(name).join(format!("{name}.cypher"));
        graphs.insert(name.to_owned(), std::fs::read_to_string(path).unwrap());
    }
    Suite { graphs, scenarios }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "feature") {
            files.push(path);
        }
    }
}

fn read(file: &Path, root: &Path) -> Vec<Scenario> {
    let text = std::fs::read_to_string(file).unwrap();
    let path = file.strip_prefix(root).unwrap().display().to_string();
    let mut background = Vec::new();
    let mut scenarios = Vec::new();
    for block in blocks(&text) {
        let Some(name) = &block.name else {
            background = block.steps;
            continue;
        };
        let id = format!("{path}: {name}");
        let steps: Vec<Step> = background.iter().chain(&block.steps).cloned().collect();
        if block.examples.is_empty() {
            scenarios.push(Scenario { id, steps });
            continue;
        }
        let mut index = 0;
        for table in &block.examples {
            let Some((names, rows)) = table.split_first() else { continue };
            for row in rows {
                index += 1;
                let steps = steps.iter().map(|step| fill(step, names, row)).collect();
                scenarios.push(Scenario { id: format!("{id} #{index}"), steps });
            }
        }
    }
    scenarios
}

/// A scenario or outline as written; the background has no name.
struct Block {
    name: Option<String>,
    steps: Vec<Step>,
    examples: Vec<Vec<Vec<String>>>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let line = line.trim();
        let starts = ["Scenario Outline:", "Scenario:", "Background:"];
        if let Some(start) = starts.iter().find(|start| line.starts_with(**start)) {
            let name = (*start != "Background:").then(|| line[start.len()..].trim().to_owned());
            blocks.push(Block { name, steps: Vec::new(), examples: Vec::new() });
            continue;
        }
        let Some(block) = blocks.last_mut() else { continue };
        if line.starts_with("Examples:") {
            block.examples.push(Vec::new());
        } else if line.starts_with('|') {
            match (block.examples.last_mut(), block.steps.last_mut()) {
                (Some(table), _) => table.push(cells(line)),
                (None, Some(step)) => step.table.push(cells(line)),
                (None, None) => {}
            }
        } else if line == "\"\"\"" {
            let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "\"\"\"").collect();
            let indent = body.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min();
            let cut = |line: &&str| line.get(indent.unwrap_or(0)..).unwrap_or_default().to_owned();
            if let Some(step) = block.steps.last_mut() {
                step.docstring = Some(body.iter().map(cut).collect::<Vec<_>>().join("\n"));
            }
        } else if let Some((keyword, step)) = line.split_once(' ')
            && ["Given", "When", "Then", "And", "But"].contains(&keyword)
        {
            let text = step.trim().trim_end_matches(':').trim().to_owned();
            block.steps.push(Step { text, docstring: None, table: Vec::new() });
        }
    }
    blocks
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Splits a row of a table; `\|`, `\n` and `\\` are escapes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut chars = line.trim().chars().skip(1);
    while let Some(c) = chars.next() {
        match c {
            '|' => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            '\\' => match chars.next() {
                Some('n') => cell.push('\n'),
                Some(escaped @ ('|' | '\\')) => cell.push(escaped),
                Some(other) => cell.extend(['\\', other]),
                None => cell.push('\\'),
            },
            c => cell.push(c),
        }
    }
    cells
}

/// Puts the values of one example in the places of their names.
fn fill(step: &Step, names: &[String], row: &[String]) -> Step {
    let fill = |text: &String| {
        let mut text = text.clone();
        for (name, value) in names.iter().zip(row) {
            text = text.replace(&format!("<{name}>"), value);
        }
        text
    };
    Step {
        text: fill(&step.text),
        docstring: step.docstring.as_ref().map(fill),
        table: step.table.iter().map(|cells| cells.iter().map(fill).collect()).collect(),
    }
}
