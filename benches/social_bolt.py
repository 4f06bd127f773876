#!/usr/bin/env python3
"""How much does it cost to ask the Cypher benchmark's queries over Bolt, by Neo4j's driver for Python?

usage: benches/social_bolt.py URI DATA PID [--only q01,q02]

URI is a server that the data in DATA was loaded into, PID its process on this machine. Runs each query of the shared bench's
queries.json as its run.py does: the same parameters in the same turns, as often, each in a transaction of its own, and the same hash
over all rows. run.py measures its own process alone, which here is the client's half; this tells the server's processor time beside
it. Prints a line a query as benches/social.rs does: processor time per execution of the server, then of the client (the driver, the
rounding and the hash), the median from sending a query to holding its rows, and the hash."""
import argparse
import hashlib
import json
import os
import statistics
import time

import neo4j

BENCH = os.environ.get("REEFLOOM_BENCH", os.path.join(os.path.dirname(__file__), "../../shared/bench"))
# A query is not begun again after so many seconds, once it ran twice.
LONG_S = 60


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("data")
    parser.add_argument("pid", type=int)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    with open(os.path.join(BENCH, "social/queries.json")) as file:
        queries = json.load(file)["queries"]
    with open(os.path.join(options.data, "MANIFEST.json")) as file:
        sets = parameter_sets(json.load(file)["params"])
    with neo4j.GraphDatabase.driver(options.uri, auth=None) as driver, driver.session() as session:
        for query in queries:
            if not options.only or query["id"].split("_")[0] in options.only.split(","):
                try:
                    print(measure(session, query, sets[query["pset"]], options.pid), flush=True)
                except neo4j.exceptions.Neo4jError as error:
                    print(f"{query['id']} failed: {error.code} {error.message}", flush=True)


def parameter_sets(listed):
    """Returns the parameters that a query is given in turns, by the name of their set."""
    return {
        "none": [{}],
        "starts": [{"id": id} for id in listed["starts"]],
        "pairs": [{"a": a, "b": b} for a, b in listed["pairs"]],
        "seq": [{"n": n} for n in range(50_000_000, 50_100_000)],
    }


def measure(session, query, parameters, pid):
    writes = query.get("write", False)
    if not writes:
        run(session, query["cypher"], parameters[0])
    digest, times, row_count = hashlib.sha256(), [], 0
    begun, client, server = time.perf_counter(), time.process_time(), cpu_time(pid)
    for repetition in range(query["reps"]):
        sent = time.perf_counter()
        rows = run(session, query["cypher"], parameters[repetition % len(parameters)])
        times.append(time.perf_counter() - sent)
        row_count += len(rows)
        if not writes:
            digest.update(json.dumps(rounded(rows), default=str).encode())
        if time.perf_counter() - begun > LONG_S and repetition >= 1:
            break
    client, server = ((after - before) / len(times) * 1e3
                      for after, before in [(time.process_time(), client), (cpu_time(pid), server)])
    median, worst = statistics.median(times) * 1e3, max(times) * 1e3
    shown = "-" if writes else digest.hexdigest()[:12]
    return (f"{query['id']} cpu {server:.3f} ms, client {client:.3f} ms, median {median:.3f} ms, worst {worst:.3f} ms, "
            f"n {len(times)}, rows {row_count}, hash {shown}")


def run(session, text, parameters):
    return [list(record.values()) for record in session.run(text, parameters)]


def rounded(rows):
    """Sums of floats depend on the order of their parts."""
    return [[round(value, 6) if isinstance(value, float) else value for value in row] for row in rows]


def cpu_time(pid):
    """Returns the seconds of processor time that a process has used so far, all its threads together.

    The clock is the one that clock_getcpuclockid(3) gives on Linux: it counts nanoseconds, where /proc/PID/stat counts hundredths of
    seconds, and threads that have ended, whom /proc/PID/task no longer has."""
    return time.clock_gettime(~pid << 3 | 2)


main()
