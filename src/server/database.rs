//! `Database`: what Neo4j's clients call a database: a workspace, at a branch or commit.

use std::sync::Arc;

use crate::engine::{Engine, EngineError, Hosted, USUAL_DATABASE};

/// What a database's name means.
pub struct Database {
    pub hosted: Arc<Hosted>,
    /// `None` is the default branch.
    pub at: Option<String>,
    /// The name that the client is told.
    pub name: String,
}

impl Database {
    /// Finds `workspace@ref`, a workspace, or a ref of the default workspace; that one, if there is no name.
    pub fn find(engine: &Engine, name: Option<&str>) -> Result<Database, EngineError> {
        let Some(asked) = name.filter(|name| !name.is_empty()) else { return Database::usual(engine) };
        let name = asked.to_owned();
        if let Some((workspace, at)) = asked.split_once('@') {
            let hosted = engine.hosted(Some(workspace))?;
            hosted.resolve(Some(at))?;
            return Ok(Database { hosted, at: Some(at.to_owned()), name });
        }
        if let Ok(hosted) = engine.hosted(Some(asked)) {
            return Ok(Database { hosted, at: None, name });
        }
        let hosted = engine.hosted(None)?;
        match hosted.resolve(Some(asked)) {
            Ok(_) => Ok(Database { hosted, at: Some(name.clone()), name }),
            // Under the name that was asked for: by it a driver finds its routing table again.
            Err(_) if asked == USUAL_DATABASE => Ok(Database { hosted, at: None, name }),
            Err(EngineError::NotFound { .. }) => {
                Err(EngineError::NotFound { kind: "workspace, branch or commit", name })
            }
            Err(error) => Err(error),
        }
    }

    fn usual(engine: &Engine) -> Result<Database, EngineError> {
        let hosted = engine.hosted(None)?;
        let name = hosted.name().to_owned();
        Ok(Database { hosted, at: None, name })
    }
}
