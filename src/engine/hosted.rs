//! `Hosted`: one workspace that this node holds, and how it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::plan_cache::PlanCache;
use super::show::{self, Siblings};
use super::turns::Turns;
use super::{
    Answer, BlocksRead, BranchInfo, EngineError, Explain, Explanation, GraphRef, Language, LogEntry, Request,
    Response,
};
use crate::dataset::Dataset;
use crate::execute::{self, Context, Limits, UpdateSummary, constraint, schema_rule};
use crate::language::{graphql, sparql};
use crate::model::{GraphFilter, NamedNode, Permutation, QuadPattern, TermId, Vocabulary};
use crate::optimize::{optimize, optimize_update};
use crate::plan::{self, Form, GraphSelector, Query, Schema, Session, Update};
use crate::replication::Replica;
use crate::workspace::{CommitId, Pending, Settings, Transaction, Verification, Workspace, WorkspaceError};

/// How often a write is tried again when another writer was faster.
const TRIES_MAX: usize = 16;

/// One workspace under the name that this node knows it by.
pub struct Hosted {
    name: String,
    workspace: Workspace,
    /// Writers of this node take turns, so that they do not make each other start again.
    writing: Turns<Job, Result<(Answer, Pending), EngineError>>,
    /// Whether somebody folds what is due.
    pub(super) is_upkept: AtomicBool,
    schemas: graphql::SchemaCache,
    pub(super) plans: PlanCache,
    /// The workspaces of the node, this one among them.
    siblings: Weak<Siblings>,
    pub(super) replica: Option<Replica>,
}

