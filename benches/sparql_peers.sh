#!/usr/bin/env bash
# Loads bsbm1m into Reefloom and Oxigraph and asks both the same queries over HTTP, in one run.
# usage: benches/sparql_peers.sh [RUNS]      needs python3, zstd; installs PyPI `oxigraph` into target/peers
# REEFLOOM_BINARY names a binary to measure instead of building one.
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
rm -rf "$work/reefloom" "$work/oxigraph"

seconds() { python3 -c 'import subprocess,sys,time,resource
t=time.time(); subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL,stderr=subprocess.DEVNULL)
print(f"{time.time()-t:.2f} s, {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss//1024} MiB at most")' "$@"; }
echo "== load of $(wc -l < "$work/bsbm1m.nt") triples"
"$reefloom" --data "$work/reefloom" init bench > /dev/null
echo "reefloom: $(seconds "$reefloom" --data "$work/reefloom" load "$work/bsbm1m.nt")"
echo "oxigraph: $(seconds "$oxigraph" load --location "$work/oxigraph" --file "$work/bsbm1m.nt")"
echo "== disk"
du -sb --apparent-size "$work/reefloom" "$work/oxigraph"

"$reefloom" --data "$work/reefloom" serve --offline --http 127.0.0.1:14242 > "$work/reefloom.log" 2>&1 & ours=$!
"$oxigraph" serve --location "$work/oxigraph" --bind 127.0.0.1:17878 > "$work/oxigraph.log" 2>&1 & theirs=$!
trap 'kill $ours $theirs 2> /dev/null || true' EXIT
for url in http://127.0.0.1:14242/healthz http://127.0.0.1:17878/; do
  for _ in $(seq 100); do curl -fso /dev/null "$url" && break; sleep 0.1; done
done
rm -f "$work"/*.json
python3 "$bench/run.py" reefloom http://127.0.0.1:14242/sparql "$bench/queries" --suites core,lookup --runs "$runs" --timeout 30 --out "$work/reefloom.json"
python3 "$bench/run.py" oxigraph http://127.0.0.1:17878/query "$bench/queries" --suites core,lookup --runs "$runs" --timeout 30 --out "$work/oxigraph.json"
python3 "$bench/compare.py" "$work/oxigraph.json" "$work/reefloom.json"
