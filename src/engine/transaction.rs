//! `OpenTransaction`: several requests on one state of a branch that become one commit, or nothing.

use std::sync::Arc;

use super::commit_line::{Job, check_constraints};
use super::write::Write;
use super::{Answer, CommitId, EngineError, Hosted, Request, Response};
use crate::dataset::Dataset;
use crate::execute::UpdateSummary;
use crate::workspace::{Pending, Settings, Transaction};

/// A transaction that its caller holds open from request to request.
///
/// Each request sees what those before it wrote, and nothing that others have published since it began.
/// Nobody waits for it meanwhile. If the branch has moved when it is committed, and it has told its caller
/// nothing of the data but how much it changed, it is run again where the branch stands now; else it is
/// refused. Dropped before that, it leaves nothing.
pub struct OpenTransaction {
    hosted: Arc<Hosted>,
    settings: Arc<Settings>,
    world: World,
    /// A request failed on the way, and may have written half of what it should.
    is_failed: bool,
    /// The message of the commit: that of the first request that wrote.
    message: Option<String>,
    /// The writes and what the caller was told of each; `None` once it was told more than that.
    told: Option<Vec<(Write, UpdateSummary)>>,
}

enum World {
    Reading { commit: CommitId, dataset: Arc<dyn Dataset> },
    Writing(Arc<Transaction>),
}

impl OpenTransaction {
    /// Begins on a branch, or, to read only, on any commit; on the default branch if `at` is `None`.
    pub fn begin(
        hosted: Arc<Hosted>,
        at: Option<&str>,
        may_write: bool,
    ) -> Result<OpenTransaction, EngineError> {
        let workspace = hosted.workspace();
        let world = if may_write {
            World::Writing(Arc::new(workspace.begin(&hosted.branch_to_write(at)?)?))
        } else {
            let commit = hosted.resolve(at)?;
            World::Reading { commit, dataset: workspace.snapshot(commit)? }
        };
        let settings = workspace.settings()?;
        let told = Some(Vec::new());
        Ok(OpenTransaction { hosted, settings, world, is_failed: false, message: None, told })
    }

    /// Returns the commit that it began on.
    pub fn parent(&self) -> CommitId {
        match &self.world {
            World::Reading { commit, .. } => *commit,
            World::Writing(transaction) => transaction.parent(),
        }
    }

    /// Answers a request; where it names a workspace or a ref, they are not looked at. Rows of what
    /// only reads are pulled later, and show the data as it stood here.
    ///
    /// # Errors
    /// After one the transaction can only be dropped.
    pub fn run(&mut self, request: &Request) -> Result<Response, EngineError> {
        self.check()?;
        let answer = self.answer(request);
        self.is_failed = answer.is_err();
        answer
    }

    fn answer(&mut self, request: &Request) -> Result<Response, EngineError> {
        let dataset = match &self.world {
            World::Reading { dataset, .. } => dataset.clone(),
            World::Writing(transaction) => transaction.as_of_now(),
        };
        let answer = match self.hosted.answer(request, &self.settings, &dataset)? {
            Some(answer) => {
                self.told = None;
                answer
            }
            None => self.write(request)?,
        };
        Ok(self.hosted.response(request, &self.settings, self.parent(), answer))
    }

    fn write(&mut self, request: &Request) -> Result<Answer, EngineError> {
        let World::Writing(transaction) = &self.world else { return Err(EngineError::read_only()) };
        self.message.get_or_insert_with(|| request.commit_message());
        let write = Write::new(request, &self.settings)?;
        let answer = write.perform(&self.hosted, transaction)?;
        match (&mut self.told, answer.changes()) {
            (Some(told), Some(changes)) => told.push((write, changes)),
            _ => self.told = None,
        }
        Ok(answer)
    }

