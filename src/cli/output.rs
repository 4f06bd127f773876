//! Small pieces of output that several verbs share.

use std::io::{IsTerminal, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Failure;
use crate::config::Config;

/// Prints an object as one line of JSON, or the text that stands for it.
pub fn print(config: &Config, object: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let line = if config.json {
        serde_json::to_string(object).map_err(|error| Failure::other(error.to_string()))?
    } else {
        text()
    };
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}") {
        // Whoever reads us had enough: `reefloom log | head`.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Milliseconds since 1970 by the wall clock.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Returns a bar over bytes on a terminal's stderr; elsewhere one that draws nothing.
pub fn byte_bar(total: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
    }
    let style =
        ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg} {bytes_per_sec} ETA {eta}");
    ProgressBar::new(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Returns a bar over blocks; otherwise as [`byte_bar`].
pub fn block_bar(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} blocks, {msg} ETA {eta}");
    byte_bar(total).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Returns bytes as people read them.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// Returns a moment as RFC 3339 in UTC, to the second.
pub fn moment(ms: i64) -> String {
    let literal =
        crate::model::TermId::from_utc_ms(ms.div_euclid(1000) * 1000).and_then(|id| id.to_literal());
    literal.map_or_else(|| ms.to_string(), |literal| literal.value().to_owned())
}
