//! SPARQL clients that others wrote, as their users install them: each reads, writes, and gets its
//! errors. Versions are pinned in `requirements.txt` and `package.json` (Comunica 5 wants Node 22).
//!
//! Where a client cannot be installed (no Python, Node or network) its test says so and passes, unless
//! `CI` is `true`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that unwraps fails, as it should")]

#[path = "../served/mod.rs"]
mod served;

use std::path::{Path, PathBuf};
use std::process::Command;

use reefloom::engine::{Engine, WorkspaceSettings};
use reefloom::server::HttpOptions;
use served::Served;

#[test]
fn curl() {
    check(Some(PathBuf::from("bash")), "curl.sh");
}

#[test]
fn sparqlwrapper() {
    check(python(), "wrapper.py");
}

#[test]
fn rdflib() {
    check(python(), "store.py");
}

#[test]
fn comunica() {
    check(node(), "comunica.mjs");
}

/// Runs a script with the address of a fresh node; it fails where an expectation of its own does.
fn check(interpreter: Option<PathBuf>, script: &str) {
    let Some(interpreter) = interpreter else {
        eprintln!("SKIPPED: the client of {script} cannot be installed here");
        assert!(!std::env::var("CI").is_ok_and(|value| value == "true"), "CI runs every client");
        return;
    };
    let engine = Engine::in_memory();
    engine.create_workspace("fleet", WorkspaceSettings::default(), 0).unwrap();
    let served = Served::start(engine, HttpOptions::default());
    let script = if script.ends_with(".mjs") { clients().join("node").join(script) } else { source(script) };
    let run = Command::new(interpreter)
        .arg(script)
        .arg(format!("http://{}", served.address))
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .output()
        .expect("the interpreter starts");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{out}{err}");
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(file)
}

/// Where clients are installed.
fn clients() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients")
}

/// Returns a Python that has what `requirements.txt` lists.
fn python() -> Option<PathBuf> {
    let folder = clients().join("python");
    let python = folder.join("bin/python");
    install(&folder, &source("requirements.txt"), || {
        succeeds(Command::new("python3").args(["-m", "venv"]).arg(&folder))
            && succeeds(
                Command::new(&python)
                    .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
                    .arg(source("requirements.txt")),
            )
    })?;
    Some(python)
}

/// Returns a Node, and lays the script beside what `package.json` lists: imports are looked up from there.
fn node() -> Option<PathBuf> {
    let folder = clients().join("node");
    install(&folder, &source("package.json"), || {
        std::fs::copy(source("package.json"), folder.join("package.json")).unwrap();
        let npm = ["install", "--no-audit", "--no-fund", "--loglevel=error"];
        succeeds(Command::new("npm").args(npm).current_dir(&folder))
    })?;
    std::fs::copy(source("comunica.mjs"), folder.join("comunica.mjs")).unwrap();
    Some(PathBuf::from("node"))
}

/// Installs into a folder unless it has what the list says already; `None` if that fails. Tests of one
/// process take turns.
fn install(folder: &Path, list: &Path, install: impl FnOnce() -> bool) -> Option<()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (installed, wanted) = (folder.join("installed"), std::fs::read_to_string(list).unwrap());
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Some(());
    }
    std::fs::create_dir_all(folder).unwrap();
    if !install() {
        return None;
    }
    std::fs::write(installed, wanted).unwrap();
    Some(())
}

fn succeeds(command: &mut Command) -> bool {
    match command.output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            eprintln!("{command:?}: {error}");
            false
        }
    }
}
