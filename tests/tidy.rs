//! The repository's own rules.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path, extensions: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with(".git") && !name.starts_with("reefloom-") {
                    folders.push(path);
                }
            } else if extensions.iter().any(|extension| name.ends_with(extension)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn every_room_says_what_it_is_for() {
    for file in files(Path::new("src"), &["mod.rs"]) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} opens without a paragraph on what it is for", file.display());
    }
}

#[test]
fn no_path_of_a_machine_stands_in_the_project() {
    let words = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("C:", "\\")];
    for file in files(Path::new("."), &[".rs", ".md", ".toml", ".sh", ".txt", ".ebnf"]) {
        let text = fs::read_to_string(&file).unwrap();
        for word in words {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in files(Path::new("."), &[".md"]) {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(file.parent().unwrap().join(path).exists(), "{}: {link} leads nowhere", file.display());
        }
    }
}

#[test]
fn ignored_tests_give_a_reason() {
    for file in files(Path::new("."), &[".rs"]) {
        let text = fs::read_to_string(&file).unwrap();
        let bare = concat!("#[ign", "ore]");
        assert!(!text.contains(bare), "{}: {bare} without a reason", file.display());
    }
}
