//! Bulk load: a stream of quads becomes one commit.
//!
//! Blank nodes are renamed: two loads never share one, even if both wrote `_:a`, and loading the
//! same input on top of the same commit at the same time gives the same names (so the same CIDs).

use std::collections::HashMap;
use std::sync::Arc;

use data_encoding::BASE32_NOPAD;

use super::change_set::{ChangeSet, INLINE_ROWS_MAX};
use super::fold::{ViewLayers, ViewRows, with_used_terms};
use super::view::View;
use super::{CommitId, Due, Snapshot, Workspace, WorkspaceError};
use crate::block::BlockId;
use crate::graph::{
    self, Gatherer, Gathering, Input, Layer, Part, RankedTriple, RowOrder, RowSorter, RowSource, RowStream,
    Run, SortedRows, TripleKey, WriteError, WriteOptions,
};
use crate::model::{BlankNode, Quad, Term, TermId, rename_blank_nodes};

/// How many terms are looked up at once.
const TERMS_AT_ONCE: usize = 16_384;
/// So many quads are looked up one by one, whatever the base.
const LOOKUPS_MIN: u64 = 1000;
/// More than this part of the base is looked up by one scan of all.
const SCAN_PART: u64 = 256;
/// The layers of what is loaded come after those of a view.
const FIRST_LAYER: u16 = 16;

/// What a load did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Where the branch is now.
    pub commit: CommitId,
    /// Quads in the input, repeated ones included.
    pub quads_read: u64,
    /// Quads that were new.
    pub quads_added: u64,
}

/// Where a load's input goes. Shared by the threads that read it.
pub struct Intake<'a> {
    gathering: Gathering<'a>,
    blank_prefix: String,
}

impl Intake<'_> {
    /// Returns what one thread gathers quads with; it must be finished.
    pub fn gatherer(&self) -> Gatherer<'_> {
        self.gathering.gatherer()
    }

    /// Returns what stands before the label of each blank node of this load, so that no other load has a
    /// node of its name.
    pub fn blank_prefix(&self) -> &str {
        &self.blank_prefix
    }

    /// Returns how many quads came so far.
    pub fn quads(&self) -> u64 {
        self.gathering.quads()
    }
}

/// Why the input of a load ended.
#[derive(Debug, thiserror::Error)]
pub enum FeedError<E> {
    #[error(transparent)]
    Input(E),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Workspace {
    /// Adds quads to a branch as one commit, and publishes it. If a batch is an error, nothing is
    /// loaded.
    ///
    /// # Errors
    /// [`WorkspaceError::Input`] with the error of a batch; [`WorkspaceError::Conflict`] if the branch
    /// moved meanwhile.
    pub fn load<E: std::error::Error + Send + Sync + 'static>(
        &self,
        branch: &str,
        batches: impl IntoIterator<Item = Result<Vec<oxrdf::Quad>, E>>,
        message: &str,
        time_ms: i64,
    ) -> Result<Loaded, WorkspaceError> {
        let feed = |intake: &Intake<'_>| {
            let mut gatherer = intake.gatherer();
            let mut names = BlankNames::new(intake.blank_prefix());
            for batch in batches {
                for quad in batch.map_err(FeedError::Input)? {
                    gatherer.insert(&names.rename(quad))?;
                }
            }
            Ok(gatherer.finish()?)
        };
        self.load_from(branch, 1, feed, message, time_ms)
    }

    /// As [`Workspace::load`], from a `feed` that gathers the input with up to `gatherers` threads.
    pub fn load_from<E: std::error::Error + Send + Sync + 'static>(
        &self,
        branch: &str,
        gatherers: usize,
        feed: impl FnOnce(&Intake<'_>) -> Result<(), FeedError<E>>,
        message: &str,
        time_ms: i64,
    ) -> Result<Loaded, WorkspaceError> {
        let _writing = self.inner.upkeep.write_turn();
        let parent = self.snapshot(self.branch(branch)?)?;
        let (at, author) = (parent.commit(), self.author());
        let seed = [&at.0.as_bytes()[..], &author.0, &time_ms.to_le_bytes(), branch.as_bytes()].concat();
        let scratch = self.inner.store.scratch();
        let memory_bytes = self.inner.work_bytes_max;
        let gathering = Gathering::new(&*scratch, memory_bytes, gatherers, FIRST_LAYER);
        let intake = Intake { gathering, blank_prefix: blank_prefix(&seed) };
        feed(&intake).map_err(|error| match error {
            FeedError::Input(error) => WorkspaceError::Input(Box::new(error)),
            FeedError::Write(error) => error.into(),
        })?;
        let parts = intake.gathering.into_parts();
        let quads_read = parts.iter().map(Part::rows_read).sum();
        let options = self.write_options(&*scratch)?;
        let load = Load { workspace: self, branch, parent: &parent, options, message, time_ms };
        let (commit, quads_added) = match parent.view().is_empty() {
            _ if quads_read == 0 => (at, 0),
            true => load.first(&parts)?,
            false => load.more(&parts)?,
        };
        Ok(Loaded { commit, quads_read, quads_added })
    }
}

