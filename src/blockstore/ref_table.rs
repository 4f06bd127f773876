//! `RefTable`: the refs at two places of the log: as far as it is durable, which readers see, and at
//! its end, on which writers build.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::index::LogPosition;
use super::{RefChange, StoreError};

#[derive(Default)]
pub struct RefTable {
    refs: BTreeMap<String, Versions>,
    durable: LogPosition,
    /// What was changed behind `durable`, in the order of the log.
    pending: VecDeque<(LogPosition, String)>,
    /// What the index has not, though it is durable.
    unindexed: BTreeSet<String>,
}

/// The values of a ref: the durable one if it has one, then those that are not durable yet.
type Versions = VecDeque<Version>;

struct Version {
    /// The end of the record that set it.
    end: LogPosition,
    /// `None`: deleted.
    value: Option<Vec<u8>>,
}

impl RefTable {
    /// Makes a table of refs that are durable and in the index.
    pub fn new(refs: BTreeMap<String, Vec<u8>>, durable: LogPosition) -> RefTable {
        let version = |value| VecDeque::from([Version { end: durable, value: Some(value) }]);
        let refs = refs.into_iter().map(|(name, value)| (name, version(value))).collect();
        RefTable { refs, durable, ..RefTable::default() }
    }

    pub fn read(&self, name: &str) -> Option<&Vec<u8>> {
        self.durable_of(self.refs.get(name)?)
    }

    pub fn latest(&self, name: &str) -> Option<&Vec<u8>> {
        self.refs.get(name)?.back()?.value.as_ref()
    }

    /// Returns the durable refs whose name begins with `prefix`.
    pub fn list(&self, prefix: &str) -> Vec<(String, Vec<u8>)> {
        let begun = self.refs.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        begun.filter_map(|(name, all)| Some((name.clone(), self.durable_of(all)?.clone()))).collect()
    }

    /// Returns all refs as of the end of the log, each as the change that makes it from nothing.
    pub fn all_latest(&self) -> Vec<RefChange> {
        let latest = |versions: &Versions| versions.back()?.value.clone();
        let changes = self.refs.iter().filter_map(|(name, versions)| {
            Some(RefChange { name: name.clone(), old: None, new: Some(latest(versions)?) })
        });
        changes.collect()
    }

    /// Checks that each ref is at the end of the log what its change expects.
    pub fn check(&self, changes: &[RefChange]) -> Result<(), StoreError> {
        for change in changes {
            let actual = self.latest(&change.name);
            if actual != change.old.as_ref() {
                return Err(StoreError::RefChanged { name: change.name.clone(), actual: actual.cloned() });
            }
        }
        Ok(())
    }

    /// Takes in what was appended to the log in a record that ends at `end`.
    pub fn append(&mut self, changes: &[RefChange], end: LogPosition) {
        for change in changes {
            let versions = self.refs.entry(change.name.clone()).or_default();
            versions.push_back(Version { end, value: change.new.clone() });
            self.pending.push_back((end, change.name.clone()));
        }
    }

    /// Notes that the log is durable up to `position`, and forgets what this made obsolete.
    pub fn settle(&mut self, position: LogPosition) {
        self.durable = self.durable.max(position);
        while self.pending.front().is_some_and(|(end, _)| *end <= self.durable) {
            let Some((_, name)) = self.pending.pop_front() else { break };
            if let Some(versions) = self.refs.get_mut(&name) {
                while versions.get(1).is_some_and(|next| next.end <= self.durable) {
                    versions.pop_front();
                }
                if versions.len() == 1 && versions.front().is_some_and(|only| only.value.is_none()) {
                    self.refs.remove(&name);
                }
            }
            self.unindexed.insert(name);
        }
    }

    /// Returns what the index lacks, with the durable values.
    pub fn unindexed(&self) -> Vec<(String, Option<Vec<u8>>)> {
        self.unindexed.iter().map(|name| (name.clone(), self.read(name).cloned())).collect()
    }

    /// Notes that the index has all that is durable.
    pub fn indexed(&mut self) {
        self.unindexed.clear();
    }

    fn durable_of<'a>(&self, versions: &'a Versions) -> Option<&'a Vec<u8>> {
        let durable = versions.iter().rev().find(|version| version.end <= self.durable)?;
        durable.value.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> LogPosition {
        LogPosition { pack: 1, offset }
    }

    fn change(name: &str, new: Option<&str>) -> RefChange {
        RefChange { name: name.to_owned(), old: None, new: new.map(|new| new.as_bytes().to_vec()) }
    }

    fn text(value: Option<&Vec<u8>>) -> Option<&str> {
        value.map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn readers_see_what_is_durable_and_writers_the_latest() {
        let mut table = RefTable::new(BTreeMap::from([("a".to_owned(), b"0".to_vec())]), at(10));
        table.append(&[change("a", Some("1")), change("b", Some("1"))], at(20));
        table.append(&[change("a", None)], at(30));
        table.append(&[change("a", Some("3"))], at(40));
        assert_eq!((text(table.read("a")), text(table.latest("a"))), (Some("0"), Some("3")));
        assert_eq!((text(table.read("b")), text(table.latest("b"))), (None, Some("1")));
        assert_eq!(table.list("").len(), 1);
        for (durable, a, b) in [(25, Some("1"), Some("1")), (30, None, Some("1")), (20, None, Some("1"))] {
            table.settle(at(durable));
            assert_eq!((text(table.read("a")), text(table.read("b"))), (a, b));
        }
        assert_eq!(table.unindexed(), [("a".to_owned(), None), ("b".to_owned(), Some(b"1".to_vec()))]);
        table.indexed();
        table.settle(at(40));
        assert_eq!(table.unindexed(), [("a".to_owned(), Some(b"3".to_vec()))]);
        table.append(&[change("a", None)], at(50));
        table.settle(at(50));
        assert!(!table.refs.contains_key("a") && table.pending.is_empty());
        assert_eq!(table.all_latest(), [change("b", Some("1"))]);
    }
}
