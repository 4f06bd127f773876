"""rdflib's SPARQLStore and SPARQLUpdateStore: a node as the backend of rdflib's graphs."""

import sys
from urllib.error import HTTPError

from rdflib import Dataset, Graph, Literal, URIRef
from rdflib.plugins.stores.sparqlstore import SPARQLStore, SPARQLUpdateStore

node = sys.argv[1]
s, p, q = URIRef("http://s/a"), URIRef("http://p"), URIRef("http://q")
name = URIRef("http://g")

store = SPARQLUpdateStore(f"{node}/sparql", f"{node}/sparql", autocommit=True)
default = Dataset(store=store, default_union=False)
named = Graph(store=store, identifier=name)
named.add((s, p, Literal("naïve\n\"quoted\"")))
named.add((s, q, Literal("chat", lang="fr")))
assert set(named.objects(s)) == {Literal("naïve\n\"quoted\""), Literal("chat", lang="fr")}, set(named)
assert len(named) == 2
assert (s, q, Literal("chat", lang="fr")) in named
named.remove((s, q, None))
assert len(named) == 1
assert [graph.identifier for graph in default.graphs() if graph.identifier == name] == [name]
store.update("INSERT DATA { <http://s/b> <http://p> 1 }")

for format in ("json", "xml", "csv", "tsv"):
    reading = SPARQLStore(f"{node}/sparql", returnFormat=format)
    rows = list(reading.query("SELECT ?s ?o { ?s <http://p> ?o }"))
    assert [str(row[0]) for row in rows] == ["http://s/b"], (format, rows)
reading = SPARQLStore(f"{node}/sparql")
assert reading.query("ASK { GRAPH <http://g> { <http://s/a> ?p ?o } }").askAnswer
constructed = reading.query("CONSTRUCT { ?s ?p ?o } { GRAPH <http://g> { ?s ?p ?o } }").graph
assert len(constructed) == 1, constructed.serialize()

by_address = Graph().parse(f"{node}/rdf-graph-store?graph=http://g")
assert set(by_address) == set(named), by_address.serialize()

# Of a query's 400 the store makes an error of its own; an update's comes through.
try:
    reading.query("SELECT * { ?s")
except ValueError:
    pass
else:
    raise AssertionError("no error")
try:
    store.update("INSERT DATA {")
except HTTPError as error:
    assert error.code == 400 and "line" in error.read().decode(), error
else:
    raise AssertionError("no error")
