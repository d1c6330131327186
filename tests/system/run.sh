#!/bin/sh
# Runs the system tests: the real accountd against a real Kafka broker and a real redis-server.
#
#   tests/system/run.sh                 all of them
#   tests/system/run.sh -m "not long"   without the long ones
#   tests/system/run.sh -k routing      any other pytest arguments; files are named from this directory
#
# Needs python3-venv, maven, a Java runtime (17 or later) and redis-server. The Python packages and the
# broker's jars are fetched once, into build/; what clients in other languages need, by fetched.py. BUILD names the directory that holds the binaries.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
mkdir -p build

# Two runs that start at once must not fetch into the same directories.
exec 9>build/.system-tests.lock
flock 9

if ! cmp -s "$here/requirements.txt" build/venv/requirements.txt; then
    rm -rf build/venv
    /usr/bin/python3 -m venv build/venv
    build/venv/bin/pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" build/venv/requirements.txt
fi

if ! cmp -s "$here/kafka/pom.xml" build/kafka/pom.xml; then
    rm -rf build/kafka
    mvn --quiet --batch-mode -f "$here/kafka/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$root/build/kafka/libs"
    cp "$here/kafka/pom.xml" build/kafka/pom.xml
fi

flock -u 9
exec 9>&-

BUILD=$(cd "${BUILD:-build}" && pwd)
export BUILD
cd "$here"
exec "$root/build/venv/bin/python" -B -m pytest "$@"
