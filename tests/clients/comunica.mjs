// Comunica: finds out by itself what the endpoint is, reads, writes, and federates over two branches.

import assert from "node:assert/strict";
import { QueryEngine } from "@comunica/query-sparql";

const node = process.argv[2];
const endpoint = `${node}/sparql`;
const engine = new QueryEngine();
const sources = [endpoint];

async function select(query, context = { sources }) {
  const bindings = await (await engine.queryBindings(query, context)).toArray();
  return bindings.map((row) => row.get("o").value);
}

await engine.queryVoid('INSERT DATA { <http://s/a> <http://p> "one", "two" }', { sources, destination: endpoint });
assert.deepEqual(await select("SELECT ?o { <http://s/a> <http://p> ?o } ORDER BY ?o"), ["one", "two"]);
assert.deepEqual(await select("SELECT ?o { ?s <http://p> ?o FILTER(STRLEN(?o) = 3) } ORDER BY DESC(?o)"), ["two", "one"]);
assert.equal(await engine.queryBoolean("ASK { <http://s/a> ?p ?o }", { sources }), true);
const quads = await (await engine.queryQuads("CONSTRUCT WHERE { ?s ?p ?o }", { sources })).toArray();
assert.equal(quads.length, 2);

const made = await fetch(`${node}/fleet/branches`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ name: "draft" }),
});
assert.equal(made.status, 201);
const draft = `${node}/fleet@draft/sparql`;
await engine.queryVoid('DELETE DATA { <http://s/a> <http://p> "one" }', { sources: [draft], destination: draft });
const onlyOnMain = `SELECT ?o { SERVICE <${endpoint}> { ?s <http://p> ?o }
  MINUS { SERVICE <${draft}> { ?s <http://p> ?o } } }`;
assert.deepEqual(await select(onlyOnMain, { sources: [endpoint, draft] }), ["one"]);

await assert.rejects(engine.queryBindings("SELECT * { ?s", { sources }));
await assert.rejects(select("SELECT ?o { ?s ?p ?o }", { sources: [{ type: "sparql", value: `${node}/nowhere/sparql` }] }));
