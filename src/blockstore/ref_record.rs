//! The payload of a record of ref changes: for each, name, then nothing (deleted) or the value.
//!
//! ```text
//! change:  name length u32 | name (UTF-8) | 0 (deleted), or 1 | value length u32 | value
//! ```
#![deny(clippy::indexing_slicing)]

use std::io;

use super::RefChange;

pub fn encode_changes(changes: &[RefChange]) -> Vec<u8> {
    let mut out = Vec::new();
    for change in changes {
        put_bytes(&mut out, change.name.as_bytes());
        out.push(u8::from(change.new.is_some()));
        if let Some(value) = &change.new {
            put_bytes(&mut out, value);
        }
    }
    out
}

/// Returns (name, new value) of each change.
pub fn decode_changes(payload: &[u8]) -> io::Result<Vec<(String, Option<Vec<u8>>)>> {
    let mut rest = payload;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let change = take_change(&mut rest);
        changes
            .push(change.ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "a record of refs is malformed")
            })?);
    }
    Ok(changes)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take_change(rest: &mut &[u8]) -> Option<(String, Option<Vec<u8>>)> {
    let name = String::from_utf8(take_bytes(rest)?.to_vec()).ok()?;
    let (flag, after) = rest.split_first()?;
    *rest = after;
    match flag {
        0 => Some((name, None)),
        1 => Some((name, Some(take_bytes(rest)?.to_vec()))),
        _ => None,
    }
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let (bytes, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    *rest = after;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> impl Strategy<Value = Vec<RefChange>> {
        let change = (".{0,9}", any::<Option<Vec<u8>>>());
        let change = change.prop_map(|(name, new)| RefChange { name, old: None, new });
        proptest::collection::vec(change, 0..6)
    }

    proptest! {
        #[test]
        fn changes_read_back(changes in changes()) {
            let expected: Vec<_> =
                changes.iter().map(|change| (change.name.clone(), change.new.clone())).collect();
            prop_assert_eq!(decode_changes(&encode_changes(&changes)).unwrap(), expected);
        }

        /// What is well-formed after a change of one bit has no other encoding.
        #[test]
        fn no_single_bit_does_harm(changes in changes(), bit: prop::sample::Index) {
            let mut payload = encode_changes(&changes);
            if !payload.is_empty() {
                let bit = bit.index(payload.len() * 8);
                payload[bit / 8] ^= 1 << (bit % 8);
            }
            if let Ok(read) = decode_changes(&payload) {
                let again: Vec<RefChange> =
                    read.into_iter().map(|(name, new)| RefChange { name, old: None, new }).collect();
                prop_assert_eq!(encode_changes(&again), payload);
            }
        }

        #[test]
        fn foreign_bytes_never_panic(payload: Vec<u8>) {
            let _ = decode_changes(&payload);
        }
    }
}
