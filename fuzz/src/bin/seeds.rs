//! Writes a corpus of real encodings, by target: `seeds <folder>`.

use std::fs;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "corpus".to_owned());
    let of = |name: &'static str, seeds: Vec<Vec<u8>>| seeds.into_iter().map(move |bytes| (name, bytes));
    let seeds = reefloom::crypto::fuzzing::seeds()
        .into_iter()
        .chain(reefloom::graph::fuzzing::seeds())
        .chain(reefloom::workspace::fuzzing::seeds())
        .chain(reefloom::network::fuzzing::seeds())
        .chain(reefloom::replication::fuzzing::seeds())
        .chain(of("pack", reefloom_fuzz::pack::seeds()))
        .chain(of("keyring", reefloom_fuzz::keyring::seeds()));
    for (target, bytes) in seeds {
        let folder = Path::new(&folder).join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{}", &blake3::hash(&bytes).to_hex()[..16])), bytes)?;
    }
    Ok(())
}
