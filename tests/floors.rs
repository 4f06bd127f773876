//! Holds the floors: a room uses lower floors only, and nothing beside it on its own.
//!
//! The table is the one in ARCHITECTURE.md. A path counts as a use wherever it stands in the code
//! of `src`, comments, strings and unit tests left out.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("crypto", 0),
    ("batch", 1),
    ("plan", 1),
    ("block", 1),
    ("dataset", 2),
    ("graph", 3),
    ("vector", 3),
    ("blockstore", 3),
    ("network", 3),
    ("language", 4),
    ("optimize", 4),
    ("execute", 4),
    ("results", 4),
    ("workspace", 4),
    ("replication", 5),
    ("engine", 6),
    ("server", 7),
    ("main", 8),
    ("cli", 8),
    ("config", 8),
    ("telemetry", 8),
];

/// Rooms within `language` do not know each other.
const LANGUAGES: &[&str] = &["sparql", "cypher", "graphql"];

/// Floor 8 is the roof: its rooms are parts of one program and may know each other.
const ROOF: u8 = 8;

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

#[test]
fn rooms_use_lower_floors_only() {
    let mut faults = Vec::new();
    for file in source_files(Path::new("src")) {
        let room = room_of(&file);
        if room == "lib" {
            continue;
        }
        let Some(own) = floor(&room) else {
            faults.push(format!("{}: the room '{room}' has no floor", file.display()));
            continue;
        };
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for used in rooms_used(&code) {
            let Some(other) = floor(&used) else { continue };
            let allowed = other < own || used == room || (own == ROOF && other == ROOF);
            if !allowed {
                faults.push(format!("{}: {room} (floor {own}) uses {used} (floor {other})", file.display()));
            }
        }
        if let Some(language) = language_of(&file) {
            for other in LANGUAGES.iter().filter(|other| **other != language) {
                if code.contains(&format!("language::{other}")) || code.contains(&format!("super::{other}::"))
                {
                    faults.push(format!("{}: {language} knows {other}", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rooms_without_a_use_for_them_name_no_forbidden_crate() {
    // (room, word that its code must not hold, why)
    let absent = [
        ("language", "std::fs", "languages read no files"),
        ("optimize", "std::time", "the optimizer is a pure function"),
        ("plan", "std::time", "plans know no clock"),
        ("graph", "std::fs", "graph does no I/O"),
        ("network", "EpochKey", "the network holds no block key"),
        ("execute", "std::fs", "execute reads only through Dataset"),
        ("workspace", "SystemTime", "time is an argument"),
        ("engine", "axum", "only the server knows HTTP"),
    ];
    let mut faults = Vec::new();
    for file in source_files(Path::new("src")) {
        let room = room_of(&file);
        let code = code_of(&fs::read_to_string(&file).unwrap());
        for (_, word, why) in absent.iter().filter(|(name, ..)| *name == room) {
            if code.contains(word) {
                faults.push(format!("{}: '{word}': {why}", file.display()));
            }
        }
        if !["server", "main", "cli", "config", "telemetry"].contains(&room.as_str())
            && code.contains("env::var")
        {
            faults.push(format!("{}: only config reads the environment", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_checker_sees_uses() {
    assert_eq!(rooms_used("use crate::engine::Engine;"), ["engine"]);
    assert_eq!(rooms_used("use crate::{model::Term, block};"), ["model", "block"]);
    assert_eq!(rooms_used("fn f(x: crate::plan::Query) {}"), ["plan"]);
    assert_eq!(
        code_of("a // crate::engine\n\"crate::cli\"\n#[cfg(test)]\nmod tests { crate::cli }\n").trim(),
        "a \n\"\""
    );
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn language_of(file: &Path) -> Option<&'static str> {
    let mut parts = file.strip_prefix("src/language").ok()?.components();
    let name = parts.next()?.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
    LANGUAGES.iter().find(|language| **language == name).copied()
}

/// Returns the code without line comments, string contents and unit tests.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break;
        }
        let mut in_string = false;
        let mut previous = ' ';
        let mut characters = line.chars().peekable();
        while let Some(character) = characters.next() {
            if !in_string && character == '/' && characters.peek() == Some(&'/') {
                break;
            }
            let is_quote = character == '"' && previous != '\\' && previous != '\'';
            if is_quote {
                in_string = !in_string;
            }
            if !in_string || is_quote {
                code.push(character);
            }
            previous = character;
        }
        code.push('\n');
    }
    code
}

/// Returns the rooms named by `crate::room` or `crate::{room..., room...}`, in order.
fn rooms_used(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let name = |text: &str| -> String {
            text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        };
        let Some(group) = rest.strip_prefix('{') else {
            rooms.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut at_start = true;
        for (index, character) in group.char_indices() {
            if at_start && !character.is_whitespace() {
                rooms.push(name(&group[index..]));
                at_start = false;
            }
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => at_start = true,
                _ => {}
            }
        }
    }
    rooms.retain(|room| !room.is_empty());
    rooms
}
