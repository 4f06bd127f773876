"""Neo4j's driver against a node that asks for tokens and speaks TLS. Called with the address and the
token of `anna`; each function is a case. SSL_CERT_FILE names the node's certificate."""

import sys
import time

import neo4j
from neo4j import GraphDatabase
from neo4j.exceptions import AuthError, DriverError

ADDRESS, TOKEN = sys.argv[1:]


def connect(scheme, auth):
    return GraphDatabase.driver(f"{scheme}://{ADDRESS}", auth=auth, connection_timeout=5)


def user(scheme, auth):
    with connect(scheme, auth) as driver:
        driver.verify_connectivity()
        records, _, _ = driver.execute_query("SHOW CURRENT USER YIELD user", database_="fleet")
        return [record["user"] for record in records]


def a_trusted_certificate_and_a_token_let_in():
    for scheme in ["bolt+s", "neo4j+s"]:
        assert user(scheme, ("anna", TOKEN)) == ["anna"]
        assert user(scheme, neo4j.bearer_auth(TOKEN)) == ["anna"]


def any_certificate_will_do_for_who_says_so():
    for scheme in ["bolt+ssc", "neo4j+ssc"]:
        assert user(scheme, ("anna", TOKEN)) == ["anna"]


def without_the_token_nobody_comes_in():
    for auth in [None, ("anna", "guess"), ("bert", TOKEN), neo4j.bearer_auth("guess")]:
        with connect("bolt+s", auth) as driver:
            try:
                driver.verify_connectivity()
            except AuthError as error:
                assert error.code == "Neo.ClientError.Security.Unauthorized", error
                continue
        raise AssertionError(f"{auth} came in")


def without_tls_nobody_is_understood():
    with connect("bolt", ("anna", TOKEN)) as driver:
        try:
            driver.verify_connectivity()
        except DriverError:
            return
    raise AssertionError("it was understood")


def large_results_come_whole():
    with connect("bolt+s", ("anna", TOKEN)) as driver, driver.session(database="fleet") as session:
        result = session.run("UNWIND range(1, 100000) AS n RETURN n, 'some text ' + n AS t")
        assert sum(row["n"] for row in result) == 100000 * 100001 // 2
        text = "x" * 1_000_000
        assert session.run("RETURN size($text)", text=text).single()[0] == len(text)


for case in [a_trusted_certificate_and_a_token_let_in, any_certificate_will_do_for_who_says_so,
             without_the_token_nobody_comes_in, without_tls_nobody_is_understood, large_results_come_whole]:
    began = time.monotonic()
    case()
    print(f"{case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
