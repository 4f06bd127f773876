#!/usr/bin/env bash
# Loads bsbm1m into Reefloom, Oxigraph and Virtuoso, and asks all the same queries over HTTP, in one run: the shared
# sets `core` and `lookup`, and the wide set of benches/sparql/queries.py. Then eight clients at once ask the first two.
# usage: [SUITES=core,lookup,wide] benches/sparql_peers.sh [RUNS]      needs python3, zstd; installs PyPI `oxigraph` into target/peers
# REEFLOOM_BINARY names a binary to measure instead of building one. Virtuoso is measured if `virtuoso-t` and
# `isql-vt` are on the path (Debian: virtuoso-opensource), or in the folder VIRTUOSO.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
bench=${REEFLOOM_BENCH:-../shared/bench}/sparql
work=target/peers
mkdir -p "$work"
[ -x "$work/venv/bin/oxigraph" ] || { python3 -m venv "$work/venv"; "$work/venv/bin/pip" -q install oxigraph; }
oxigraph=$work/venv/bin/oxigraph
reefloom=${REEFLOOM_BINARY:-target/release/reefloom}
[ -n "${REEFLOOM_BINARY:-}" ] || cargo build --release --locked
[ -f "$work/bsbm1m.nt" ] || zstd -qd "$bench/bsbm1m.nt.zst" -o "$work/bsbm1m.nt"
rm -rf "$work/reefloom" "$work/oxigraph" "$work/virtuoso" "$work/queries" "$work"/*.json
PATH=$PATH${VIRTUOSO:+:$VIRTUOSO}
graph=http://bench
cp -r "$bench/queries" "$work/queries"
python3 benches/sparql/queries.py "$work/queries"

servers=()
trap 'kill "${servers[@]}" 2> /dev/null || true' EXIT
seconds() { python3 -c 'import subprocess,sys,time,resource
t=time.time(); subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)
print(f"{time.time()-t:.2f} s, {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024} MiB at most")' "$@"; }
await() { for _ in $(seq 300); do curl -fso /dev/null "$1" && return; sleep 0.1; done; echo "$1 does not answer"; exit 1; }

echo "== load of $(wc -l < "$work/bsbm1m.nt") triples"
"$reefloom" --data "$work/reefloom" init bench > /dev/null
echo "reefloom: $(seconds "$reefloom" --data "$work/reefloom" load "$work/bsbm1m.nt")"
echo "oxigraph: $(seconds "$oxigraph" load --location "$work/oxigraph" --file "$work/bsbm1m.nt")"
"$reefloom" --data "$work/reefloom" serve --offline --http 127.0.0.1:14242 > "$work/reefloom.log" 2>&1 & servers+=($!)
"$oxigraph" serve --location "$work/oxigraph" --bind 127.0.0.1:17878 > "$work/oxigraph.log" 2>&1 & servers+=($!)
await http://127.0.0.1:14242/healthz
await http://127.0.0.1:17878/
endpoints=(reefloom http://127.0.0.1:14242/sparql oxigraph http://127.0.0.1:17878/query)

if command -v virtuoso-t > /dev/null && command -v isql-vt > /dev/null; then
  folder=$PWD/$work/virtuoso
  mkdir -p "$folder"
  cat > "$folder/virtuoso.ini" << INI
[Database]
DatabaseFile = $folder/virtuoso.db
ErrorLogFile = $folder/virtuoso.log
LockFile = $folder/virtuoso.lck
TransactionFile = $folder/virtuoso.trx
xa_persistent_file = $folder/virtuoso.pxa
TempStorage = TempDatabase
[TempDatabase]
DatabaseFile = $folder/virtuoso-temp.db
TransactionFile = $folder/virtuoso-temp.trx
[Parameters]
ServerPort = 127.0.0.1:11111
NumberOfBuffers = 170000
MaxDirtyBuffers = 130000
DirsAllowed = $PWD/$work
ThreadsPerQuery = 2
[HTTPServer]
ServerPort = 127.0.0.1:18890
ServerRoot = $folder
ServerThreads = 10
[SPARQL]
ResultSetMaxRows = 2000000
INI
  virtuoso-t +foreground +configfile "$folder/virtuoso.ini" > "$work/virtuoso.out" 2>&1 & servers+=($!)
  await http://127.0.0.1:18890/sparql
  load="ld_dir('$PWD/$work','bsbm1m.nt','$graph'); rdf_loader_run(); checkpoint;"
  echo "virtuoso: $(seconds isql-vt 11111 dba dba "exec=$load")"
  endpoints+=(virtuoso "http://127.0.0.1:18890/sparql?default-graph-uri=$graph")
else
  echo "SKIPPED: virtuoso-t and isql-vt are not here"
fi
echo "== disk"
du -sb --apparent-size "$work/reefloom" "$work/oxigraph" $([ ! -d "$work/virtuoso" ] || echo "$work/virtuoso")

echo "== queries"
# Each query is asked of all in turn: a machine that is slow for a while is slow for each of them.
for suite in $(tr , ' ' <<< "${SUITES:-core,lookup,wide}"); do
  for query in $(ls "$work/queries/$suite"); do
    for ((i = 0; i < ${#endpoints[@]}; i += 2)); do
      python3 "$bench/run.py" "${endpoints[i]}" "${endpoints[i + 1]}" "$work/queries" --suites "$suite" --only "^$query\$" --runs "$runs" \
        --timeout 30 --out "$work/${endpoints[i]}.json" | grep -v '^== ' || true
    done
  done
done
python3 "$bench/compare.py" "$work"/*.json

echo "== eight clients, 30 s each"
for ((i = 0; i < 4; i += 2)); do
  cargo bench --quiet --bench throughput -- "${endpoints[i]}" "${endpoints[i + 1]}" "$bench/queries/lookup"
done
