#!/bin/sh
# Fetches the conformance suites at the commits that the expected-failure lists are made for.
#
#     w3c-tests/fetch.sh [folder]      (../shared/suites, beside the repository, by default)
#
# Into another folder, tell the runners:
#
#     REEFLOOM_W3C_TESTS=<folder>/rdf-tests cargo test --test w3c
#     REEFLOOM_OPENCYPHER_TCK=<folder>/opencypher/tck cargo test --test tck
#
# Just the one commit of each is fetched. Where a host hands out no commit by its id, all branches and
# tags are fetched instead, and the commit is taken from them. Should that fail too: clone the
# repository by any means to the place that is named, and check the commit out there.
set -eu

case "$#:${1:-}" in
0: | 1:[!-]*) folder=${1:-$(dirname "$0")/../../shared/suites} ;;
*)
    echo "usage: $0 [folder]" >&2
    exit 2
    ;;
esac

fetch() { # repository, commit, name
    place=$folder/$3
    if [ -e "$place" ]; then
        echo "$place is there already"
        return
    fi
    # Under another name until it is complete, so that what was interrupted is not taken for a suite.
    part=$place.part
    rm -rf "$part"
    mkdir -p "$part"
    git init --quiet "$part"
    git -C "$part" remote add origin "https://github.com/$1"
    git -C "$part" fetch --quiet --depth 1 origin "$2" || git -C "$part" fetch --quiet --tags origin
    git -C "$part" checkout --quiet --detach "$2"
    mv "$part" "$place"
    echo "$place: $1 at $2"
}

fetch w3c/rdf-tests ad541a5f0479f0798608c4801369d97b8e08b36f rdf-tests
fetch opencypher/openCypher 677cbafabb8c3c5eed458fd3b1ec0daec8d67d23 opencypher # its release 2024.3