/// A load whose input is read.
struct Load<'a> {
    workspace: &'a Workspace,
    branch: &'a str,
    parent: &'a Snapshot,
    options: WriteOptions<'a>,
    message: &'a str,
    time_ms: i64,
}

impl Load<'_> {
    /// Loads into an empty branch: the run comes first, and the change set names its blocks.
    fn first(&self, parts: &[Part]) -> Result<(CommitId, u64), WorkspaceError> {
        let written = graph::write_run(&Input::of_parts(parts), &self.options)?;
        let run = Run::open(written.root, Arc::clone(&self.workspace.inner.reader))?;
        let commit = self.commit(ChangeSet::of_run(&run))?;
        self.publish(commit, Some(written.root))?;
        Ok((commit, written.quads))
    }

    /// Loads on top of what is there: only what is new goes into the change set.
    fn more(&self, parts: &[Part]) -> Result<(CommitId, u64), WorkspaceError> {
        let view = self.parent.view();
        let new = self.new_rows(parts)?;
        if new.rows.len_max() == 0 {
            return Ok((self.parent.commit(), 0));
        }
        let layers = ViewLayers::of(view)?;
        let mut input = layers.input();
        input.layers.extend(Input::of_parts(parts).layers);
        input.rows.push(&new);
        let set = with_used_terms(&input, |input| self.change_set(input, new.rows.len_max()))?;
        let (change_set, count) = set;
        let commit = self.commit(change_set)?;
        let is_due = Due::of(1, self.parent.overlay_len() + count, view.base.len()) == Due::Now;
        let more = Input { rows: vec![&new], ..Input::of_parts(parts) };
        let root = match is_due {
            true => Some(self.workspace.write_merged(view, &more)?),
            false => None,
        };
        self.publish(commit, root)?;
        Ok((commit, count))
    }

    /// Finds the rows that the view does not have, in its ids as far as it knows the terms.
    fn new_rows(&self, parts: &[Part]) -> Result<NewRows, WorkspaceError> {
        let view = self.parent.view();
        let memory_bytes = self.options.memory_bytes / 4;
        let mut candidates = RowSorter::new(self.options.scratch, memory_bytes);
        let mut new = RowSorter::new(self.options.scratch, memory_bytes);
        for part in parts {
            let known = known_ids(view, part)?;
            let translate = |bits: u64| match TermId::from_bits(bits).and_then(TermId::as_dictionary) {
                Some(id) if known[id.rank as usize] != 0 => known[id.rank as usize],
                _ => bits,
            };
            let is_known = |bits: &u64| {
                TermId::from_bits(*bits)
                    .and_then(TermId::as_dictionary)
                    .is_none_or(|id| id.layer < FIRST_LAYER)
            };
            for_each_row(&mut *part.rows()?, |row| {
                let row = row.map(translate);
                if row.iter().all(is_known) { candidates.push(row) } else { new.push(row) }
            })?;
        }
        let candidates = candidates.finish();
        if candidates.len_max() < LOOKUPS_MIN.max(view.base.len() / SCAN_PART) {
            for_each_row(&mut *candidates.stream()?, |row| {
                if view.contains(&quad_of(row))? { Ok(()) } else { new.push(row) }
            })?;
        } else {
            let mut held = HeldRows::of(view)?;
            for_each_row(
                &mut *candidates.stream()?,
                |row| {
                    if held.has(row)? { Ok(()) } else { new.push(row) }
                },
            )?;
        }
        Ok(NewRows { rows: new.finish() })
    }

    /// Writes the change set of `input`, and counts its quads.
    fn change_set(&self, input: &Input<'_>, rows_max: u64) -> Result<(ChangeSet, u64), WorkspaceError> {
        if rows_max > INLINE_ROWS_MAX as u64 {
            let set = graph::write_set(input, &self.options)?;
            if set.quads > INLINE_ROWS_MAX as u64 {
                let quads = set.quads;
                return Ok((ChangeSet::of_set(set), quads));
            }
        }
        let (keys, quads) = graph::gather_set(input, &self.options)?;
        let (count, key) = (quads.len() as u64, self.options.key);
        Ok((ChangeSet::write(&keys, quads, Vec::new(), key, self.options.sink)?, count))
    }

    fn commit(&self, change_set: ChangeSet) -> Result<CommitId, WorkspaceError> {
        let inner = &self.workspace.inner;
        let changes = change_set.put(&inner.key, &*inner.store)?;
        let parent = self.parent.commit();
        let (id, block) = self.workspace.seal_commit(parent, changes, self.message, self.time_ms)?;
        inner.store.put(&[block])?;
        Ok(id)
    }

    /// Notes the manifest, then moves the branch: a crash between leaves a manifest that nobody asks for.
    fn publish(&self, commit: CommitId, root: Option<BlockId>) -> Result<(), WorkspaceError> {
        if let Some(root) = root {
            self.workspace.note_manifest(commit, root)?;
        }
        self.workspace.move_branch(self.branch, self.parent.commit(), Some(commit))
    }
}

