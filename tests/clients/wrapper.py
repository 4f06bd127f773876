"""SPARQLWrapper: queries in its return formats, an update, and the errors it tells apart."""

import sys

from SPARQLWrapper import CSV, GET, JSON, N3, POST, POSTDIRECTLY, RDFXML, TURTLE, XML, SPARQLWrapper
from SPARQLWrapper.SPARQLExceptions import EndPointNotFound, QueryBadFormed

node = sys.argv[1]


def wrapper(text, path="/sparql", method=GET, **kwargs):
    client = SPARQLWrapper(node + path, **kwargs)
    client.setMethod(method)
    client.setQuery(text)
    return client


def raises(error, client):
    try:
        client.query()
    except error as raised:
        return str(raised)
    raise AssertionError(f"no {error.__name__}")


insert = 'INSERT DATA { <http://s/a> <http://p> "å" . GRAPH <http://g> { <http://s/b> <http://p> 2 } }'
wrapper(insert, method=POST).query()
direct = wrapper("INSERT DATA { <http://s/c> <http://p> 3 }", method=POST)
direct.setRequestMethod(POSTDIRECTLY)
direct.query()

select = "SELECT ?s ?o { ?s <http://p> ?o } ORDER BY ?s"
for method in (GET, POST):
    client = wrapper(select, method=method)
    client.setReturnFormat(JSON)
    rows = client.query().convert()["results"]["bindings"]
    assert [row["s"]["value"] for row in rows] == ["http://s/a", "http://s/c"], rows
    assert rows[0]["o"]["value"] == "å", rows

client = wrapper(select)
client.setReturnFormat(XML)
assert "http://s/c" in client.query().convert().toxml()
client.setReturnFormat(CSV)
assert client.query().convert().decode().startswith("s,o\r\nhttp://s/a,"), client.query().convert()

client = wrapper("ASK { <http://s/a> ?p ?o }")
client.setReturnFormat(JSON)
assert client.query().convert()["boolean"] is True

client = wrapper("CONSTRUCT WHERE { ?s ?p ?o }")
for format in (TURTLE, N3):
    client.setReturnFormat(format)
    assert b"http://s/c" in client.query().convert(), format
client.setReturnFormat(RDFXML)
assert len(client.query().convert()) == 2

client = wrapper("SELECT ?s { ?s ?p ?o }", defaultGraph="http://g")
client.setReturnFormat(JSON)
assert client.query().convert()["results"]["bindings"][0]["s"]["value"] == "http://s/b"

assert "line 1, column" in raises(QueryBadFormed, wrapper("SELECT * { ?s"))
raises(EndPointNotFound, wrapper(select, path="/nowhere/sparql"))
