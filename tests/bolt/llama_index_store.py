"""LlamaIndex's Neo4jPropertyGraphStore against a node, as its users write it. Called with the node's
address; each function is a case, on a graph that is empty before and after it."""

import sys

from llama_index.core.graph_stores.types import ChunkNode, EntityNode, Relation
from llama_index.graph_stores.neo4j import Neo4jPropertyGraphStore

ADDRESS = sys.argv[1]


def connect(**config):
    config = {"create_indexes": False, **config}
    return Neo4jPropertyGraphStore(
        username="neo4j", password="secret", url=f"bolt://{ADDRESS}", database="neo4j", **config
    )


def chunks():
    return [ChunkNode(text="Anna lives in Oslo.", id_="one", properties={"page": 1}),
            ChunkNode(text="Oslo lies in Norway.", id_="two", embedding=[0.5, 1.0])]


def write_entities(store):
    """Anna works for Acme, which lies in Oslo; a chunk mentions Anna."""
    store.upsert_nodes([
        EntityNode(name="Anna", label="Person", embedding=[0.5, 1.0],
                   properties={"age": 41, "triplet_source_id": "one"}),
        EntityNode(name="Acme", label="Company"), EntityNode(name="Oslo", label="City")])
    store.upsert_relations([
        Relation(label="WORKS_FOR", source_id="Anna", target_id="Acme", properties={"since": 2001}),
        Relation(label="LIES_IN", source_id="Acme", target_id="Oslo")])


def names(triplets):
    return sorted((source.name, relation.label, target.name) for source, relation, target in triplets)


def constraints_and_indexes_are_made_on_connect():
    for _ in range(2):
        store = connect(create_indexes=True)
    constraints = store.structured_query("SHOW CONSTRAINTS YIELD name, labelsOrTypes ORDER BY labelsOrTypes[0]")
    assert [c["labelsOrTypes"] for c in constraints] == [["__Entity__"], ["__Node__"]], constraints
    store.refresh_schema()
    assert len(store.get_schema()["metadata"]["constraint"]) == 2
    for constraint in constraints:
        store.structured_query(f"DROP CONSTRAINT `{constraint['name']}`")
    store.structured_query("DROP INDEX entity")


def an_empty_graph_has_a_schema():
    store = connect()
    assert store.get_schema()["node_props"] == {}
    assert "The relationships:" in store.get_schema_str()


def chunks_and_their_relations_are_written_once():
    store = connect()
    for _ in range(2):
        store.upsert_nodes(chunks())
        store.upsert_relations(
            [Relation(label="NEXT", source_id="one", target_id="two", properties={"weight": 2})])
    counts = store.structured_query(
        "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n) AS n, count(r) AS r")
    assert counts == [{"n": 2, "r": 1}], counts
    found = store.get(ids=["one"])
    assert [(node.id_, node.text, node.properties) for node in found] == [
        ("one", "Anna lives in Oslo.", {"page": 1})], found
    vector = store.structured_query("MATCH (n {id: 'two'}) RETURN n.embedding AS e")
    assert vector == [{"e": [0.5, 1.0]}], vector


def the_schema_tells_of_what_is_there():
    store = connect()
    store.upsert_nodes(chunks())
    store.upsert_relations(
        [Relation(label="NEXT", source_id="one", target_id="two", properties={"weight": 2})])
    schema = store.get_schema(refresh=True)
    chunk = {p["property"]: p for p in schema["node_props"]["Chunk"]}
    assert chunk["page"]["type"] == "INTEGER" and chunk["text"]["type"] == "STRING", chunk
    assert chunk["embedding"]["max_size"] == 2, chunk
    assert {"start": "Chunk", "type": "NEXT", "end": "Chunk"} in schema["relationships"], schema
    assert "(:Chunk)-[:NEXT]->(:Chunk)" in store.get_schema_str()


def entities_are_written_once_and_read_back():
    store = connect()
    for _ in range(2):
        store.upsert_nodes(chunks()[:1])
        write_entities(store)
    anna, = store.get(ids=["Anna"])
    assert (anna.name, anna.label, anna.properties["age"]) == ("Anna", "Person", 41), anna
    assert [node.name for node in store.get(properties={"age": 41})] == ["Anna"]
    counts = store.structured_query(
        "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n) AS n, count(r) AS r")
    assert counts == [{"n": 4, "r": 3}], counts
    mentions = store.structured_query("MATCH (c:Chunk)-[:MENTIONS]->(e) RETURN c.id AS c, e.embedding AS e")
    assert mentions == [{"c": "one", "e": [0.5, 1.0]}], mentions


def triplets_are_found_from_both_ends():
    store = connect()
    write_entities(store)
    works, lies = ("Anna", "WORKS_FOR", "Acme"), ("Acme", "LIES_IN", "Oslo")
    assert names(store.get_triplets(entity_names=["Acme"])) == [lies, works]
    assert names(store.get_triplets(ids=["Oslo"])) == [lies]
    assert names(store.get_triplets(properties={"age": 41})) == [works]
    (source, relation, target), = store.get_triplets(entity_names=["Anna"], relation_names=["WORKS_FOR"])
    assert (source.label, relation.properties, target.label) == ("Person", {"since": 2001}, "Company"), relation
    assert store.get_triplets(entity_names=["Anna"], relation_names=["LIES_IN"]) == []


def the_neighbourhood_is_walked():
    store = connect()
    write_entities(store)
    works, lies = ("Anna", "WORKS_FOR", "Acme"), ("Acme", "LIES_IN", "Oslo")
    anna = store.get(ids=["Anna"])
    assert names(store.get_rel_map(anna, depth=1)) == [works]
    assert names(store.get_rel_map(anna)) == [lies, works]
    assert names(store.get_rel_map(anna, ignore_rels=["LIES_IN"])) == [works]
    assert len(store.get_rel_map(anna, limit=1)) == 1


def entities_and_relations_are_deleted():
    store = connect()
    write_entities(store)
    store.delete(relation_names=["LIES_IN"])
    assert names(store.get_triplets(entity_names=["Acme"])) == [("Anna", "WORKS_FOR", "Acme")]
    store.delete(entity_names=["Anna"])
    entities = "MATCH (n:__Entity__) RETURN n.name AS name ORDER BY name"
    assert [row["name"] for row in store.structured_query(entities)] == ["Acme", "Oslo"]
    store.delete(properties={"name": "Acme"})
    assert [row["name"] for row in store.structured_query(entities)] == ["Oslo"]


def what_is_deleted_is_gone():
    store = connect()
    store.upsert_nodes(chunks())
    store.delete(ids=["one"])
    assert [node.id_ for node in store.get()] == ["two"]


HELPERS = ("main", "connect", "chunks", "names", "write_entities")


def main():
    for name, case in list(globals().items()):
        if callable(case) and getattr(case, "__module__", "") == "__main__" and name not in HELPERS:
            case()
            connect(refresh_schema=False).structured_query("MATCH (n) DETACH DELETE n")
            print(name)


main()
