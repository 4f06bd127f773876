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
        "change_set bafkr4ibjayicjyzdqvmth6fuo4wixbs7fxezqjg2z4tzlqnjexlmmzthy4",
        "change_set bafkr4ibuwcjokktvjpsgytajkpy2z22llbkdpmmxlyvxcvwinrvg2rbudi",
        "change_set bafkr4igyyzxsgikela5jhcqsrbrmdbmcysenyjtotzokp6h6ckjv6zuonm",
    ];
    assert_eq!(lines, golden, "{lines:#?}");
}
