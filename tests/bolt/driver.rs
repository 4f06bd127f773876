//! Neo4j's drivers: installed once, then run against a node.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs the cases of `driver.py` with a version of the Python driver.
pub fn python(version: &str, address: SocketAddr) {
    match install_python(version) {
        Ok(python) => {
            let mut cases = Command::new(python);
            check(cases.args(["-W", "ignore", "tests/bolt/driver.py"]).arg(address.to_string()));
        }
        Err(error) => skip(&format!("the Python driver {version}"), &error),
    }
}

/// Runs the cases of `door.py`: the certificate at a path is trusted.
pub fn door(address: SocketAddr, token: &str, certificate: &Path) {
    match install_python("6.4.1") {
        Ok(python) => {
            let mut cases = Command::new(python);
            cases.args(["-W", "ignore", "tests/bolt/door.py"]).args([&address.to_string(), token]);
            run_cases(cases.env("SSL_CERT_FILE", certificate), 5);
        }
        Err(error) => skip("the Python driver by TLS", &error),
    }
}

/// Runs the cases of a script with a library that stands on the Python driver.
pub fn python_library(script: &str, packages: &[&str], address: SocketAddr) {
    let name = packages[0].replace("==", "-");
    match install_python_packages(&name, packages) {
        Ok(python) => {
            let mut cases = Command::new(python);
            run_cases(cases.args(["-W", "ignore", script]).arg(address.to_string()), 3);
        }
        Err(error) => skip(packages[0], &error),
    }
}

/// Runs the cases of `driver.mjs` with a version of the JavaScript driver.
pub fn javascript(version: &str, address: SocketAddr) {
    match install_javascript(version) {
        Ok(folder) => {
            let mut cases = Command::new("node");
            check(cases.arg("tests/bolt/driver.mjs").arg(folder).arg(address.to_string()));
        }
        Err(error) => skip(&format!("the JavaScript driver {version}"), &error),
    }
}

/// Runs the cases of `neo4rs/`, a package of its own.
pub fn rust(address: SocketAddr) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("neo4rs");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--manifest-path", "tests/bolt/neo4rs/Cargo.toml"]);
    match run(build.arg("--target-dir").arg(&target)) {
        Ok(()) => run_cases(Command::new(target.join("debug/neo4rs-cases")).arg(address.to_string()), 6),
        Err(error) => skip("the Rust driver", &error),
    }
}

fn check(cases: &mut Command) {
    run_cases(cases, 8);
}

/// Runs cases, of which there are so many at least: each says its name when it is done.
fn run_cases(cases: &mut Command, count_min: usize) {
    let output = cases.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().count() >= count_min, "{text}");
}

/// Says what is not tested.
fn skip(what: &str, error: &str) {
    let is_required = std::env::var("REEFLOOM_DRIVERS").is_ok_and(|value| value == "required");
    assert!(!is_required, "{what} could not be installed: {error}");
    eprintln!("\nSKIPPED: {what} is not tested, since it could not be installed: {error}\n");
}

/// Returns the interpreter of an environment that has the driver, made if need be.
fn install_python(version: &str) -> Result<PathBuf, String> {
    install_python_packages(
        &format!("neo4j-python-{version}"),
        &[&format!("neo4j=={version}"), "pytz==2025.2"],
    )
}

/// Returns the interpreter of an environment of that name that has the packages, made if need be.
fn install_python_packages(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let python = folder.join("bin/python");
    // Written last: an install that broke off is begun again.
    let done = folder.join("installed");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run(Command::new(&python).args(install).args(packages))?;
    std::fs::write(&done, wanted).map_err(|error| error.to_string())?;
    Ok(python)
}

/// Returns the folder that the driver is installed in.
fn install_javascript(version: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("neo4j-javascript-{version}"));
    let package = folder.join("package.json");
    // Written last: an install that broke off is begun again.
    if package.exists() {
        return Ok(folder);
    }
    run(Command::new("npm")
        .args(["install", "--silent", "--no-package-lock", "--no-save", "--prefix"])
        .arg(&folder)
        .arg(format!("neo4j-driver@{version}")))?;
    std::fs::write(&package, "{}").map_err(|error| error.to_string())?;
    Ok(folder)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