impl Hosted {
    pub(super) fn new(
        name: String,
        workspace: Workspace,
        replica: Option<Replica>,
        siblings: Weak<Siblings>,
    ) -> Hosted {
        Hosted {
            name,
            workspace,
            writing: Turns::default(),
            is_upkept: AtomicBool::new(false),
            schemas: graphql::SchemaCache::default(),
            plans: PlanCache::default(),
            siblings,
            replica,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// Returns the commit that a ref names; the default branch's if `None`.
    pub fn resolve(&self, at: Option<&str>) -> Result<CommitId, EngineError> {
        match at {
            Some(at) => Ok(self.workspace.resolve(at)?),
            None => Ok(self.workspace.branch(&self.workspace.default_branch()?)?),
        }
    }

    pub fn branches(&self) -> Result<Vec<BranchInfo>, EngineError> {
        let default = self.workspace.default_branch()?;
        let branches = self.workspace.branches()?.into_iter();
        Ok(branches.map(|(name, commit)| BranchInfo { is_default: name == default, name, commit }).collect())
    }

    /// Makes a branch at a ref; at the default branch if `None`.
    pub fn create_branch(&self, name: &str, from: Option<&str>) -> Result<CommitId, EngineError> {
        let commit = self.resolve(from)?;
        self.workspace.create_branch(name, commit)?;
        Ok(commit)
    }

    pub fn delete_branch(&self, name: &str) -> Result<(), EngineError> {
        Ok(self.workspace.delete_branch(name)?)
    }

    /// Makes a branch the default one.
    pub fn switch(&self, name: &str) -> Result<(), EngineError> {
        Ok(self.workspace.set_default_branch(name)?)
    }

    /// Returns at most `count` commits, newest first.
    pub fn log(&self, at: Option<&str>, count: usize) -> Result<Vec<LogEntry>, EngineError> {
        let commits = self.workspace.log(self.resolve(at)?)?.take(count);
        commits
            .map(|signed| {
                let signed = signed?;
                let commit = &signed.commit;
                Ok(LogEntry {
                    id: signed.id,
                    parents: commit.parents.clone(),
                    author: commit.author,
                    time_ms: commit.time_ms,
                    message: commit.message.clone(),
                })
            })
            .collect()
    }

    /// Checks every block, commit and signature that is here.
    pub fn verify(&self) -> Result<Verification, EngineError> {
        Ok(self.workspace.verify()?)
    }

    /// Answers a request.
    pub(super) fn run(&self, request: &Request) -> Result<Response, EngineError> {
        let settings = self.workspace.settings()?;
        match request.language {
            Language::SparqlUpdate => self.write(request, &settings),
            _ => self.read(request, &settings),
        }
    }

    fn read(&self, request: &Request, settings: &Settings) -> Result<Response, EngineError> {
        let commit = self.resolve(request.at.as_deref())?;
        let dataset: Arc<dyn Dataset> = self.workspace.snapshot(commit)?;
        match self.answer(request, settings, &dataset)? {
            Some(answer) => Ok(self.response(request, settings, commit, answer)),
            None => self.write(request, settings),
        }
    }

    /// Answers what only reads, on a dataset; `None` if the statement turns out to write.
    pub(super) fn answer(
        &self,
        request: &Request,
        settings: &Settings,
        dataset: &Arc<dyn Dataset>,
    ) -> Result<Option<Answer>, EngineError> {
        Ok(match request.language {
            Language::SparqlUpdate => None,
            Language::SparqlQuery | Language::Cypher => {
                let session = session(request, settings, Arc::default());
                let Some(planned) = self.plans.to_read(request, &session, &**dataset)? else {
                    return Ok(None);
                };
                let session = Session { default_graph: planned.default_graph.clone(), ..session };
                let context = self.reading_context(request, &session, dataset.clone())?;
                let query = planned.bind(&request.parameters);
                Some(match planned.explain {
                    None => run(&query, context)?,
                    Some(explain) => {
                        let logical_plan = planned.logical_plan.clone().unwrap_or_default();
                        Answer::Explanation(self.explain(&query, explain, logical_plan, context)?)
                    }
                })
            }
            Language::GraphQl => {
                let session = session(request, settings, dataset.schema()?);
                Some(self.answer_graphql(request, &session, dataset)?)
            }
        })
    }

    /// Returns how many blocks were read so far, by whomever.
    fn blocks_read(&self) -> BlocksRead {
        let counters = self.workspace.reader().counters();
        let (cached, read) = (counters.hits, counters.fetched_blocks);
        BlocksRead { cached, read, fetched: self.fetched().blocks }
    }

    pub(super) fn response(
        &self,
        request: &Request,
        settings: &Settings,
        commit: CommitId,
        answer: Answer,
    ) -> Response {
        Response {
            workspace: self.name.clone(),
            commit,
            language: request.language,
            prefixes: prefixes(&settings.vocabulary),
            answer,
        }
    }

    /// Runs a writing statement on the branch that the request names, and publishes its commit.
    fn write(&self, request: &Request, settings: &Settings) -> Result<Response, EngineError> {
        if !request.may_write {
            return Err(EngineError::read_only());
        }
        let job = Job {
            branch: self.branch_to_write(request.at.as_deref())?,
            writes: vec![Write::new(request, settings)?],
            told: Vec::new(),
            only_at: request.only_at.clone(),
            message: request.commit_message(),
            now_ms: request.now_ms,
        };
        let (answer, pending) = self.take_turn(job)?;
        let commit = self.settle(&pending)?;
        Ok(self.response(request, settings, commit, answer))
    }

    /// Makes a commit when it is its turn; returns the last write's answer with it.
    pub(super) fn take_turn(&self, job: Job) -> Result<(Answer, Pending), EngineError> {
        // Whoever writes next goes on meanwhile: one sync serves all who wait.
        let settle = |outcome: &Result<(Answer, Pending), EngineError>| {
            if let Ok((_, pending)) = outcome {
                // A failure is told to whose commit it is, when they wait themselves.
                let _ = pending.wait();
            }
        };
        self.writing.take(job, |job| self.commit(&job), settle)
    }

    /// Returns the branch that a ref names; the default one if `None`.
    pub(super) fn branch_to_write(&self, at: Option<&str>) -> Result<String, EngineError> {
        let Some(at) = at else { return Ok(self.workspace.default_branch()?) };
        if self.workspace.branch(at).is_ok() {
            return Ok(at.to_owned());
        }
        let commit = self.workspace.resolve(at)?;
        Err(EngineError::Forbidden(format!("'{at}' is commit {commit}; only branches can be written to")))
    }

    /// Waits for a commit to be durable, and folds what is due if nobody else does.
    pub(super) fn settle(&self, pending: &Pending) -> Result<CommitId, EngineError> {
        let commit = pending.wait()?;
        if !self.is_upkept.load(Ordering::Relaxed)
            && let Err(error) = self.workspace.fold_due(false)
        {
            // The commit stands; reading it is only slower than it could be.
            tracing::warn!(%commit, %error, "folding failed");
        }
        Ok(commit)
    }

    fn commit(&self, job: &Job) -> Result<(Answer, Pending), EngineError> {
        for _ in 1..TRIES_MAX {
            match self.try_commit(job) {
                Err(EngineError::Conflict(_)) => {}
                result => return result,
            }
        }
        self.try_commit(job)
    }

    fn try_commit(&self, job: &Job) -> Result<(Answer, Pending), EngineError> {
        let transaction = Arc::new(self.workspace.begin(&job.branch)?);
        let parent = || transaction.parent().to_string();
        let elsewhere = || EngineError::NotAt { branch: job.branch.clone(), commit: parent() };
        if job.only_at.as_ref().is_some_and(|commits| !commits.contains(&parent())) {
            return Err(elsewhere());
        }
        let mut last = None;
        for (place, write) in job.writes.iter().enumerate() {
            let answer = write.perform(self, &transaction)?;
            if job.told.get(place).is_some_and(|told| answer.changes().as_ref() != Some(told)) {
                return Err(elsewhere());
            }
            last = Some(answer);
        }
        check_constraints(&transaction, &*self.workspace.settings()?)?;
        // What is only explained changes nothing, and nothing is no commit.
        let pending = transaction.append(&job.message, job.now_ms)?;
        Ok((last.expect("a job has a write at least"), pending))
    }

    fn answer_graphql(
        &self,
        request: &Request,
        session: &Session,
        dataset: &Arc<dyn Dataset>,
    ) -> Result<Answer, EngineError> {
        let name = request.operation.as_deref();
        let compiled = graphql::compile(&request.text, name, &request.parameters, session, &self.schemas)
            .map_err(|errors| EngineError::Syntax { errors, text: request.text.clone() })?;
        debug_assert_eq!(plan::validate(&compiled.query), Ok(()));
        let explained = request.explain.map(|explain| (explain, plan::explain(&compiled.query)));
        let query = optimize(compiled.query, dataset.as_ref())?;
        let context = self.reading_context(request, session, dataset.clone())?;
        if let Some((explain, logical_plan)) = explained {
            return Ok(Answer::Explanation(self.explain(&query, explain, logical_plan, context)?));
        }
        Ok(match run(&query, context)? {
            Answer::Rows(rows) => Answer::GraphQl { rows, shape: compiled.shape },
            other => other,
        })
    }

    fn reading_context(
        &self,
        request: &Request,
        session: &Session,
        dataset: Arc<dyn Dataset>,
    ) -> Result<Arc<Context>, EngineError> {
        let mut context = Context::new(dataset);
        configure(&mut context, request, session);
        context.constrained = constrained(&*self.workspace.settings()?);
        if request.language == Language::Cypher {
            show::register(&mut context.procedures, &self.siblings, request);
        }
        Ok(Arc::new(context))
    }

    fn explain(
        &self,
        optimized: &Query,
        explain: Explain,
        logical_plan: String,
        context: Arc<Context>,
    ) -> Result<Explanation, EngineError> {
        let (physical_plan, blocks) = match explain {
            Explain::Profile if !optimized.writes => {
                let before = self.blocks_read();
                (execute::profile(optimized, context)?, Some(self.blocks_read().since(before)))
            }
            _ => (execute::explain(optimized, context)?, None),
        };
        let (optimised_plan, physical_plan) = (plan::explain(optimized), Some(physical_plan));
        Ok(Explanation { logical_plan, optimised_plan, physical_plan, blocks })
    }
}

/// Runs a query that reads.
fn run(query: &Query, context: Arc<Context>) -> Result<Answer, EngineError> {
    Ok(match &query.form {
        Form::Rows => Answer::Rows(execute::execute(query, context)?),
        Form::Ask => Answer::Boolean(execute::ask(query, context)?),
        Form::Construct(_) | Form::Describe { .. } => Answer::Graph(execute::triples(query, context)?),
    })
}

/// Checks what a transaction changed against the constraints of its branch.
pub(super) fn check_constraints(transaction: &Transaction, settings: &Settings) -> Result<(), EngineError> {
    if !schema_rule::may_be_in(transaction)? {
        return Ok(());
    }
    let (changed, graph) = (transaction.changed(), constrained(settings));
    Ok(constraint::check(transaction, &changed, &graph, &settings.vocabulary)?)
}

/// Returns the graphs that constraints hold for.
fn constrained(settings: &Settings) -> GraphFilter {
    match settings.union_default_graph {
        true => GraphFilter::All,
        false => GraphFilter::One(TermId::UNDEFINED),
    }
}

/// What is to become one commit of a branch.
pub(super) struct Job {
    pub branch: String,
    pub writes: Vec<Write>,
    /// What the writes are known to have changed, if they were run before: they must change as much again.
    pub told: Vec<UpdateSummary>,
    /// The commits at which the branch may stand; any if `None`.
    pub only_at: Option<Vec<String>>,
    pub message: String,
    pub now_ms: i64,
}

/// A statement that writes, understood: all that can be done before it is its turn.
pub(super) struct Write {
    request: Request,
    session: Session,
    statement: Statement,
    constrained: GraphFilter,
}

enum Statement {
    Update(Update),
    /// It is planned when it is its turn, which finds the plan made that told that it writes.
    Cypher,
}

impl Write {
    pub fn new(request: &Request, settings: &Settings) -> Result<Write, EngineError> {
        // Of the data nothing may be promised yet: other writers come first.
        let session = session(request, settings, Arc::default());
        let statement = match request.language {
            Language::SparqlUpdate => {
                let base = Some(settings.vocabulary.base.as_str());
                let update = sparql::parse_update(&request.text, &session, base)
                    .map_err(|error| EngineError::syntax(error, &request.text))?;
                Statement::Update(update)
            }
            _ => Statement::Cypher,
        };
        Ok(Write { request: request.clone(), session, statement, constrained: constrained(settings) })
    }

    /// Writes into a transaction; all rows are at hand then.
    pub fn perform(&self, hosted: &Hosted, transaction: &Arc<Transaction>) -> Result<Answer, EngineError> {
        let Write { request, session, statement, .. } = self;
        Ok(match statement {
            Statement::Update(update) => {
                let update = optimize_update(update.clone(), &**transaction)?;
                if request.explain.is_some() {
                    return Ok(Answer::Explanation(explain_update(update)));
                }
                let graph_existed = match &request.graph {
                    Some(graph) => holds_graph(graph, &**transaction)?,
                    None => true,
                };
                let context = self.context(session.default_graph.clone(), transaction);
                let summary = execute::execute_update(&update, context)?;
                Answer::Updated { summary, graph_existed }
            }
            Statement::Cypher => {
                let planned = hosted.plans.to_write(request, session, &**transaction)?;
                let context = self.context(planned.default_graph.clone(), transaction);
                // All rows are pulled before the commit: a failure on the way must leave no trace.
                let rows = execute::execute(&planned.bind(&request.parameters), context)?;
                Answer::Rows(rows.buffered()?)
            }
        })
    }

    fn context(&self, default_graph: GraphSelector, transaction: &Arc<Transaction>) -> Arc<Context> {
        let mut context = Context::writing(transaction.clone());
        configure(&mut context, &self.request, &self.session);
        context.default_graph = default_graph;
        context.constrained = self.constrained.clone();
        Arc::new(context)
    }
}

/// Returns a workspace's prefixes, with the empty one for the names of its base.
fn prefixes(vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let mut prefixes = vocabulary.prefixes.clone();
    prefixes.push((String::new(), vocabulary.base.clone()));
    prefixes
}

fn explain_update(update: Update) -> Explanation {
    let Update { operations, variables } = update;
    let queries = operations.into_iter().map(|root| {
        let columns = Vec::new();
        plan::explain(&Query { root, form: Form::Rows, columns, variables: variables.clone(), writes: true })
    });
    let optimised_plan = queries.collect::<Vec<_>>().join("\n");
    Explanation { logical_plan: String::new(), optimised_plan, physical_plan: None, blocks: None }
}

/// Returns whether there is a quad in a graph; a graph without one is not there.
fn holds_graph(graph: &GraphRef, dataset: &dyn Dataset) -> Result<bool, EngineError> {
    let graph = match graph {
        GraphRef::Named(name) => match dataset.term_id(&name.clone().into())? {
            Some(id) => id,
            None => return Ok(false),
        },
        GraphRef::Default => TermId::UNDEFINED,
    };
    let pattern = QuadPattern { graph: GraphFilter::One(graph), ..QuadPattern::default() };
    Ok(dataset.scan(&pattern, Permutation::Spo)?.next_batch()?.is_some())
}

/// Returns what lowering is told: the dataset that the request names, else the workspace's own.
fn session(request: &Request, settings: &Settings, schema: Arc<Schema>) -> Session {
    let chosen = !request.default_graphs.is_empty() || !request.named_graphs.is_empty();
    let default_graph = match &request.graph {
        Some(GraphRef::Named(name)) => GraphSelector::Named(name.clone()),
        Some(GraphRef::Default) => GraphSelector::Default,
        None if chosen => GraphSelector::Merge(request.default_graphs.clone()),
        None if settings.union_default_graph => GraphSelector::Everything,
        None => GraphSelector::Default,
    };
    let named_graphs: Option<Vec<NamedNode>> = chosen.then(|| request.named_graphs.clone());
    Session { default_graph, named_graphs, vocabulary: settings.vocabulary.clone(), schema }
}

fn configure(context: &mut Context, request: &Request, session: &Session) {
    context.parameters = request.parameters.clone();
    context.vocabulary = session.vocabulary.clone();
    context.default_graph = session.default_graph.clone();
    context.now_ms = request.now_ms;
    context.cancel = request.cancel.clone();
    context.services = request.services.clone();
    context.loader = request.loader.clone();
    context.files = request.files.clone();
    context.limits = Limits {
        deadline: Some(Instant::now() + request.limits.timeout),
        memory_bytes_max: request.limits.memory_bytes_max,
        rows_max: request.limits.rows_max,
    };
}

impl From<WorkspaceError> for EngineError {
    fn from(error: WorkspaceError) -> EngineError {
        match error {
            WorkspaceError::UnknownRef(name) => EngineError::NotFound { kind: "branch or commit", name },
            WorkspaceError::BranchExists(name) => EngineError::AlreadyExists { kind: "branch", name },
            WorkspaceError::Conflict { .. } => EngineError::Conflict(error.to_string()),
            WorkspaceError::InvalidBranchName(..) | WorkspaceError::MessageTooLong(_) => {
                EngineError::Invalid(error.to_string())
            }
            WorkspaceError::Input(_) => EngineError::Malformed(error.to_string()),
            WorkspaceError::DefaultBranch(_) => EngineError::Forbidden(error.to_string()),
            WorkspaceError::UnknownWorkspace(id) => {
                EngineError::NotFound { kind: "workspace", name: id.to_string() }
            }
            WorkspaceError::WorkspaceExists(id) => {
                EngineError::AlreadyExists { kind: "workspace", name: id.to_string() }
            }
            WorkspaceError::DamagedRef { .. } => EngineError::Corrupt(error.to_string()),
            WorkspaceError::Block(error) => error.into(),
            WorkspaceError::Dataset(error) => error.into(),
            WorkspaceError::Store(error) => error.into(),
            WorkspaceError::Term(_) => EngineError::Invalid(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::language::cypher;

    #[test]
    fn every_procedure_that_the_language_knows_can_be_called() {
        let engine = Engine::with_workspace();
        for (name, signature) in cypher::built_in_procedures() {
            let arguments = vec!["null"; signature.arguments.len()].join(", ");
            let text = format!("CALL `{name}`({arguments})").replace('.', "`.`");
            let request = Request { may_write: true, ..Request::new(Language::Cypher, text, 0) };
            match engine.run(&request).map(|response| response.answer) {
                Ok(Answer::Rows(mut rows)) => {
                    assert_eq!(rows.columns(), signature.results);
                    rows.next_batch().unwrap();
                }
                // Null is nothing that could be written.
                Err(EngineError::Runtime(error)) if signature.writes => {
                    assert!(!error.to_string().contains("there is no procedure"), "{name}: {error}");
                }
                other => panic!("{name}: {:?}", other.err()),
            }
        }
    }
}
