//! Embeds an engine in a program and asks one graph in three languages.
//!
//!     cargo run --example three_languages

use reefloom::engine::{AnswerFormat, Engine, Language, Request, WorkspaceSettings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let engine = Engine::in_memory();
    engine.create_workspace("ships", WorkspaceSettings::default(), 0)?;

    let mut write = Request::new(
        Language::Cypher,
        "CREATE (:Vessel {name: 'Nordlys'})-[:calledAt {arrived: date('2026-05-17')}]->(:Port {name: 'Bergen'})",
        0,
    );
    write.may_write = true;
    engine.run(&write)?;

    for (language, text) in [
        (Language::Cypher, "MATCH (v:Vessel)-[c:calledAt]->(p) RETURN v.name, c.arrived, p.name"),
        (
            Language::SparqlQuery,
            "PREFIX : <https://reefloom.org/data#>
             SELECT ?vessel ?arrived ?port {
                 ?v :name ?vessel ; :calledAt ?p {| :arrived ?arrived |} . ?p :name ?port
             }",
        ),
        (Language::GraphQl, "{ vessels { name calledAt { name } } }"),
    ] {
        println!("{text}\n");
        let response = engine.run(&Request::new(language, text, 0))?;
        response.write(AnswerFormat::Table, &mut std::io::stdout())?;
        println!();
    }
    Ok(())
}