    /// Makes what was written a commit of its branch and returns it; the parent if nothing was.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] or [`EngineError::NotAt`] if the branch has moved: begin again.
    pub fn commit(self, now_ms: i64) -> Result<CommitId, EngineError> {
        self.check()?;
        let OpenTransaction { hosted, settings, world, message, told, .. } = self;
        let message = message.unwrap_or_default();
        let pending = match world {
            World::Reading { commit, .. } => return Ok(commit),
            World::Writing(transaction) => match (append(&transaction, &settings, &message, now_ms), told) {
                (Err(EngineError::Conflict(_)), Some(told)) => {
                    run_again(&hosted, transaction.branch(), told, message, now_ms)?
                }
                (result, _) => result?,
            },
        };
        hosted.settle(&pending)
    }

    fn check(&self) -> Result<(), EngineError> {
        match self.is_failed {
            true => Err(EngineError::Invalid("the transaction has failed; begin another".to_owned())),
            false => Ok(()),
        }
    }
}

fn append(
    transaction: &Transaction,
    settings: &Settings,
    message: &str,
    now_ms: i64,
) -> Result<Pending, EngineError> {
    check_constraints(transaction, settings)?;
    Ok(transaction.append(message, now_ms)?)
}

/// Makes a commit of writes where the branch stands now, if they change as much as they did elsewhere.
fn run_again(
    hosted: &Hosted,
    branch: &str,
    told: Vec<(Write, UpdateSummary)>,
    message: String,
    now_ms: i64,
) -> Result<Pending, EngineError> {
    let (writes, told) = told.into_iter().unzip();
    let job = Job { branch: branch.to_owned(), writes, told, only_at: None, message, now_ms };
    hosted.take_turn(job).map(|(_, pending)| pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Answer, Engine, Language};
    use crate::model::Value;

    fn begin(engine: &Engine) -> OpenTransaction {
        OpenTransaction::begin(engine.hosted(None).unwrap(), None, true).unwrap()
    }

    fn cypher(text: &str) -> Request {
        Request { may_write: true, ..Request::new(Language::Cypher, text, 0) }
    }

    fn count(response: Response) -> Option<Value> {
        let Answer::Rows(mut rows) = response.answer else { return None };
        rows.next_values().unwrap()?.pop()?.pop()
    }

    const COUNT: &str = "MATCH (n:A) RETURN count(n)";

    #[test]
    fn its_own_changes_are_seen_and_others_are_not() {
        let engine = Engine::with_workspace();
        let mut transaction = begin(&engine);
        transaction.run(&cypher("CREATE (:A)")).unwrap();
        let early = transaction.run(&cypher(COUNT)).unwrap();
        transaction.run(&cypher("CREATE (:A)")).unwrap();
        assert_eq!(count(transaction.run(&cypher(COUNT)).unwrap()), Some(Value::Integer(2)));
        assert_eq!(count(early), Some(Value::Integer(1)), "it was asked before");
        assert_eq!(count(engine.run(&cypher(COUNT)).unwrap()), Some(Value::Integer(0)));
        let commit = transaction.commit(1).unwrap();
        let response = engine.run(&cypher(COUNT)).unwrap();
        assert_eq!(response.commit, commit);
        assert_eq!(count(response), Some(Value::Integer(2)));
    }

    #[test]
    fn what_it_wrote_is_looked_up_in_whatever_form() {
        let engine = Engine::with_workspace();
        engine.run(&cypher("UNWIND range(1, 9) AS n CREATE (:A {n: n})")).unwrap();
        let mut transaction = begin(&engine);
        let found = |transaction: &mut OpenTransaction, values: &str| {
            let text = format!("UNWIND {values} AS x MATCH (a:A {{n: x}}) RETURN count(a)");
            let listed = format!("MATCH (a:A) WHERE a.n IN {values} RETURN count(a)");
            let [one, other] = [text, listed].map(|text| count(transaction.run(&cypher(&text)).unwrap()));
            assert_eq!(one, other, "{values}");
            one
        };
        assert_eq!(found(&mut transaction, "[1, 2.0, 'x']"), Some(Value::Integer(2)));
        transaction.run(&cypher("MATCH (a:A {n: 1}) SET a.n = 'x'")).unwrap();
        assert_eq!(found(&mut transaction, "[1, 2.0, 'x']"), Some(Value::Integer(2)));
        for (n, expected) in [("10", 2), ("2.0", 3), ("2.5", 3), ("9007199254740993", 3)] {
            transaction.run(&cypher(&format!("CREATE (:A {{n: {n}}})"))).unwrap();
            assert_eq!(found(&mut transaction, "[1, 2.0, 'x']"), Some(Value::Integer(expected)), "{n}");
        }
        assert_eq!(found(&mut transaction, "[2.5, 9007199254740993, 10.0]"), Some(Value::Integer(3)));
        transaction.run(&cypher("MATCH (a:A) WHERE a.n > 2 DETACH DELETE a")).unwrap();
        assert_eq!(found(&mut transaction, "[1, 2, 3, 'x']"), Some(Value::Integer(3)));
        let plan = |transaction: &mut OpenTransaction| {
            let explain = Some(crate::engine::Explain::Plan);
            let request = Request { explain, ..cypher("MATCH (a:A {n: 2}) RETURN a") };
            let Answer::Explanation(explanation) = transaction.run(&request).unwrap().answer else {
                panic!("a plan")
            };
            explanation.optimised_plan
        };
        // Numbers of two types are looked up one by one.
        assert!(!plan(&mut transaction).contains("Filter"), "{}", plan(&mut transaction));
        transaction.commit(1).unwrap();
    }

    #[test]
    fn of_two_that_read_the_second_is_refused_and_a_dropped_one_leaves_nothing() {
        let engine = Engine::with_workspace();
        let (mut first, mut second, mut third) = (begin(&engine), begin(&engine), begin(&engine));
        for transaction in [&mut first, &mut second, &mut third] {
            transaction.run(&cypher(COUNT)).unwrap();
            transaction.run(&cypher("CREATE (:A)")).unwrap();
        }
        drop(third);
        first.commit(1).unwrap();
        assert!(matches!(second.commit(1), Err(EngineError::Conflict(_))));
        assert_eq!(count(engine.run(&cypher(COUNT)).unwrap()), Some(Value::Integer(1)));
    }

    #[test]
    fn what_only_wrote_is_run_again_unless_it_would_change_something_else() {
        let engine = Engine::with_workspace();
        engine.run(&cypher("CREATE (:A {n: 0})")).unwrap();
        let add = "MATCH (n:A) SET n.n = n.n + 1";
        let (mut first, mut second, mut third) = (begin(&engine), begin(&engine), begin(&engine));
        first.run(&cypher(add)).unwrap();
        second.run(&cypher(add)).unwrap();
        third.run(&cypher("MATCH (n:A {n: 0}) SET n.n = 7")).unwrap();
        first.commit(1).unwrap();
        second.commit(1).unwrap();
        assert!(matches!(third.commit(1), Err(EngineError::NotAt { .. })), "it had found a node");
        let sum = engine.run(&cypher("MATCH (n:A) RETURN n.n")).unwrap();
        assert_eq!(count(sum), Some(Value::Integer(2)));
    }

    #[test]
    fn a_failed_one_cannot_be_committed_and_a_reading_one_cannot_write() {
        let engine = Engine::with_workspace();
        let mut transaction = begin(&engine);
        transaction.run(&cypher("CREATE (:A)")).unwrap();
        assert!(transaction.run(&cypher("UNWIND [1, 0] AS n CREATE (:A {n: 1 / n})")).is_err());
        assert!(matches!(transaction.commit(1), Err(EngineError::Invalid(_))));
        let mut reading = OpenTransaction::begin(engine.hosted(None).unwrap(), None, false).unwrap();
        assert!(matches!(reading.run(&cypher("CREATE (:A)")), Err(EngineError::Forbidden(_))));
    }
}
