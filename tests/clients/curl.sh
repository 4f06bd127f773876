#!/usr/bin/env bash
# curl, as the README and docs/http_api.md use it.
set -euo pipefail
node=$1
ask() { curl -sS --fail-with-body "$@"; }
expect() { [[ "$2" == *"$1"* ]] || { echo "expected $1 in: $2"; exit 1; }; }

expect '"inserted":2' "$(ask "$node/sparql" -H 'Content-Type: application/sparql-update' \
  --data 'INSERT DATA { <http://s/a> <http://p> 1 . GRAPH <http://g> { <http://s/b> <http://p> 2 } }')"
expect '"inserted":1' "$(ask "$node/sparql" --data-urlencode 'update=INSERT DATA { <http://s/c> <http://p> 3 }')"
expect 'http://s/a,1' "$(ask "$node/sparql" -H 'Accept: text/csv' \
  --data-urlencode 'query=SELECT ?s ?o { ?s <http://p> ?o } ORDER BY ?o')"
expect 'http://s/b' "$(ask --get "$node/sparql" --data-urlencode 'query=SELECT ?s { ?s ?p ?o }' \
  --data-urlencode 'default-graph-uri=http://g')"
expect 'http://s/b' "$(ask --compressed "$node/fleet@main/rdf-graph-store?graph=http://g")"
ask -T - "$node/rdf-graph-store?graph=http://g" -H 'Content-Type: text/turtle' <<< '<http://s/d> <http://p> 4 .'
expect 'http://s/d' "$(ask "$node/rdf-graph-store?graph=http://g")"
expect '"deleted":1' "$(ask -X DELETE "$node/rdf-graph-store?graph=http://g")"
expect 'sd:endpoint' "$(ask "$node/sparql" -H 'Accept: text/turtle')"

expect '404' "$(curl -sS -o /dev/null -w '%{http_code}' "$node/rdf-graph-store?graph=http://g")"
expect 'line 1, column ' "$(curl -sS "$node/sparql" -H 'Accept: text/csv' --data-urlencode 'query=SELECT * { ?s')"
expect '406' "$(curl -sS -o /dev/null -w '%{http_code}' "$node/sparql" -H 'Accept: image/png' --data-urlencode 'query=ASK {}')"
