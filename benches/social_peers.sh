#!/usr/bin/env bash
# The Cypher benchmark's social graph in Reefloom and its peers, in one run: load, size, and every query with the same parameters, all
# driven in process; and Reefloom once more over Bolt, by Neo4j's driver. Prints processor time per execution, the ratio, and whether the
# hashes over all rows are equal.
# usage: benches/social_peers.sh [SCALE]      SCALE: tiny, small or full (as a rule)      needs python3; installs PyPI `ladybug`, `neo4j` and
# `numpy` into target/peers, and `grafeo`, where Python is 3.12 or later and the graph not the full one, which it does not master.
# QUERIES names another file of queries, such as benches/social/more_queries.json. PYTHON names another python3, REEFLOOM_BINARY a binary to load and serve with instead of building one. TIMEOUT: seconds that a peer may
# take for a query (180).
set -euo pipefail
cd "$(dirname "$0")/.."
scale=${1:-full}
bench=${REEFLOOM_BENCH:-../shared/bench}/social
work=target/peers
data=$work/social-$scale
mkdir -p "$work"
if [ -n "${QUERIES:-}" ]; then
  # The runners read what lies beside them.
  mkdir -p "$work/asked/social"
  for file in "$bench"/*.py; do ln -sf "$(realpath "$file")" "$work/asked/social/"; done
  ln -sf "$(realpath "$QUERIES")" "$work/asked/social/queries.json"
  export REEFLOOM_BENCH=$PWD/$work/asked
  bench=$REEFLOOM_BENCH/social
fi
python=$work/venv/bin/python
is_new() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2> /dev/null; }
if [ ! -x "$python" ]; then
  for found in ${PYTHON:-python3 python3.14 python3.13 python3.12}; do ! is_new "$found" || break; done
  is_new "$found" || found=${PYTHON:-python3}
  "$found" -m venv "$work/venv"
fi
"$python" -c 'import ladybug, neo4j, numpy' 2> /dev/null || "$work/venv/bin/pip" -q install ladybug neo4j numpy
peers=(ladybug)
if [ "$scale" != full ]; then
  if is_new "$python"; then
    "$python" -c 'import grafeo' 2> /dev/null || "$work/venv/bin/pip" -q install grafeo
    peers+=(grafeo)
  else
    echo "SKIPPED: grafeo needs Python 3.12; remove $work/venv, and name one by PYTHON"
  fi
fi
[ -f "$data/MANIFEST.json" ] || "$python" "$bench/gen.py" "$data" --scale "$scale" --seed 42
reefloom=${REEFLOOM_BINARY:-target/release/reefloom}
[ -n "${REEFLOOM_BINARY:-}" ] || cargo build --release --locked
rm -rf "$work/social-reefloom" "$work/social-bolt" "$work/ladybug.lbdb"* "$work/ladybug.json" "$work/grafeo.json"

echo "== load"
"$reefloom" --data "$work/social-reefloom" init social > /dev/null
headers=benches/social
arguments=()
for label in Country City Tag Person Post; do
  file=${label,,}.csv
  arguments+=(--nodes "$label=$headers/$file,$data/$file")
done
for pair in KNOWS=knows LIKES=likes HAS_TAG=post_hasTag HAS_INTEREST=person_hasInterest; do
  file=${pair#*=}.csv
  arguments+=(--relationships "${pair%=*}=$headers/$file,$data/$file")
done
python3 -c 'import resource, subprocess, sys, time
begun = time.time()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"reefloom: {time.time() - begun:.1f} s, {used.ru_utime + used.ru_stime:.1f} CPU s, {used.ru_maxrss // 1024} MiB at most")' \
  "$reefloom" --data "$work/social-reefloom" load --auto-skip-subsequent-headers "${arguments[@]}"
echo "reefloom: $(du -sb "$work/social-reefloom" | cut -f1) bytes"

echo "== queries"
# Over Bolt a copy is asked: the queries that write come last, and what they write must not meet those of the next run.
cp -r "$work/social-reefloom" "$work/social-bolt"
cargo bench --locked --bench social -- "$data" "$work/social-reefloom" | tee "$work/reefloom-social.txt"
for peer in "${peers[@]}"; do
  database=()
  [ "$peer" = grafeo ] || database=(--db "$work/$peer.lbdb")
  "$python" "$bench/run.py" "$peer" "$data" "$work/$peer.json" "${database[@]}" --timeout "${TIMEOUT:-180}" 2> /dev/null
done
echo "ladybug: $(du -cb "$work"/ladybug.lbdb* | tail -n 1 | cut -f1) bytes"

echo "== queries over Bolt"
address=127.0.0.1:17687
"$reefloom" --data "$work/social-bolt" serve --offline --http 127.0.0.1:0 --bolt "$address" > "$work/bolt.log" 2>&1 &
server=$!
trap 'kill "$server" 2> /dev/null || true' EXIT
for _ in $(seq 100); do ! (: > "/dev/tcp/${address/://}") 2> /dev/null || break; sleep 0.1; done
"$python" benches/social_bolt.py "bolt://$address" "$data" "$server" | tee "$work/bolt-social.txt"
kill "$server"
wait "$server" || true

# Prints the queries of one result, the ratio of another's processor time to its own, and where their answers differ.
compare() { python3 - "$1" "$2" << 'PYTHON'
import json, math, re, sys

def read(path):
    if path.endswith(".json"):
        return json.load(open(path))["queries"]
    lines = re.findall(r"^(\S+) cpu ([\d.]+) ms.* hash (\S+)$", open(path).read(), re.MULTILINE)
    return {name: {"cpu_ms_per_exec": float(cpu), "hash": digest} for name, cpu, digest in lines}

ratios = []
ours, others = map(read, sys.argv[1:])
for name, our in ours.items():
    cpu, other = our["cpu_ms_per_exec"], others.get(name, {"error": "not run"})
    if "error" in other:
        print(f"{name}: {cpu:.3f} ms, the other: {other['error']}")
        continue
    same = "" if our["hash"] in ("-", other["hash"]) else "  DIFFERENT ANSWERS"
    ratios.append(other["cpu_ms_per_exec"] / cpu)
    print(f"{name}: {cpu:.3f} ms, the other {other['cpu_ms_per_exec']:.3f} ms, {ratios[-1]:.2f} times{same}")
print(f"geometric mean of the ratios: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")
PYTHON
}
for peer in "${peers[@]}"; do
  echo "== Reefloom beside $peer"
  python3 -c 'import json, sys; print("load, CPU s:", round(json.load(open(sys.argv[1]))["load"]["cpu_s"], 1))' "$work/$peer.json"
  compare "$work/reefloom-social.txt" "$work/$peer.json"
done
for other in ladybug.json reefloom-social.txt; do
  echo "== Reefloom's server over Bolt beside ${other%%[.-]*} in process"
  compare "$work/bolt-social.txt" "$work/$other"
done
