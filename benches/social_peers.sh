#!/usr/bin/env bash
# The Cypher benchmark's social graph in Reefloom and its peers, in one run: load, size, and every query with the same parameters, all
# driven in process. Prints processor time per execution, the ratio, and whether the hashes over all rows are equal.
# usage: benches/social_peers.sh [SCALE]      SCALE: tiny, small or full (as a rule)      needs python3; installs PyPI `ladybug` and
# `numpy` into target/peers, and `grafeo`, where Python is 3.12 or later and the graph not the full one, which it does not master.
# PYTHON names another python3, REEFLOOM_BINARY a binary to load with instead of building one. TIMEOUT: seconds that a peer may take for
# a query (180).
set -euo pipefail
cd "$(dirname "$0")/.."
scale=${1:-full}
bench=${REEFLOOM_BENCH:-../shared/bench}/social
work=target/peers
data=$work/social-$scale
mkdir -p "$work"
[ -x "$work/venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -c 'import ladybug, numpy' 2> /dev/null || "$work/venv/bin/pip" -q install ladybug numpy
peers=(ladybug)
if [ "$scale" != full ] && "$work/venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then
  "$work/venv/bin/python" -c 'import grafeo' 2> /dev/null || "$work/venv/bin/pip" -q install grafeo
  peers+=(grafeo)
fi
[ -f "$data/MANIFEST.json" ] || "$work/venv/bin/python" "$bench/gen.py" "$data" --scale "$scale" --seed 42
reefloom=$PWD/${REEFLOOM_BINARY:-target/release/reefloom}
[ -n "${REEFLOOM_BINARY:-}" ] || cargo build --release --locked
rm -rf "$work/social-reefloom" "$work/ladybug.lbdb"* "$work/ladybug.json" "$work/grafeo.json"

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
cargo bench --locked --bench social -- "$data" "$work/social-reefloom" | tee "$work/reefloom-social.txt"
for peer in "${peers[@]}"; do
  database=()
  [ "$peer" = grafeo ] || database=(--db "$work/$peer.lbdb")
  "$work/venv/bin/python" "$bench/run.py" "$peer" "$data" "$work/$peer.json" "${database[@]}" --timeout "${TIMEOUT:-180}" 2> /dev/null
done
echo "ladybug: $(du -cb "$work"/ladybug.lbdb* | tail -n 1 | cut -f1) bytes"

for peer in "${peers[@]}"; do
  echo "== Reefloom beside $peer"
  python3 - "$work/reefloom-social.txt" "$work/$peer.json" << 'PYTHON'
import json, math, re, sys
peers = json.load(open(sys.argv[2]))
print("load, CPU s:", round(peers["load"]["cpu_s"], 1))
ratios = []
for line in open(sys.argv[1]):
    match = re.match(r"(\S+) cpu ([\d.]+) ms.* hash (\S+)", line)
    if not match:
        continue
    name, cpu, digest = match[1], float(match[2]), match[3]
    peer = peers["queries"].get(name, {})
    if "error" in peer or not peer:
        print(f"{name}: {cpu:.3f} ms, the peer: {peer.get('error', 'not run')}")
        continue
    same = "" if digest in ("-", peer["hash"]) else "  DIFFERENT ANSWERS"
    ratios.append(peer["cpu_ms_per_exec"] / cpu)
    print(f"{name}: {cpu:.3f} ms, the peer {peer['cpu_ms_per_exec']:.3f} ms, {ratios[-1]:.2f} times{same}")
print(f"geometric mean of the ratios: {math.exp(sum(map(math.log, ratios)) / len(ratios)):.2f}")
PYTHON
done
