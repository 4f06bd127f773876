//! Guards the bytes of commits and change sets: a change here is a new format version
//! (docs/block_format.md).

use super::fuzzing;
use crate::block::{BlockKind, SealedBlock};
use crate::crypto::{EpochKey, WorkspaceId};

#[test]
fn commits_and_change_sets_do_not_drift() {
    let key = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
    let line = |(name, content): (&'static str, Vec<u8>)| {
        let kind = if name == "commit" { BlockKind::Commit } else { BlockKind::ChangeSet };
        format!("{name} {}", SealedBlock::seal(kind, &content, &key).id())
    };
    let lines: Vec<String> = fuzzing::seeds().into_iter().map(line).collect();
    let golden = [
        "commit bafkr4igmfyvgj5e4r2bgkcn35ydvb4ljl75wur4ujgjlio43th6bjt64ru",
        "commit bafkr4idcilxngagmvqexcqpxf4fddnbigrxh52575hhxirusibq62bvaua",
        "change_set bafkr4iauvxj36u6mrerjq634ke5wyhcms2nbkgpgxnddutoqptopg3hsqq",
        "change_set bafkr4ig5fcqquby7su7beddifbhddudl3rhbahbkixdfozf3p7xawvyljy",
        "change_set bafkr4icn4u2v534imeawyq3pz2nt65pwbezjteuftlpa4h34orwnpi3nmi",
    ];
    assert_eq!(lines, golden, "{lines:#?}");
}
