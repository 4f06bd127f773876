// Neo4j's JavaScript driver against a node, as its users write it. Called with the folder that the driver
// is installed in and the address of a node as `driver.py` has it; each function is a case.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [folder, address] = process.argv.slice(2);
const neo4j = createRequire(`${folder}/package.json`)("neo4j-driver");
const { version } = createRequire(`${folder}/package.json`)("neo4j-driver/package.json");

async function withDriver(scheme, work, config = {}) {
  const driver = neo4j.driver(`${scheme}://${address}`, neo4j.auth.basic("somebody", "something"), config);
  try {
    await work(driver);
  } finally {
    await driver.close();
  }
}

async function withSession(work, config = {}) {
  await withDriver("neo4j", async (driver) => {
    const session = driver.session(config);
    try {
      await work(session, driver);
    } finally {
      await session.close();
    }
  });
}

async function value(runner, text, parameters = {}) {
  return (await runner.run(text, parameters)).records[0].get(0);
}

async function any_scheme() {
  for (const scheme of ["bolt", "neo4j"]) {
    await withDriver(scheme, async (driver) => {
      await driver.verifyConnectivity();
      const { records, summary } = await driver.executeQuery("RETURN 1 AS one");
      assert.equal(records[0].get("one").toNumber(), 1);
      assert.equal(summary.database.name, "fleet");
    });
  }
}

async function transactions() {
  await withSession(async (session) => {
    const count = "MATCH (n:Script) RETURN count(n)";
    const created = await session.executeWrite((tx) => tx.run("CREATE (n:Script {n: 1}) RETURN n"));
    assert.equal(created.summary.counters.updates().nodesCreated, 1);
    const tx = session.beginTransaction();
    await tx.run("CREATE (:Script)");
    assert.equal((await value(tx, count)).toNumber(), 2);
    await tx.rollback();
    assert.equal((await session.executeRead((tx) => value(tx, count))).toNumber(), 1);
    await assert.rejects(session.executeRead((tx) => tx.run("CREATE (:Script)")),
      { code: "Neo.ClientError.Statement.AccessMode" });
    await session.run("MATCH (n:Script) DELETE n");
  });
}

async function conflicts() {
  await withSession(async (session, driver) => {
    await session.run("CREATE (:Tally {n: 0})");
    let tries = 0;
    const add = async () => {
      const session = driver.session();
      await session.executeWrite(async (tx) => {
        tries += 1;
        await tx.run("MATCH (t:Tally) SET t.n = t.n + 1");
      });
      await session.close();
    };
    await Promise.all([add(), add(), add()]);
    assert.equal((await value(session, "MATCH (t:Tally) RETURN t.n")).toNumber(), 3);
    assert.ok(tries >= 3);
    await session.run("MATCH (t:Tally) DELETE t");
  });
}

async function values() {
  const { int, types } = neo4j;
  const cases = [
    null, true, int("-9223372036854775808"), 1.5, "åäö", [int(1), "two"],
    new types.Date(2024, 2, 29),
    new types.LocalTime(12, 34, 56, 789),
    new types.Time(12, 34, 56, 789, 5400),
    new types.LocalDateTime(2024, 2, 29, 1, 2, 3, 4),
    new types.DateTime(2024, 2, 29, 1, 2, 3, 4, -19800),
    new types.Duration(14, 3, 70, 5),
    new types.Point(int(7203), 1.5, -2),
    new types.Point(int(4979), 1, 2, 3),
  ];
  await withSession(async (session) => {
    for (const wanted of cases) {
      const found = await value(session, "RETURN $value", { value: wanted });
      assert.equal(found?.constructor, wanted?.constructor);
      assert.equal(String(found), String(wanted));
    }
    const map = { a: int(1), b: [true, null] };
    assert.deepEqual(await value(session, "RETURN $map", { map }), map);
    const zoned = new types.DateTime(2024, 7, 1, 12, 0, 0, 5, undefined, "Europe/Stockholm");
    assert.match(String(await value(session, "RETURN $value", { value: zoned })),
      /^2024-07-01T12:00:00.000000005\+02:00\[Europe\/Stockholm\]$/);
  });
}

async function entities() {
  await withSession(async (session) => {
    const text = "CREATE p = (a:Here {n: 1})-[r:KNOWS]->(b:Here) RETURN a, r, b, p";
    const [a, r, b, p] = (await session.run(text)).records[0];
    assert.deepEqual([a.labels, r.type], [["Here"], "KNOWS"]);
    assert.deepEqual([r.startNodeElementId, r.endNodeElementId], [a.elementId, b.elementId]);
    assert.equal(p.segments.length, 1);
    assert.equal(p.segments[0].end.elementId, b.elementId);
    await session.run("MATCH (n:Here) DETACH DELETE n");
  });
}

async function large_results() {
  await withSession(async (session) => {
    const pairs = "UNWIND range(1, 30000) AS a UNWIND range(1, 30000) AS b RETURN a, b";
    let seen = 0;
    for await (const row of session.run(pairs)) {
      assert.equal(row.get("a").toNumber(), 1);
      seen += 1;
      if (seen === 2500) break;
    }
    assert.equal(seen, 2500);
  });
}

async function errors() {
  await withSession(async (session) => {
    await assert.rejects(session.run("RETURN"), { code: "Neo.ClientError.Statement.SyntaxError" });
    await assert.rejects(session.run("UNWIND [1, 0] AS n RETURN 1 / n"),
      { code: "Neo.ClientError.Statement.ArithmeticError" });
    assert.equal((await value(session, "RETURN 1")).toNumber(), 1);
  });
  await withSession(async (session) => {
    await assert.rejects(session.run("RETURN 1"), { code: "Neo.ClientError.Database.DatabaseNotFound" });
  }, { database: "nowhere" });
}

async function branches() {
  await withSession((session) => session.run("CREATE (:Branched)"), { database: "fleet@draft" });
  for (const [database, wanted] of [["draft", 1], ["fleet", 0], ["other", 0]]) {
    await withSession(async (session) => {
      assert.equal((await value(session, "MATCH (n:Branched) RETURN count(n)")).toNumber(), wanted);
    }, { database });
  }
  await withSession((session) => session.run("MATCH (n:Branched) DELETE n"), { database: "fleet@draft" });
}

const cases = [any_scheme, transactions, conflicts, values, entities, large_results, errors, branches];
for (const test of cases) {
  const began = Date.now();
  await test();
  console.log(`${version}: ${test.name} (${Date.now() - began} ms)`);
}
