"""Neo4j's own driver against a node, as its users write it. Called with the address of one that holds
the workspace `fleet` with the branches `main` and `draft`, and `other`; each function is a case."""

import datetime
import sys
import threading
import time

import neo4j
from neo4j import GraphDatabase, Query
from neo4j.exceptions import ClientError, CypherSyntaxError, TransientError
from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import CartesianPoint, WGS84Point
from neo4j.time import Date, DateTime, Duration, Time
import pytz

ADDRESS = sys.argv[1]
MAJOR = int(neo4j.__version__.split(".")[0])


def connect(scheme="bolt", auth=("somebody", "something"), **config):
    return GraphDatabase.driver(f"{scheme}://{ADDRESS}", auth=auth, **config)


def write(session, work, *arguments):
    method = session.execute_write if MAJOR >= 5 else session.write_transaction
    return method(work, *arguments)


def read(session, work, *arguments):
    method = session.execute_read if MAJOR >= 5 else session.read_transaction
    return method(work, *arguments)


def fails(kind, work):
    try:
        work()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def at_once(count, work):
    """Calls work(0), work(1), .. each on a thread of its own, and waits for all."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def value(session, text, **parameters):
    return session.run(text, parameters).single()[0]


def with_any_scheme_and_auth():
    for scheme in ["bolt", "neo4j"]:
        for auth in [None, ("somebody", "something")]:
            with connect(scheme, auth) as driver:
                driver.verify_connectivity()
                with driver.session() as session:
                    assert value(session, "RETURN 1") == 1
    with connect(auth=neo4j.bearer_auth("token")) as driver:
        error = fails(Exception, driver.verify_connectivity)
        assert "bearer" in str(error), error


def autocommit_and_its_summary():
    with connect() as driver, driver.session() as session:
        result = session.run("CREATE (a:Auto {n: 1})-[:KNOWS {since: 2}]->(b:Auto) RETURN a, b")
        assert result.keys() == ["a", "b"] if MAJOR < 5 else list(result.keys()) == ["a", "b"]
        summary = result.consume()
        counters = summary.counters
        assert (counters.nodes_created, counters.relationships_created) == (2, 1), counters
        assert (counters.labels_added, counters.properties_set) == (2, 2), counters
        assert counters.contains_updates and summary.query_type == "rw"
        assert summary.database == "fleet", summary.database
        assert summary.result_available_after >= 0 and summary.result_consumed_after >= 0
        assert session.run("CREATE (:Auto)").consume().query_type == "w"
        assert session.run("MATCH (n:Auto) RETURN n").consume().query_type == "r"
        deleted = session.run("MATCH (n:Auto) DETACH DELETE n").consume().counters
        assert (deleted.nodes_deleted, deleted.relationships_deleted) == (3, 1), deleted
        plan = session.run("EXPLAIN MATCH (n) RETURN n").consume().plan
        assert "logical plan" in plan["args"]["string-representation"], plan
        assert (session.last_bookmarks().raw_values if MAJOR >= 5 else session.last_bookmark())


def explicit_transactions():
    count = "MATCH (n:Explicit) RETURN count(n)"
    with connect() as driver, driver.session() as session, driver.session() as other:
        with session.begin_transaction() as tx:
            tx.run("CREATE (:Explicit)")
            first = tx.run("UNWIND range(1, 3000) AS n RETURN n")
            tx.run("CREATE (:Explicit)").consume()
            assert value(tx, count) == 2
            assert len(list(first)) == 3000, "two results are open at once"
            assert value(other, count) == 0
            tx.commit()
        assert value(other, count) == 2
        with session.begin_transaction() as tx:
            tx.run("MATCH (n:Explicit) DELETE n")
            tx.rollback()
        assert value(other, count) == 2
        tx = session.begin_transaction()
        tx.run("CREATE (:Explicit)").consume()
        fails(ClientError, lambda: tx.run("RETURN 1 / 0").consume())
        tx.close()
        assert value(session, count) == 2, "a failed transaction leaves nothing"
        write(session, lambda tx: tx.run("MATCH (n:Explicit) DELETE n").consume())


def reading_transactions_cannot_write():
    with connect() as driver, driver.session() as session:
        error = fails(ClientError, lambda: read(session, lambda tx: tx.run("CREATE (:Never)").consume()))
        assert error.code == "Neo.ClientError.Statement.AccessMode", error
    with connect() as driver, driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        fails(ClientError, lambda: session.run("CREATE (:Never)").consume())
        assert value(session, "MATCH (n:Never) RETURN count(n)") == 0


def conflicts_are_tried_again():
    with connect() as driver:
        with driver.session() as session:
            session.run("CREATE (:Counter {n: 0})").consume()
        with driver.session() as one, driver.session() as two:
            first, second = one.begin_transaction(), two.begin_transaction()
            for tx in [first, second]:
                assert value(tx, "MATCH (c:Counter) SET c.n = c.n + 1 RETURN c.n") == 1
            first.commit()
            error = fails(TransientError, second.commit)
            assert error.code == "Neo.TransientError.Transaction.Outdated", error
        tries = []

        def add(tx):
            tries.append(1)
            n = value(tx, "MATCH (c:Counter) RETURN c.n")
            time.sleep(0.01)
            tx.run("MATCH (c:Counter) SET c.n = $n", n=n + 1).consume()

        def work(_):
            with driver.session() as session:
                for _ in range(4):
                    write(session, add)

        at_once(3, work)
        with driver.session() as session:
            assert value(session, "MATCH (c:Counter) RETURN c.n") == 13
            assert len(tries) >= 12, tries
            session.run("MATCH (c:Counter) DELETE c").consume()


def writes_that_tell_nothing_do_not_conflict():
    with connect() as driver:
        with driver.session() as session:
            session.run("CREATE (:Blind {n: 0})").consume()
        tries = []

        def add(tx):
            tries.append(1)
            tx.run("MATCH (b:Blind) SET b.n = b.n + 1").consume()
            time.sleep(0.01)

        def work(_):
            with driver.session() as session:
                for _ in range(5):
                    write(session, add)

        at_once(4, work)
        with driver.session() as session:
            assert value(session, "MATCH (b:Blind) RETURN b.n") == 20 == len(tries)
            session.run("MATCH (b:Blind) DELETE b").consume()


def procedures_that_clients_call_first():
    with connect() as driver, driver.session() as session:
        session.run("CREATE (:Listed {key: 1})-[:TO]->(:Listed)").consume()
        versions = session.run("CALL dbms.components()").value("versions")[0]
        assert all(part.isdigit() for part in versions[0].split(".")), versions
        assert "Listed" in session.run("CALL db.labels()").value("label")
        assert "TO" in session.run("CALL db.relationshipTypes()").value("relationshipType")
        assert "key" in session.run("CALL db.propertyKeys()").value("propertyKey")
        session.run("MATCH (n:Listed) DETACH DELETE n").consume()


def show_commands_are_tables():
    with connect() as driver, driver.session() as session:
        databases = {row["name"]: row for row in session.run("SHOW DATABASES")}
        assert set(databases) == {"fleet", "fleet@draft", "other"}, databases
        assert databases["fleet"]["default"] and "neo4j" in databases["fleet"]["aliases"], databases
        for name in databases:
            assert driver.session(database=name).run("RETURN 1").single()[0] == 1
        assert [row["name"] for row in session.run("SHOW DATABASE neo4j")] == ["fleet"]
        assert session.run("SHOW DEFAULT DATABASE").single()["name"] == "fleet"
        assert [row["type"] for row in session.run("SHOW INDEXES")] == ["LOOKUP", "LOOKUP"]
        assert list(session.run("SHOW VECTOR INDEXES")) == []
        assert list(session.run("SHOW CONSTRAINTS YIELD name, type WHERE type = 'UNIQUENESS' RETURN name")) == []
        procedures = session.run(
            "SHOW PROCEDURES YIELD name, mode AS m WHERE name STARTS WITH 'apoc.merge' RETURN name, m ORDER BY name")
        assert procedures.values() == [["apoc.merge.node", "WRITE"], ["apoc.merge.relationship", "WRITE"]]
        count = value(session, "SHOW FUNCTIONS YIELD name RETURN count(*)")
        assert count > 100, count
        assert len(session.run("SHOW FUNCTIONS YIELD * LIMIT 1").single()) == 12
        fails(CypherSyntaxError, lambda: session.run("SHOW NOTHING").consume())
        fails(CypherSyntaxError, lambda: session.run("SHOW INDEXES YIELD nothing").consume())


def schemas_are_drawn():
    with connect() as driver, driver.session(database="other") as session:
        session.run("CREATE (:A {n: 1})-[:TO {since: date()}]->(:A:B {n: 'x', l: [1]})").consume()
        nodes, relationships = session.run("CALL db.schema.visualization()").single().values()
        assert sorted(node["name"] for node in nodes) == ["A", "B"], nodes
        assert {(r.type, r.nodes[0].element_id == r.nodes[1].element_id) for r in relationships} == {
            ("TO", True), ("TO", False)} if MAJOR >= 5 else len(relationships) == 2
        rows = session.run("CALL db.schema.nodeTypeProperties()").values()
        assert rows == [
            [":`A`", ["A"], "n", ["Long"], True],
            [":`A`:`B`", ["A", "B"], "l", ["LongArray"], True],
            [":`A`:`B`", ["A", "B"], "n", ["String"], True]], rows
        rows = session.run("CALL db.schema.relTypeProperties()").values()
        assert rows == [[":`TO`", "since", ["Date"], True]], rows
        stats = session.run("CALL apoc.meta.stats() YIELD stats").single()[0]
        assert stats["relTypes"] == {
            "()-[:TO]->()": 1, "(:A)-[:TO]->()": 1, "()-[:TO]->(:A)": 1, "()-[:TO]->(:B)": 1}, stats
        text = ("CALL apoc.meta.graph() YIELD relationships UNWIND relationships AS r "
                "RETURN startNode(r).name, r['count'], type(r), labels(endNode(r))")
        assert sorted(session.run(text).values()) == [["A", 1, "TO", ["A"]], ["A", 1, "TO", ["B"]]]
        session.run("MATCH (n) DETACH DELETE n").consume()


def procedures_write():
    with connect() as driver, driver.session(database="other") as session:
        merge = ("UNWIND $rows AS row CALL apoc.merge.node(['L', row.label], {id: row.id}, {made: true}, {again: true}) "
                 "YIELD node RETURN count(DISTINCT node)")
        rows = [{"label": "A", "id": 1}, {"label": "A", "id": 1.0}, {"label": "B", "id": 1}]
        result = session.run(merge, rows=rows)
        assert result.single()[0] == 2
        assert result.consume().counters.nodes_created == 2
        found = session.run("MATCH (n:L:A) RETURN n.made, n.again").values()
        assert found == [[True, True]], found
        relate = ("MATCH (a:A), (b:B) CALL apoc.merge.relationship(a, $type, {k: $k}, {made: 1}, b) "
                  "YIELD rel RETURN rel.k, rel.made, type(rel)")
        for k in [1, 1, 2]:
            assert session.run(relate, type="TO", k=k).values() == [[k, 1, "TO"]]
        assert value(session, "MATCH (:A)-[r:TO]->(:B) RETURN count(r)") == 2
        text = "MATCH (n:L) CALL apoc.create.addLabels(n, ['X', 'Y']) YIELD node WITH node WHERE node:X RETURN count(node)"
        assert value(session, text) == 2
        assert value(session, "MATCH (n:X:Y) RETURN count(n)") == 2
        session.run("CALL apoc.merge.node(['Limited'], {id: 1}) YIELD node RETURN node LIMIT 0").consume()
        assert value(session, "MATCH (n:Limited) RETURN count(n)") == 1
        error = fails(ClientError, lambda: session.run("CALL apoc.merge.node(['A'], {id: null})").consume())
        assert "null" in str(error), error
        error = fails(ClientError, lambda: session.run("CALL apoc.nothing()").consume())
        assert error.code == "Neo.ClientError.Procedure.ProcedureNotFound", error
        session.run("MATCH (n) DETACH DELETE n").consume()
    with connect() as driver, driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        fails(ClientError, lambda: session.run("CALL apoc.merge.node(['A'], {id: 1})").consume())


def values_come_back_as_they_went():
    stockholm = pytz.timezone("Europe/Stockholm")
    values = [
        None,
        True,
        0,
        -(2**63),
        2**63 - 1,
        1.5,
        float("inf"),
        "",
        "åäö 🚢",
        "x" * 70000,
        [1, "two", None, [3.0]],
        {"a": 1, "b": {"c": [True]}},
        Date(2024, 2, 29),
        Date(1, 1, 1),
        Time(12, 34, 56, 789_000_001),
        Time(12, 34, 56, 7, tzinfo=pytz.FixedOffset(90)),
        DateTime(2024, 2, 29, 1, 2, 3, 4),
        DateTime(2024, 2, 29, 1, 2, 3, 4, tzinfo=pytz.FixedOffset(-330)),
        stockholm.localize(DateTime(2024, 7, 1, 12, 0, 0, 5)),
        Duration(months=14, days=-3, seconds=70, nanoseconds=5),
        Duration(seconds=-1, nanoseconds=-500_000_000),
        CartesianPoint((1.5, -2.0)),
        CartesianPoint((1.0, 2.0, 3.0)),
        WGS84Point((18.07, 59.33)),
        WGS84Point((18.07, 59.33, 12.0)),
        bytearray(b"\x00\xff"),
    ]
    with connect() as driver, driver.session() as session:
        for wanted in values:
            found = value(session, "RETURN $value AS value", value=wanted)
            assert type(found) is type(wanted) or found == wanted, (wanted, found)
            assert found == wanted, (wanted, found)
            if isinstance(wanted, (type(None), list, dict)):
                continue
            found = value(session, "CREATE (n:Kept {value: $value}) RETURN n.value", value=wanted)
            assert found == wanted, ("stored", wanted, found)
            found = value(session, "MATCH (n:Kept) WHERE n.value = $value RETURN n.value", value=wanted)
            assert found == wanted, ("found", wanted, found)
            session.run("MATCH (n:Kept) DELETE n").consume()
        assert value(session, "RETURN $x", x=datetime.timedelta(days=1)) == Duration(days=1)
        assert value(session, "RETURN duration('P1Y2M') = $x", x=Duration(months=14)) is True
        assert value(session, "RETURN datetime('2024-07-01T12:00[Europe/Stockholm]') = $x",
                     x=stockholm.localize(DateTime(2024, 7, 1, 12, 0, 0))) is True
        assert value(session, "RETURN $x.year", x=DateTime(2024, 7, 1, 12, 0, 0)) == 2024
        assert value(session, "RETURN date('2024-02-29')") == Date(2024, 2, 29)
        assert value(session, "RETURN localtime('01:02:03')") == Time(1, 2, 3)
        assert value(session, "RETURN point({x: 1, y: 2})") == CartesianPoint((1.0, 2.0))


def vectors_and_uuids_are_lists_and_strings():
    if MAJOR < 6:
        return
    import uuid
    from neo4j.vector import Vector
    with connect() as driver, driver.session() as session:
        assert value(session, "RETURN $v", v=Vector([0.5, -1.0], "f32")) == [0.5, -1.0]
        assert value(session, "RETURN $v", v=Vector([1, -2], "i16")) == [1, -2]
        some = uuid.uuid4()
        assert value(session, "RETURN $u", u=some) == str(some)
        version = session.run("RETURN 1").consume().server.protocol_version
        assert tuple(version) == (6, 1), version


def entities_and_paths():
    with connect() as driver, driver.session() as session:
        text = "CREATE (a:X:Y {n: 1})-[r:KNOWS {since: 2020}]->(b:X), (b)-[:LIKES]->(a) RETURN a, r, b"
        a, r, b = session.run(text).single()
        assert isinstance(a, Node) and a.labels == {"X", "Y"} and dict(a) == {"n": 1}
        assert isinstance(r, Relationship) and r.type == "KNOWS" and r["since"] == 2020
        assert r.start_node == a and r.end_node == b
        assert value(session, "MATCH (n) WHERE id(n) = $id RETURN n", id=a.id).id == a.id
        if MAJOR >= 5:
            text = "MATCH (n) WHERE elementId(n) = $id RETURN n"
            assert value(session, text, id=a.element_id).id == a.id
            assert value(session, "MATCH ()-[r:KNOWS]->() RETURN elementId(r)") == r.element_id
        path = value(session, "MATCH p = (:Y)-[:KNOWS]->()-[:LIKES]->() RETURN p")
        assert isinstance(path, Path) and len(path) == 2
        assert [n.id for n in path.nodes] == [a.id, b.id, a.id]
        assert [step.type for step in path.relationships] == ["KNOWS", "LIKES"]
        back = value(session, "MATCH p = (:Y)<-[:LIKES]-() RETURN p")
        assert back.relationships[0].start_node.id == b.id, back
        assert value(session, "MATCH (n:X) RETURN collect(n)")[0].labels >= {"X"}
        session.run("MATCH (n:X) DETACH DELETE n").consume()


def large_results_are_pulled_as_they_are_read():
    pairs = "UNWIND range(1, 30000) AS a UNWIND range(1, 30000) AS b RETURN a, b"
    began = time.monotonic()
    with connect() as driver, driver.session(fetch_size=500) as session:
        rows = iter(session.run(pairs))
        assert [tuple(next(rows)) for _ in range(2000)][-1] == (1, 2000)
        with driver.session() as other:
            assert value(other, "RETURN 2") == 2
    # All 900 million would take minutes; leaving discards them.
    assert time.monotonic() - began < 20
    with connect() as driver, driver.session(fetch_size=-1) as session:
        rows = session.run("UNWIND range(1, 200000) AS n RETURN n, toString(n) AS text")
        assert sum(len(row["text"]) for row in rows) == 1088895
    with connect() as driver, driver.session(fetch_size=1) as session:
        assert [row[0] for row in session.run("UNWIND range(1, 3) AS n RETURN n")] == [1, 2, 3]
        assert list(session.run("MATCH (n:Nothing) RETURN n")) == []


def statements_can_be_timed_out():
    heavy = "UNWIND range(1, 30000) AS a UNWIND range(1, 30000) AS b RETURN count(*)"
    with connect() as driver, driver.session() as session:
        began = time.monotonic()
        error = fails(ClientError, lambda: session.run(Query(heavy, timeout=0.3)).consume()
                      if MAJOR < 5 else session.run(Query(heavy, timeout=0.3)).single())
        assert error.code == "Neo.ClientError.Transaction.TransactionTimedOut", error
        assert time.monotonic() - began < 20
        tx = session.begin_transaction(timeout=0.3)
        fails(ClientError, lambda: tx.run(heavy).single())
        tx.close()
        assert value(session, "RETURN 1") == 1


def errors_are_what_they_are():
    with connect() as driver, driver.session() as session:
        error = fails(CypherSyntaxError, lambda: session.run("RETURN").consume())
        assert error.code == "Neo.ClientError.Statement.SyntaxError"
        for text, code in [
            ("RETURN $missing", "Statement.ParameterMissing"),
            ("RETURN 1 / 0", "Statement.ArithmeticError"),
            ("UNWIND [1, 0] AS n RETURN 1 / n", "Statement.ArithmeticError"),
        ]:
            error = fails(ClientError, lambda: session.run(text).consume() and session.run(text).data())
            assert error.code == f"Neo.ClientError.{code}", error
        assert value(session, "RETURN 1") == 1
    with connect() as driver, driver.session(database="nowhere") as session:
        error = fails(ClientError, lambda: session.run("RETURN 1").consume())
        assert error.code == "Neo.ClientError.Database.DatabaseNotFound", error


def databases_are_workspaces_and_branches():
    count = "MATCH (n:Branched) RETURN count(n)"
    for scheme in ["bolt", "neo4j"]:
        with connect(scheme) as driver:
            with driver.session(database="fleet@draft") as session:
                write(session, lambda tx: tx.run("CREATE (:Branched)").consume())
                assert value(session, count) == 1
            for database, wanted in [
                ("draft", 1), ("fleet", 0), ("main", 0), ("fleet@main", 0), ("other", 0), ("neo4j", 0), (None, 0)
            ]:
                with driver.session(database=database) as session:
                    assert value(session, count) == wanted, database
            with driver.session(database="fleet@draft") as session:
                at = (session.run(count).consume() and
                      session.run("MATCH (n:Branched) DELETE n").consume().database)
                assert at == "fleet@draft", at
                assert value(session, count) == 0
            with driver.session(database="fleet@draft~1") as session:
                assert value(session, count) == 1, "any commit can be read"
                fails(ClientError, lambda: session.run("CREATE (:Branched)").consume())


def many_sessions_at_once():
    with connect("neo4j", max_connection_pool_size=20) as driver:
        seen = []

        def work(number):
            with driver.session() as session:
                for _ in range(10):
                    session.run("CREATE (:Many {n: $n})", n=number).consume()
                seen.append(value(session, "MATCH (m:Many {n: $n}) RETURN count(m)", n=number))

        at_once(20, work)
        assert seen == [10] * 20, seen
        with driver.session() as session:
            session.run("MATCH (m:Many) DELETE m").consume()


CASES = [case for name, case in list(globals().items())
         if callable(case) and getattr(case, "__module__", "") == "__main__"
         and name not in ("connect", "write", "read", "fails", "at_once", "value")]

for case in CASES:
    began = time.monotonic()
    case()
    print(f"{neo4j.__version__}: {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