/// Rows that a load adds; they name terms of the view and of the load's parts.
struct NewRows {
    rows: SortedRows<4>,
}

impl RowSource for NewRows {
    fn order(&self) -> RowOrder {
        RowOrder::Unsorted
    }

    fn rows(&self) -> Result<Box<dyn RowStream<4> + '_>, WriteError> {
        self.rows.stream()
    }
}

fn for_each_row(
    stream: &mut dyn RowStream<4>,
    mut visit: impl FnMut([u64; 4]) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    graph::for_each_rows(stream, |rows| rows.iter().try_for_each(|row| visit(*row)))
}

fn quad_of(row: [u64; 4]) -> Quad {
    let [subject, predicate, object, graph] = row.map(|bits| TermId::from_bits(bits).expect("rows hold ids"));
    Quad { subject, predicate, object, graph }
}

/// The rows of a view, walked beside rows that are asked for in order.
struct HeldRows<'a> {
    stream: Box<dyn RowStream<4> + 'a>,
    rows: Vec<[u64; 4]>,
    at: usize,
}

impl<'a> HeldRows<'a> {
    fn of(view: &'a View) -> Result<HeldRows<'a>, WriteError> {
        Ok(HeldRows { stream: ViewRows { view }.into_stream()?, rows: Vec::new(), at: 0 })
    }

    /// Returns whether the view has a row; rows are asked for in ascending order.
    fn has(&mut self, row: [u64; 4]) -> Result<bool, WriteError> {
        loop {
            while let Some(held) = self.rows.get(self.at) {
                if *held >= row {
                    return Ok(*held == row);
                }
                self.at += 1;
            }
            self.at = 0;
            self.stream.fill(&mut self.rows)?;
            if self.rows.is_empty() {
                return Ok(false);
            }
        }
    }
}

/// Returns, by rank, the ids that the view has for the terms of a part; 0 for those that it lacks.
fn known_ids(view: &View, part: &Part) -> Result<Vec<u64>, WorkspaceError> {
    let mut known = KnownIds { view, ids: vec![0; part.rank_end() as usize] };
    let (mut ranks, mut found) = (Vec::new(), Vec::new());
    let mut terms = part.terms()?;
    while terms.advance()? {
        ranks.push(terms.rank());
        found.push(graph::parse_term(terms.key()).map_err(WorkspaceError::Term)?);
        if ranks.len() == TERMS_AT_ONCE {
            known.look_up(&ranks, &found)?;
            ranks.clear();
            found.clear();
        }
    }
    known.look_up(&ranks, &found)?;
    let mut triples: Vec<RankedTriple> = Vec::new();
    for triple in part.triples()? {
        let triple = triple?;
        // What is within another is looked up before it.
        let is_deeper = triples.last().is_some_and(|last| last.key.depth < triple.key.depth);
        if is_deeper || triples.len() == TERMS_AT_ONCE {
            known.look_up_triples(&triples)?;
            triples.clear();
        }
        triples.push(triple);
    }
    known.look_up_triples(&triples)?;
    Ok(known.ids)
}

struct KnownIds<'a> {
    view: &'a View,
    ids: Vec<u64>,
}

