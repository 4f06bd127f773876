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
        "commit bafkr4ibaqes6lonaq44nbf4gftv6kvc2lmcdd4yrvhmycvjpeur7pyic5e",
        "commit bafkr4icwt4z5kormwo4yapmiz7av4aat4hyuvfo7l7tikannnwpmdoscc4",
        "change_set bafkr4icp6t7jnbzxhinmjakrfbh6nrmw335c5xcogfk4gdsqizkcgkndvq",
        "change_set bafkr4ibvssvpe7nqr2de7uy7lzbzzy3og43xy3w4f4e7eyk5l2df5t3eee",
        "change_set bafkr4ieotn7fbtmz4za2o5xr6o7trpmz7ogpxsg63gnxyww6yzdyedcucm",
        "change_set bafkr4ia3ld7zkefzybfrndd26oeym47gpnivoy2nyaswjeedbrvsoypz2i",
    ];
    assert_eq!(lines, golden, "{lines:#?}");
}
