//! What the program says of itself: tracing, to stderr.

use tracing_subscriber::EnvFilter;

/// Starts the log. `RUST_LOG` overrides `verbose` (0 warnings, 1 info, 2 debug).
pub fn start(verbose: u8) {
    let level = match verbose {
        0 => "reefloom=warn",
        1 => "reefloom=info",
        _ => "reefloom=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // A second start, as tests may do, keeps the first.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
