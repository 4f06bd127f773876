//! A store whose packs are made of arbitrary records, some of them torn or changed.
//!
//! Written from docs/block_format.md alone: it shares no code with the store.

use std::fs;
use std::path::Path;

use reefloom::block::{BlockId, BlockKind, BlockSink, BlockSource, SealedBlock};
use reefloom::blockstore::{LocalStore, Refs, Store};
use reefloom::crypto::{EpochKey, WorkspaceId};

const SALT: [u8; 32] = [5; 32];
const HEADER_BYTES: u64 = 112;

/// Bytes: steps, each a record, a change or garbage. What opens keeps what its records say, takes new
/// blocks and refs, and opens again with the same.
pub fn run(bytes: &[u8]) {
    crate::in_folder(|folder| {
        let packs = Packs::of(bytes);
        packs.write(folder);
        let Ok(store) = LocalStore::open(folder) else { return };
        for id in &packs.sound {
            let found = store.get(&[*id]).expect("memory can be read");
            assert!(found.iter().all(Option::is_some), "an intact record before any damage is kept");
        }
        let key = EpochKey::from_secret([1; 32], WorkspaceId([2; 32]));
        let block = SealedBlock::seal(BlockKind::Commit, b"new", &key);
        store.put(std::slice::from_ref(&block)).expect("there is room");
        let old = store.read_ref("new").expect("refs can be read");
        store.compare_and_swap("new", old.as_deref(), Some(b"value")).expect("nobody else writes");
        let holds = |store: &LocalStore| {
            // What is damaged counts as absent once it was read.
            let _ = store.verify().expect("blocks can be read");
            (store.ids().expect("an index"), store.list_refs("").expect("refs can be read"))
        };
        let before = holds(&store);
        assert!(before.0.contains(&block.id()));
        drop(store);
        let store = LocalStore::open(folder).expect("what was written opens");
        assert_eq!(holds(&store), before, "another opening finds the same");
        drop(store);
        fs::remove_file(folder.join("index.redb")).expect("the index is there");
        let store = LocalStore::open(folder).expect("the log is the store");
        let (ids, refs) = holds(&store);
        assert_eq!(refs, before.1, "the log knows every ref");
        assert!(before.0.iter().all(|id| ids.contains(id)), "the log knows every block");
    });
}

/// Packs in the making.
struct Packs {
    done: Vec<Vec<u8>>,
    current: Vec<u8>,
    /// Blocks in front of anything that is not as it should be.
    sound: Vec<BlockId>,
    is_damaged: bool,
}

impl Packs {
    fn of(bytes: &[u8]) -> Packs {
        let mut packs = Packs { done: Vec::new(), current: header(1), sound: Vec::new(), is_damaged: false };
        let mut rest = bytes;
        while let Some(([step, len, durable], after)) = rest.split_first_chunk::<3>() {
            let (payload, after) = after.split_at(usize::from(*len).min(after.len()));
            rest = after;
            packs.step(*step, *durable, payload);
        }
        packs
    }

    fn step(&mut self, step: u8, durable: u8, payload: &[u8]) {
        let durable =
            if durable == 255 { self.current.len() as u64 } else { HEADER_BYTES + u64::from(durable) };
        match step % 8 {
            0..=2 => {
                self.current.extend(record(1, durable, payload));
                if !self.is_damaged {
                    self.sound.push(BlockId::of(payload));
                }
                return;
            }
            3 if (step >> 3).is_multiple_of(2) => {
                self.current.extend(record(2, durable, payload));
                self.is_damaged |= !is_changes(payload);
                return;
            }
            3 => {
                self.current.extend(record(3, durable, payload));
                self.is_damaged |= payload.len() < 5 || !is_changes(&payload[5..]);
                return;
            }
            // A record of no known kind, a torn one, a changed one, plain garbage.
            4 => self.current.extend(record(step, durable, payload)),
            5 => {
                let record = record(1 + (step >> 3) % 3, durable, payload);
                let cut = usize::from(step >> 4) * record.len() / 16;
                self.current.extend(&record[..cut]);
            }
            6 => {
                let mut record = record(1 + (step >> 3) % 3, durable, payload);
                let place = usize::from(step >> 4) * record.len() / 16;
                record[place] ^= 1;
                self.current.extend(record);
            }
            _ if step >> 3 == 0 => {
                let next = header(self.done.len() as u32 + 2);
                self.done.push(std::mem::replace(&mut self.current, next));
            }
            _ => self.current.extend_from_slice(payload),
        }
        self.is_damaged = true;
    }

    fn write(&self, folder: &Path) {
        for (index, pack) in self.done.iter().chain([&self.current]).enumerate() {
            let path = folder.join(format!("{:08}.pack", index + 1));
            fs::write(path, pack).expect("there is room for a file");
        }
    }
}

fn header(number: u32) -> Vec<u8> {
    let mut header = [b"reefpack", &2u32.to_le_bytes()[..], &number.to_le_bytes(), &SALT].concat();
    header.extend_from_slice(&blake3::hash(&header).as_bytes()[..8]);
    header.repeat(2)
}

fn record(kind: u8, durable: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = [b"RfL", &[kind][..], &(payload.len() as u32).to_le_bytes()].concat();
    record.extend(durable.to_le_bytes());
    record.extend(blake3::hash(payload).as_bytes());
    let mut check = [0; 8];
    blake3::Hasher::new_keyed(&SALT).update(&record).finalize_xof().fill(&mut check);
    record.extend(check);
    record.extend_from_slice(payload);
    record
}

/// Returns whether these are changes of refs.
fn is_changes(mut bytes: &[u8]) -> bool {
    fn field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (len, rest) = bytes.split_first_chunk::<4>()?;
        let (field, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        *bytes = rest;
        Some(field)
    }
    fn change(bytes: &mut &[u8]) -> Option<()> {
        std::str::from_utf8(field(bytes)?).ok()?;
        let (flag, rest) = bytes.split_first()?;
        *bytes = rest;
        match flag {
            0 => Some(()),
            1 => field(bytes).map(|_| ()),
            _ => None,
        }
    }
    while !bytes.is_empty() {
        if change(&mut bytes).is_none() {
            return false;
        }
    }
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let step =
        |step: u8, durable: u8, payload: &[u8]| [&[step, payload.len() as u8, durable], payload].concat();
    let refs = [&4u32.to_le_bytes()[..], b"main", &[1], &2u32.to_le_bytes(), b"id"].concat();
    let (block, change) = (step(0, 255, b"a sealed block"), step(3, 255, &refs));
    let part = |number: u32, is_last: u8| step(11, 255, &[&number.to_le_bytes()[..], &[is_last], &refs].concat());
    let torn = step(0xF5, 255, b"torn");
    let changed = step(0x86, 255, b"changed");
    let next = step(7, 0, b"");
    vec![
        block.clone(),
        [block.clone(), change.clone()].concat(),
        [block.clone(), torn.clone()].concat(),
        [block.clone(), changed, change.clone()].concat(),
        [change.clone(), part(0, 1), block.clone()].concat(),
        [block.clone(), part(0, 0), part(1, 1), change.clone()].concat(),
        [block.clone(), change.clone(), next, step(1, 0, b"another"), change, torn, block].concat(),
    ]
}
