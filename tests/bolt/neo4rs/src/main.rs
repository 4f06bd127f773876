//! The Rust driver against a node, as its users write it: it speaks Bolt 4.1. Called with the
//! node's address; each function is a case.

use neo4rs::{ConfigBuilder, Error, Graph, Node, Path, Point2D, Relation, query};

type Case<T = ()> = Result<T, Error>;

async fn connect(address: &str, database: &str) -> Case<Graph> {
    let config = ConfigBuilder::default()
        .uri(address)
        .user("somebody")
        .password("something")
        .db(database)
        .fetch_size(100)
        .build()?;
    Graph::connect(config).await
}

async fn number(graph: &Graph, text: &str) -> Case<i64> {
    let mut rows = graph.execute(query(text)).await?;
    let row = rows.next().await?.expect("a row");
    Ok(row.get("n").expect("a number"))
}

async fn values_come_back(graph: &Graph) -> Case {
    let text = "RETURN $i AS i, $f AS f, $s AS s, $b AS b, $l AS l, null AS z, \
                date('2020-01-02') AS d, point({x: 1.5, y: 2.5}) AS p";
    // Not a number from -16 to -1: this version of the driver takes those from a server for 240 to 255.
    let asked = query(text)
        .param("i", -70_000)
        .param("f", 2.5)
        .param("s", "tekst ø")
        .param("b", true)
        .param("l", vec![1, 2]);
    let row = graph.execute(asked).await?.next().await?.expect("a row");
    assert_eq!(row.get::<i64>("i").unwrap(), -70_000);
    assert_eq!(row.get::<f64>("f").unwrap(), 2.5);
    assert_eq!(row.get::<String>("s").unwrap(), "tekst ø");
    assert!(row.get::<bool>("b").unwrap());
    assert_eq!(row.get::<Vec<i64>>("l").unwrap(), [1, 2]);
    assert_eq!(row.get::<Option<i64>>("z").unwrap(), None);
    let point = row.get::<Point2D>("p").unwrap();
    assert_eq!((point.sr_id(), point.x(), point.y()), (7203, 1.5, 2.5));
    Ok(())
}

async fn nodes_relationships_and_paths_are_whole(graph: &Graph) -> Case {
    let text = "CREATE p = (a:R {name: 'a'})-[r:TO {w: 3}]->(b:R:S) RETURN a, r, p";
    let row = graph.execute(query(text)).await?.next().await?.expect("a row");
    let (node, relation) = (row.get::<Node>("a").unwrap(), row.get::<Relation>("r").unwrap());
    assert_eq!((node.labels(), node.get::<String>("name").unwrap()), (vec!["R"], "a".to_owned()));
    assert_eq!((relation.typ(), relation.get::<i64>("w").unwrap()), ("TO", 3));
    assert_eq!(relation.start_node_id(), node.id());
    let path = row.get::<Path>("p").unwrap();
    assert_eq!((path.nodes().len(), path.rels().len()), (2, 1));
    graph.run(query("MATCH (n:R) DETACH DELETE n")).await
}

async fn transactions_are_kept_or_dropped(graph: &Graph) -> Case {
    let count = "MATCH (n:T) RETURN count(n) AS n";
    let mut dropped = graph.start_txn().await?;
    dropped.run(query("CREATE (:T)")).await?;
    dropped.rollback().await?;
    assert_eq!(number(graph, count).await?, 0);
    let mut kept = graph.start_txn().await?;
    kept.run_queries([query("CREATE (:T)"), query("CREATE (:T)")]).await?;
    kept.commit().await?;
    assert_eq!(number(graph, count).await?, 2);
    graph.run(query("MATCH (n:T) DELETE n")).await
}

async fn many_rows_are_pulled_in_parts(graph: &Graph) -> Case {
    let mut rows = graph.execute(query("UNWIND range(1, 10000) AS n RETURN n")).await?;
    let mut sum = 0;
    while let Some(row) = rows.next().await? {
        sum += row.get::<i64>("n").unwrap();
    }
    assert_eq!(sum, 10_000 * 10_001 / 2);
    Ok(())
}

async fn mistakes_are_told_and_the_connection_goes_on(graph: &Graph) -> Case {
    for wrong in ["RETURN", "RETURN $nothing", "RETURN 1 / 0 AS n"] {
        let failed = match graph.execute(query(wrong)).await {
            Err(_) => true,
            Ok(mut rows) => rows.next().await.is_err(),
        };
        assert!(failed, "{wrong}");
        assert_eq!(number(graph, "RETURN 1 AS n").await?, 1);
    }
    Ok(())
}

async fn branches_are_databases(address: &str) -> Case {
    let (main, draft) = (connect(address, "fleet").await?, connect(address, "fleet@draft").await?);
    draft.run(query("CREATE (:OnDraft)")).await?;
    let count = "MATCH (n:OnDraft) RETURN count(n) AS n";
    assert_eq!((number(&main, count).await?, number(&draft, count).await?), (0, 1));
    draft.run(query("MATCH (n:OnDraft) DELETE n")).await
}

#[tokio::main]
async fn main() -> Case {
    let address = std::env::args().nth(1).expect("an address");
    let graph = connect(&address, "neo4j").await?;
    values_come_back(&graph).await?;
    println!("values_come_back");
    nodes_relationships_and_paths_are_whole(&graph).await?;
    println!("nodes_relationships_and_paths_are_whole");
    transactions_are_kept_or_dropped(&graph).await?;
    println!("transactions_are_kept_or_dropped");
    many_rows_are_pulled_in_parts(&graph).await?;
    println!("many_rows_are_pulled_in_parts");
    mistakes_are_told_and_the_connection_goes_on(&graph).await?;
    println!("mistakes_are_told_and_the_connection_goes_on");
    branches_are_databases(&address).await?;
    println!("branches_are_databases");
    Ok(())
}
