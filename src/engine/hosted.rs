//! `Hosted`: one workspace that this node holds, and how it answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use super::commit_line::{CommitLine, Job};
use super::plan_cache::PlanCache;
use super::show::{self, Siblings};
use super::write::Write;
use super::{
    Answer, BlocksRead, BranchInfo, EngineError, Explain, Explanation, GraphRef, Language, LogEntry, Request,
    Response,
};
use crate::dataset::Dataset;
use crate::execute::{self, Context, Limits};
use crate::language::graphql;
use crate::model::{GraphFilter, NamedNode, TermId, Vocabulary};
use crate::optimize::optimize;
use crate::plan::{self, Form, GraphSelector, Query, Schema, Session};
use crate::replication::Replica;
use crate::workspace::{CommitId, Pending, Settings, Verification, Workspace, WorkspaceError};

/// One workspace under the name that this node knows it by.
pub struct Hosted {
    name: String,
    workspace: Workspace,
    /// Writers of this node take turns, so that they do not make each other start again.
    writing: CommitLine,
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
            writing: CommitLine::default(),
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
        self.writing.take(self, job)
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

/// Returns the graphs that constraints hold for.
pub(super) fn constrained(settings: &Settings) -> GraphFilter {
    match settings.union_default_graph {
        true => GraphFilter::All,
        false => GraphFilter::One(TermId::UNDEFINED),
    }
}

/// Returns a workspace's prefixes, with the empty one for the names of its base.
fn prefixes(vocabulary: &Vocabulary) -> Vec<(String, String)> {
    let mut prefixes = vocabulary.prefixes.clone();
    prefixes.push((String::new(), vocabulary.base.clone()));
    prefixes
}

/// Returns what lowering is told: the dataset that the request names, else the workspace's own.
pub(super) fn session(request: &Request, settings: &Settings, schema: Arc<Schema>) -> Session {
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

pub(super) fn configure(context: &mut Context, request: &Request, session: &Session) {
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
