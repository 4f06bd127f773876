//! Workspaces on several nodes: joining by ticket, fetching on need, following branches.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxrdf::{GraphName, Literal, NamedNode, Quad, Term};
use reefloom::block::BlockError;
use reefloom::blockstore::{LocalStore, Store};
use reefloom::crypto::{EpochKey, SecretKey, WorkspaceId};
use reefloom::dataset::{Dataset, DatasetError};
use reefloom::model::{Permutation, QuadPattern};
use reefloom::network::{Limits, Multiaddr, Node, NodeOptions};
use reefloom::replication::{BranchMove, Follow, Replica, ReplicationError, Ticket};
use reefloom::workspace::{Access, CommitId, MAIN, MemoryLimits, Settings, Workspace};
use tempfile::TempDir;

const MEMORY: MemoryLimits = MemoryLimits { cache_bytes_max: 64 << 20, work_bytes_max: 64 << 20 };
const PATIENCE: Duration = Duration::from_secs(10);
const ANYWHERE: &str = "/ip4/127.0.0.1/tcp/0";

/// A node with one workspace on its own folder.
struct Member {
    seed: u8,
    replica: Replica,
    store: Arc<LocalStore>,
    workspace: Workspace,
}

fn key() -> EpochKey {
    EpochKey::from_secret([11; 32], WorkspaceId([12; 32]))
}

fn replica(seed: u8, listen: &str, folder: &Path, key: EpochKey) -> (Replica, Arc<LocalStore>) {
    let limits = Limits { reconnect_wait: Duration::from_millis(1200), ..Limits::default() };
    let listen: Vec<Multiaddr> = vec![listen.parse().unwrap()];
    let node = Node::start(NodeOptions { listen, identity_seed: [seed; 32], limits }).unwrap();
    let store = Arc::new(LocalStore::open(folder).unwrap());
    (Replica::new(Arc::new(node), store.clone(), key, PATIENCE).unwrap(), store)
}

fn access(seed: u8, replica: &Replica, store: &Arc<LocalStore>) -> Access {
    Access {
        store: store.clone(),
        source: replica.source(),
        key: key(),
        author: SecretKey::from_seed(&[seed; 32]),
        memory: MEMORY,
    }
}

impl Member {
    fn create(seed: u8, folder: &Path) -> Member {
        let (replica, store) = replica(seed, ANYWHERE, folder, key());
        let settings = Settings { name: "fleet".to_owned(), ..Settings::default() };
        let workspace = Workspace::create(access(seed, &replica, &store), settings, 0).unwrap();
        replica.attach(workspace.clone());
        Member { seed, replica, store, workspace }
    }

    fn open(seed: u8, listen: &str, folder: &Path) -> Member {
        let (replica, store) = replica(seed, listen, folder, key());
        let workspace = Workspace::open(access(seed, &replica, &store)).unwrap();
        replica.attach(workspace.clone());
        Member { seed, replica, store, workspace }
    }

    fn join(seed: u8, folder: &Path, ticket: &str) -> Result<Member, ReplicationError> {
        let ticket = Ticket::parse(ticket).unwrap();
        let (replica, store) = replica(seed, ANYWHERE, folder, ticket.key());
        let author = SecretKey::from_seed(&[seed; 32]);
        let workspace = replica.join(&ticket, author, MEMORY, PATIENCE)?;
        Ok(Member { seed, replica, store, workspace })
    }

    fn ticket(&self) -> String {
        self.replica.ticket("fleet", &[]).encode()
    }

    fn address(&self) -> String {
        self.replica.node().listen_addrs()[0].to_string()
    }

    /// Opens the same store again, with nothing in memory.
    fn forget_cache(&mut self) {
        self.workspace = Workspace::open(access(self.seed, &self.replica, &self.store)).unwrap();
    }

    fn load(&self, quads: Vec<Quad>, time_ms: i64) -> CommitId {
        let batch: Result<Vec<Quad>, Infallible> = Ok(quads);
        self.workspace.load(MAIN, [batch], "load", time_ms).unwrap().commit
    }

    fn main(&self) -> CommitId {
        self.workspace.branch(MAIN).unwrap()
    }

    /// Counts the quads of a subject on main.
    fn count(&self, subject: &str) -> Result<usize, DatasetError> {
        let snapshot = self.workspace.snapshot(self.main()).map_err(dataset_error)?;
        let Some(subject) = snapshot.term_id(&Term::from(iri(subject)))? else { return Ok(0) };
        count(&*snapshot, &QuadPattern { subject: Some(subject), ..QuadPattern::default() })
    }

