//! The corpus that a search begins with: real encodings.

use std::fs;
use std::path::Path;

/// Writes the seeds into `corpus/`, a folder for each target.
///
/// # Panics
/// If the folder cannot be written.
pub fn write() {
    let of = |name: &'static str, seeds: Vec<Vec<u8>>| seeds.into_iter().map(move |bytes| (name, bytes));
    let seeds = reefloom::crypto::fuzzing::seeds()
        .into_iter()
        .chain(reefloom::graph::fuzzing::seeds())
        .chain(reefloom::workspace::fuzzing::seeds())
        .chain(reefloom::network::fuzzing::seeds())
        .chain(reefloom::replication::fuzzing::seeds())
        .chain(reefloom::language::fuzzing::seeds())
        .chain(reefloom::server::bolt::fuzzing::seeds())
        .chain(of("car", crate::car::seeds()))
        .chain(of("pack", crate::pack::seeds()))
        .chain(of("keyring", crate::keyring::seeds()));
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, bytes) in seeds {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder).expect("there is room for a folder");
        let name = format!("seed-{}", &blake3::hash(&bytes).to_hex()[..16]);
        fs::write(folder.join(name), bytes).expect("there is room for a file");
    }
}
