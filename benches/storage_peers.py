#!/usr/bin/env python3
"""Loading, size, memory and cold start beside Oxigraph, in one run.

usage: benches/storage_peers.py [ROUNDS]

Loads bsbm1m by turns with both, then five renamed copies of it, once freely and once in a control group of 512 MiB
(which takes root), and asks one question of a store that nobody has open. Prints medians and ratios. Takes PyPI's
`oxigraph` from target/peers/venv, where benches/sparql_peers.sh puts it. REEFLOOM_BINARY names the binary to measure."""
import os, shutil, statistics, subprocess, sys, time
from pathlib import Path

root = Path(__file__).resolve().parent.parent
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
work = root / "target/peers"
work.mkdir(parents=True, exist_ok=True)
reefloom = os.environ.get("REEFLOOM_BINARY", str(root / "target/release/reefloom"))
oxigraph = work / "venv/bin/oxigraph"
if not oxigraph.exists():
    subprocess.run([sys.executable, "-m", "venv", work / "venv"], check=True)
    subprocess.run([work / "venv/bin/pip", "-q", "install", "oxigraph"], check=True)
packed = Path(os.environ.get("REEFLOOM_BENCH", root.parent / "shared/bench")) / "sparql/bsbm1m.nt.zst"
one, five = work / "bsbm1m.nt", work / "bsbm5m.nt"
if not one.exists():
    subprocess.run(["zstd", "-qd", packed, "-o", one], check=True)
if not five.exists():
    with open(five, "wb", buffering=1 << 22) as out:
        for copy in range(5):
            renamed = b"/instances%d/" % copy if copy else b"/instances/"
            for line in open(one, "rb"):
                out.write(line.replace(b"/instances/", renamed))


def run(*command, group=None):
    """Returns seconds, CPU seconds, the most MiB of memory and the output."""
    def enter():
        if group:
            (group / "cgroup.procs").write_text(str(os.getpid()))
    started = time.time()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=enter)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: {errors.decode()[-500:]}")
    return time.time() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024, output.decode()


def size(folder):
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def load_ours(file, group=None):
    folder = work / "reefloom"
    shutil.rmtree(folder, ignore_errors=True)
    run(reefloom, "--data", folder, "init", "bench", group=group)
    return run(reefloom, "--data", folder, "load", file, group=group)[:3] + (size(folder),)


def load_theirs(file):
    folder = work / "oxigraph"
    shutil.rmtree(folder, ignore_errors=True)
    return run(oxigraph, "load", "--location", folder, "--file", file)[:3] + (size(folder),)


def show(name, count, results):
    seconds, cpu, memory, disk = (statistics.median(column) for column in zip(*results))
    print(f"{name}: {seconds:.2f} s ({count / seconds:,.0f} triples/s), {cpu:.2f} CPU s, {memory:.0f} MiB, {disk / count:.1f} bytes a triple", flush=True)
    return seconds


triples = sum(1 for _ in open(one, "rb"))
ours, theirs = [], []
for _ in range(rounds):
    ours.append(load_ours(one))
    theirs.append(load_theirs(one))
a, b = show("reefloom, bsbm1m", triples, ours), show("oxigraph, bsbm1m", triples, theirs)
print(f"load: {b / a:.1f} times Oxigraph's rate")

question = "SELECT ?label { <http://www4.wiwiss.fu-berlin.de/bizer/bsbm/v01/instances/ProductType1> <http://www.w3.org/2000/01/rdf-schema#label> ?label }"
load_ours(one)
cold = [run(reefloom, "--data", work / "reefloom", "query", question)[0] for _ in range(9)]
print(f"cold start to first answer: {statistics.median(cold) * 1e3:.0f} ms, the process included")
trace = subprocess.run(["strace", "-f", "-e", "trace=pread64,read", "-o", work / "trace", reefloom, "--data", work / "reefloom", "query", question], capture_output=True) if shutil.which("strace") else None
if trace:
    read = [int(line.rsplit("= ", 1)[1].split()[0]) for line in open(work / "trace") if "pread64" in line and "= " in line and "= -" not in line]
    print(f"  reads {sum(read) / 1e6:.2f} MB of the store")

c = show("reefloom, five copies", 5 * triples, [load_ours(five)])
print(f"  {(5 * triples / c) / (triples / a):.2f} times the rate of one")
controllers = Path("/sys/fs/cgroup/memory") if Path("/sys/fs/cgroup/memory").is_dir() else Path("/sys/fs/cgroup")
group = controllers / f"reefloom-{os.getpid()}"
try:
    group.mkdir()
    limit = "memory.limit_in_bytes" if controllers.name == "memory" else "memory.max"
    (group / limit).write_text(str(512 << 20))
except OSError as error:
    sys.exit(f"SKIPPED: no control group can be made ({error})")
try:
    show("reefloom, five copies in 512 MiB", 5 * triples, [load_ours(five, group)])
    for query in ["SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "SELECT ?p (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?p", "SELECT DISTINCT ?t { ?s a ?t }"]:
        seconds, _, memory, _ = run(reefloom, "--data", work / "reefloom", "query", query, group=group)
        print(f"  {query}: {seconds:.2f} s, {memory} MiB")
finally:
    group.rmdir()