impl KnownIds<'_> {
    fn look_up(&mut self, ranks: &[u64], terms: &[Term]) -> Result<(), WorkspaceError> {
        for (rank, id) in ranks.iter().zip(self.view.term_ids(terms)?) {
            self.ids[*rank as usize] = id.map_or(0, TermId::to_bits);
        }
        Ok(())
    }

    /// Triple terms that have a part which the view lacks are lacking too.
    fn look_up_triples(&mut self, triples: &[RankedTriple]) -> Result<(), WorkspaceError> {
        let id_of = |part: u64| match TermId::from_bits(part).and_then(TermId::as_dictionary) {
            Some(id) => self.ids[id.rank as usize],
            None => part,
        };
        let known = triples.iter().map(|RankedTriple { rank, key }| {
            (*rank, TripleKey { depth: key.depth, parts: key.parts.map(id_of) })
        });
        let (ranks, keys): (Vec<u64>, Vec<TripleKey>) =
            known.filter(|(_, key)| !key.parts.contains(&0)).unzip();
        let triples = graph::triple_terms(&keys, |ids| self.view.terms(ids))?;
        self.look_up(&ranks, &triples.expect("ids of a view tell kinds"))
    }
}

/// Returns what the blank nodes of a load are called by; loads with equal seeds have equal names.
fn blank_prefix(seed: &[u8]) -> String {
    let hash = blake3::derive_key("reefloom 2026-11 blank nodes of a load", seed);
    format!("l{}", BASE32_NOPAD.encode(&hash[..10]).to_lowercase())
}

/// Gives the blank nodes of one load names that no other load gives, by the order in which they come.
pub struct BlankNames {
    prefix: String,
    names: HashMap<String, BlankNode>,
}

impl BlankNames {
    pub fn new(prefix: &str) -> BlankNames {
        BlankNames { prefix: format!("{prefix}n"), names: HashMap::new() }
    }

    pub fn rename(&mut self, mut quad: oxrdf::Quad) -> oxrdf::Quad {
        rename_blank_nodes(&mut quad, |node| *node = self.name(node));
        quad
    }

    fn name(&mut self, node: &BlankNode) -> BlankNode {
        if let Some(name) = self.names.get(node.as_str()) {
            return name.clone();
        }
        let name = BlankNode::new_unchecked(format!("{}{}", self.prefix, self.names.len()));
        self.names.insert(node.as_str().to_owned(), name.clone());
        name
    }
}