    fn count_all(&self) -> Result<usize, DatasetError> {
        let snapshot = self.workspace.snapshot(self.main()).map_err(dataset_error)?;
        count(&*snapshot, &QuadPattern::default())
    }

    fn fetched(&self) -> (u64, u64) {
        let counters = self.replica.fetcher().counters();
        (counters.blocks, counters.bytes)
    }
}

fn dataset_error(error: reefloom::workspace::WorkspaceError) -> DatasetError {
    match error {
        reefloom::workspace::WorkspaceError::Block(error) => error.into(),
        reefloom::workspace::WorkspaceError::Dataset(error) => error,
        error => panic!("{error}"),
    }
}

fn count(dataset: &dyn Dataset, pattern: &QuadPattern) -> Result<usize, DatasetError> {
    let mut scan = dataset.scan(pattern, Permutation::best_for(pattern))?;
    let mut rows = 0;
    while let Some(batch) = scan.next_batch()? {
        rows += batch.rows();
    }
    Ok(rows)
}

fn iri(name: &str) -> NamedNode {
    NamedNode::new_unchecked(format!("http://example.org/{name}"))
}

/// Vessels with five facts each; names that do not compress to nothing.
fn vessels(from: usize, to: usize) -> Vec<Quad> {
    let fact = |vessel: usize, fact: usize| {
        let text = blake3::hash(&(vessel * 10 + fact).to_le_bytes()).to_hex();
        Quad {
            subject: iri(&format!("vessel{vessel}")).into(),
            predicate: iri(&format!("fact{fact}")),
            object: Literal::new_simple_literal(text.as_str()).into(),
            graph_name: GraphName::DefaultGraph,
        }
    };
    (from..to).flat_map(|vessel| (0..5).map(move |n| fact(vessel, n))).collect()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_joined_node_fetches_what_it_needs_once_and_serves_it_on() {
    let (dir_a, dir_b, dir_c) = (folder(), folder(), folder());
    let a = Member::create(1, dir_a.path());
    a.load(vessels(0, 20_000), 1);
    let whole = a.store.usage().unwrap();

    let mut b = Member::join(2, dir_b.path(), &a.ticket()).unwrap();
    assert_eq!(b.main(), a.main());
    println!("join: {:?} blocks, bytes of {} blocks, {} bytes", b.fetched(), whole.blocks, whole.block_bytes);
    assert_eq!(b.count("vessel777").unwrap(), 5);
    let (blocks, bytes) = b.fetched();
    println!("selective scan: {blocks} blocks, {bytes} bytes moved in all");
    assert!(blocks > 0 && bytes < whole.block_bytes / 5, "{bytes} of {}", whole.block_bytes);

    // The same again moves nothing, even with nothing in memory; so it does with A gone.
    b.forget_cache();
    assert_eq!(b.count("vessel777").unwrap(), 5);
    assert_eq!(b.fetched(), (blocks, bytes));
    let address = a.address();
    drop(a);
    b.forget_cache();
    assert_eq!(b.count("vessel777").unwrap(), 5);

    // What B lacks is out of reach, and how much of it is said.
    let Err(DatasetError::Unavailable { missing, .. }) = b.count_all() else { panic!("A is gone") };
    println!("A is gone: {missing} blocks are missing");
    assert!(missing > 0);

    // C has B only, and gets from it what B has.
    let c = Member::join(3, dir_c.path(), &b.ticket()).unwrap();
    assert_eq!(c.count("vessel777").unwrap(), 5);
    assert!(c.count_all().is_err());
    let from: Vec<_> = c.replica.peers().into_iter().filter(|peer| peer.blocks_received > 0).collect();
    assert_eq!(from.len(), 1);
    assert_eq!(from[0].peer, b.replica.node().peer_id());

    // A returns, and the same question works: for B at once, for C by way of B's word or not at all.
    let _a = Member::open(1, &address, dir_a.path());
    assert_eq!(b.count_all().unwrap(), 100_000);
    assert_eq!(c.count_all().unwrap(), 100_000, "B has it all by now");
}

#[test]
fn a_joined_node_remembers_its_peer() {
    let (dir_a, dir_b) = (folder(), folder());
    let a = Member::create(1, dir_a.path());
    a.load(vessels(0, 50), 1);
    drop(Member::join(2, dir_b.path(), &a.ticket()).unwrap());
    let b = Member::open(2, ANYWHERE, dir_b.path());
    assert_eq!(b.count_all().unwrap(), 250);
}

#[test]
fn branches_follow_where_they_can_and_are_told_apart_where_not() {
    let (dir_a, dir_b) = (folder(), folder());
    let a = Member::create(1, dir_a.path());
    let first = a.load(vessels(0, 50), 1);
    let b = Member::join(2, dir_b.path(), &a.ticket()).unwrap();

    // Theirs is ahead: ours follows; a branch that is new there is made here.
    let second = a.load(vessels(50, 60), 2);
    a.workspace.create_branch("draft", first).unwrap();
    let report = b.replica.sync(PATIENCE).unwrap();
    let mut moved = report.moved;
    moved.sort_by_key(|moved| moved.from);
    assert_eq!(
        moved,
        [
            BranchMove { branch: "draft".to_owned(), from: None, to: first },
            BranchMove { branch: MAIN.to_owned(), from: Some(first), to: second },
        ]
    );
    assert_eq!((b.main(), b.count_all().unwrap()), (second, 300));
    let peer = a.replica.node().peer_id().to_string();
    assert_eq!(b.workspace.resolve(&format!("{peer}/main")).unwrap(), second);

    // A branch that is deleted here stays so.
    b.workspace.delete_branch("draft").unwrap();
    assert!(b.replica.sync(PATIENCE).unwrap().moved.is_empty());
    assert!(b.workspace.branch("draft").is_err());

    // Ours is ahead: it stays; the other side follows, and fetches what it lacks from us.
    let third = b.load(vessels(60, 70), 3);
    assert!(b.replica.sync(PATIENCE).unwrap().moved.is_empty());
    assert_eq!(b.main(), third);
    a.replica.sync(PATIENCE).unwrap();
    assert_eq!((a.main(), a.count_all().unwrap()), (third, 350));

    // Both have commits of their own: neither moves, and both are told.
    let (ours, theirs) = (a.load(vessels(70, 75), 4), b.load(vessels(80, 85), 5));
    for (member, at) in [(&a, ours), (&b, theirs)] {
        for _ in 0..2 {
            let report = member.replica.sync(PATIENCE).unwrap();
            assert_eq!((report.diverged.len(), report.moved.len()), (1, 0), "{report:?}");
            assert_eq!(member.main(), at);
        }
    }
}

#[test]
fn following_moves_branches_by_itself() {
    let (dir_a, dir_b) = (folder(), folder());
    let a = Member::create(1, dir_a.path());
    let b = Member::join(2, dir_b.path(), &a.ticket()).unwrap();
    let _follow = Follow::start(b.replica.clone(), Duration::from_millis(50)).unwrap();
    let commit = a.load(vessels(0, 5), 1);
    let begin = Instant::now();
    while b.main() != commit {
        assert!(begin.elapsed() < Duration::from_secs(20), "the branch did not follow");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(b.count_all().unwrap(), 25);
}

#[test]
fn a_ticket_with_another_key_joins_nothing() {
    let (dir_a, dir_b) = (folder(), folder());
    let a = Member::create(1, dir_a.path());
    let node = a.replica.node();
    let other = EpochKey::from_secret([99; 32], WorkspaceId([12; 32]));
    let forged = Ticket::new(&other, "fleet", node.peer_id(), &node.listen_addrs());
    let error = Member::join(2, dir_b.path(), &forged.encode()).err().unwrap();
    assert!(matches!(error, ReplicationError::NoPeer(_)), "{error}");
    assert!(error.to_string().contains("refuses"), "{error}");
}

#[test]
fn nobody_to_join_is_said() {
    let (dir_a, dir_b) = (folder(), folder());
    let ticket = Member::create(1, dir_a.path()).ticket();
    let error = Member::join(2, dir_b.path(), &ticket).err().unwrap();
    assert!(matches!(error, ReplicationError::NoPeer(_)), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn blocks_damaged_on_one_disk_come_from_another() {
    let (dir_a, dir_b, dir_c) = (folder(), folder(), folder());
    let a = Member::create(1, dir_a.path());
    a.load(vessels(0, 3000), 1);
    let c = Member::join(3, dir_c.path(), &a.ticket()).unwrap();
    assert_eq!(c.count_all().unwrap(), 15_000);
    let address = a.address();
    drop(a);
    let damaged = damage_packs(dir_a.path());
    assert!(damaged > 0);
    let a = Member::open(1, &address, dir_a.path());

    // A finds its damage as it serves: B gets nothing false, and is told what is missing.
    let b = Member::join(2, dir_b.path(), &a.ticket());
    if let Ok(b) = &b {
        let result = b.count_all();
        assert!(matches!(result, Err(DatasetError::Unavailable { missing: 1.., .. })), "{result:?}");
    }
    let corrupt = a.store.corrupt();
    assert!(!corrupt.is_empty());
    assert!(corrupt.iter().all(|id| !id.to_string().is_empty()));
    // C has them intact: A itself is healed by asking.
    a.replica.add_peer(c.replica.node().peer_id(), &c.replica.node().listen_addrs()).unwrap();
    assert_eq!(a.count_all().unwrap(), 15_000);
    let counters = a.replica.fetcher().counters();
    println!("healed with {} blocks of C", counters.blocks);
    assert!(counters.blocks > 0);
}

/// Changes a byte here and there in every pack of a store; returns how many there are.
fn damage_packs(folder: &Path) -> usize {
    let mut damaged = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains("pack") {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes.iter_mut().skip(4000).step_by(8000).for_each(|byte| *byte ^= 1);
                std::fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
    }
    damaged
}

#[test]
fn what_is_out_of_reach_is_counted() {
    let dir = folder();
    let a = Member::create(1, dir.path());
    let ids = [b"x", b"y"].map(|text| reefloom::block::BlockId::of(text));
    let found = a.replica.source().get(&ids).unwrap();
    assert!(found.iter().all(Option::is_none));
    assert_eq!(a.replica.fetcher().counters().blocks_missing, 2);
    let error = BlockError::Unavailable(ids.to_vec()).to_string();
    assert!(error.starts_with("2 block(s)"), "{error}");
}

/// The figures on real data: what a selective question costs a node that has just joined.
#[test]
#[ignore = "half a minute in a debug build; run with --ignored --nocapture for the figures"]
fn a_question_over_real_data_moves_a_small_part_of_it() {
    let path = Path::new("../shared/data/maritime/maritime.nq.zst");
    let Ok(file) = std::fs::File::open(path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return;
    };
    let text = zstd::decode_all(file).unwrap();
    let quads: Vec<Quad> = oxttl::NQuadsParser::new().for_slice(&text).collect::<Result<_, _>>().unwrap();
    let (dir_a, dir_b) = (folder(), folder());
    let a = Member::create(1, dir_a.path());
    let subject = quads[quads.len() / 2].subject.to_string();
    let subject = subject.trim_matches(['<', '>']).to_owned();
    let total = quads.len();
    a.load(quads, 1);
    let whole = a.store.usage().unwrap();

    let mut b = Member::join(2, dir_b.path(), &a.ticket()).unwrap();
    let ask = |member: &Member| {
        let snapshot = member.workspace.snapshot(member.main()).unwrap();
        let term = Term::from(NamedNode::new_unchecked(&subject));
        let id = snapshot.term_id(&term).unwrap().expect("it stands in the data");
        count(&*snapshot, &QuadPattern { subject: Some(id), ..QuadPattern::default() }).unwrap()
    };
    let begin = Instant::now();
    let found = ask(&b);
    let (blocks, bytes) = b.fetched();
    println!(
        "{total} quads in {} blocks, {} bytes; {found} quads of <{subject}> cost {blocks} blocks, {bytes} bytes, {:?}, {} requests",
        whole.blocks,
        whole.block_bytes,
        begin.elapsed(),
        b.replica.fetcher().counters().requests
    );
    assert!(found > 0 && found == ask(&a));
    assert!(bytes * 5 < whole.block_bytes);
    b.forget_cache();
    assert_eq!(ask(&b), found);
    assert_eq!(b.fetched(), (blocks, bytes));
    let begin = Instant::now();
    assert_eq!(b.count_all().unwrap(), a.count_all().unwrap());
    let counters = b.replica.fetcher().counters();
    println!(
        "scan of all: {} blocks, {} bytes more in {} requests, {:?}",
        counters.blocks - blocks,
        counters.bytes - bytes,
        counters.requests,
        begin.elapsed()
    );
}
