//! Writes to a branch, asks two branches and an old commit.
//!
//!     cargo run --example branches

use reefloom::engine::{AnswerFormat, Engine, EngineError, Language, Request, WorkspaceSettings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::in_memory();
    let ships = engine.create_workspace("ships", WorkspaceSettings::default(), 0)?;
    let first = write(&engine, "main", "CREATE (:Port {name: 'Oslo', open: true})")?;

    ships.create_branch("draft", Some("main"))?;
    write(&engine, "draft", "MATCH (p:Port {name: 'Oslo'}) SET p.open = false")?;
    write(&engine, "draft", "CREATE (:Port {name: 'Narvik', open: true})")?;

    for at in ["main", "draft", "draft~1", &format!("commit:{first}")] {
        let mut request =
            Request::new(Language::Cypher, "MATCH (p:Port) RETURN p.name, p.open ORDER BY p.name", 0);
        request.at = Some(at.to_owned());
        println!("at {at}");
        engine.run(&request)?.write(AnswerFormat::Table, &mut std::io::stdout())?;
    }
    Ok(())
}

fn write(engine: &Engine, branch: &str, text: &str) -> Result<String, EngineError> {
    let mut request = Request::new(Language::Cypher, text, 0);
    request.at = Some(branch.to_owned());
    request.may_write = true;
    Ok(engine.run(&request)?.commit.to_string())
}
