//! The counts that `docs/conformance.md` tells.

/// Checks that the page has this row.
pub fn published(suite: &str, passed: usize, total: usize) -> Result<(), String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/conformance.md");
    let text = std::fs::read_to_string(page).map_err(|error| format!("{page}: {error}"))?;
    let row = format!("| {suite} | {passed} | {total} |");
    let is_told = text.lines().any(|line| line.trim() == row);
    if is_told { Ok(()) } else { Err(format!("docs/conformance.md does not say: {row}")) }
}
