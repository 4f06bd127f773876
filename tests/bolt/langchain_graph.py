"""LangChain's Neo4jGraph against a node, as its users write it. Called with the node's address; each
function is a case, on a graph that is empty before and after it."""

import sys

from langchain_core.documents import Document
from langchain_neo4j import Neo4jGraph
from langchain_neo4j.graphs.graph_document import GraphDocument, Node, Relationship

ADDRESS = sys.argv[1]


def connect(**config):
    return Neo4jGraph(
        url=f"neo4j://{ADDRESS}", username="neo4j", password="secret", database="neo4j", **config
    )


def document():
    anna = Node(id="anna", type="Person", properties={"age": 41, "name": "Anna"})
    oslo = Node(id="oslo", type="City", properties={"name": "Oslo"})
    lives = Relationship(source=anna, target=oslo, type="lives in", properties={"since": 2001})
    source = Document(page_content="Anna lives in Oslo.", metadata={"id": "page 1"})
    return GraphDocument(nodes=[anna, oslo], relationships=[lives], source=source)


def an_empty_graph_has_a_schema():
    graph = connect()
    assert graph.structured_schema["node_props"] == {}, graph.structured_schema
    assert "The relationships:" in graph.schema


def documents_are_written_once_and_the_schema_tells_of_them():
    graph = connect(refresh_schema=False)
    for _ in range(2):
        graph.add_graph_documents([document()], include_source=True)
    counts = graph.query("MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n) AS n, count(r) AS r")
    assert counts == [{"n": 3, "r": 3}], counts
    graph.refresh_schema()
    schema = graph.structured_schema
    by_name = lambda properties: sorted((p["property"], p["type"]) for p in properties)
    assert by_name(schema["node_props"]["Person"]) == [
        ("age", "INTEGER"), ("id", "STRING"), ("name", "STRING")], schema
    assert by_name(schema["rel_props"]["LIVES_IN"]) == [("since", "INTEGER")], schema
    assert {"start": "Person", "type": "LIVES_IN", "end": "City"} in schema["relationships"], schema
    assert "(:Person)-[:LIVES_IN]->(:City)" in graph.schema, graph.schema
    rows = graph.query(
        "MATCH (p:Person)-[r:LIVES_IN]->(c:City) WHERE p.age > $age RETURN p.name AS name, r.since AS since, c.id AS city",
        {"age": 40})
    assert rows == [{"name": "Anna", "since": 2001, "city": "oslo"}], rows


def entities_share_a_label_and_a_constraint():
    graph = connect()
    for _ in range(2):
        graph.add_graph_documents([document()], include_source=True, baseEntityLabel=True)
    rows = graph.query("MATCH (n:__Entity__) RETURN n.id AS id, [l IN labels(n) WHERE l <> '__Entity__'] AS labels ORDER BY id")
    assert rows == [{"id": "anna", "labels": ["Person"]}, {"id": "oslo", "labels": ["City"]}], rows
    constraint, = graph.structured_schema["metadata"]["constraint"]
    assert (constraint["type"], constraint["labelsOrTypes"], constraint["properties"]) == (
        "UNIQUENESS", ["__Entity__"], ["id"]), constraint
    graph.query(f"DROP CONSTRAINT `{constraint['name']}`")


def an_enhanced_schema_has_examples():
    graph = connect(refresh_schema=False)
    graph.add_graph_documents([document()])
    graph = connect(enhanced_schema=True)
    age = next(p for p in graph.structured_schema["node_props"]["Person"] if p["property"] == "age")
    assert (age["min"], age["max"], age["distinct_count"]) == ("41", "41", 1), age
    name = next(p for p in graph.structured_schema["node_props"]["City"] if p["property"] == "name")
    assert name["values"] == ["Oslo"], name


def main():
    graph = connect(refresh_schema=False)
    for name, case in list(globals().items()):
        if callable(case) and getattr(case, "__module__", "") == "__main__" and case not in (main, connect, document):
            case()
            graph.query("MATCH (n) DETACH DELETE n")
            print(name)


main()
