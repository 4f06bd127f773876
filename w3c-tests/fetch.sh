#!/bin/sh
# Fetches the conformance suites at the commits that the expected-failure lists are made for.
#
#     w3c-tests/fetch.sh [folder]      (../shared/suites by default)
#
# Then: REEFLOOM_W3C_TESTS=<folder>/rdf-tests cargo test --test w3c
set -eu

folder=${1:-$(dirname "$0")/../../shared/suites}

fetch() { # repository commit name
    if [ -e "$folder/$3" ]; then
        echo "$folder/$3 is there already"
        return
    fi
    mkdir -p "$folder"
    git init --quiet "$folder/$3"
    git -C "$folder/$3" fetch --quiet --depth 1 "https://github.com/$1" "$2" ||
        git -C "$folder/$3" fetch --quiet "https://github.com/$1"
    git -C "$folder/$3" checkout --quiet "$2"
    echo "$folder/$3: $1 at $2"
}

fetch w3c/rdf-tests ad541a5f rdf-tests
fetch opencypher/openCypher 677cbaf opencypher
