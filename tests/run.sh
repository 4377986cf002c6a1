#!/bin/bash
# Runs every test: those with stacks of containers beside all others, since neither of the two fills two cores.
# With arguments it is one pytest with them.
set -uo pipefail
cd "$(dirname "$0")/.."

pytest=(.venv/bin/python -m pytest)
if [ $# -gt 0 ]; then
    exec "${pytest[@]}" "$@"
fi
log=$(mktemp)
"${pytest[@]}" -p no:cacheprovider tests/chaos tests/e2e >"$log" 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null; wait "$beside"; rm -f "$log"' EXIT
"${pytest[@]}" tests/contract tests/integration tests/unit
here=$?
wait "$beside"
there=$?
echo "the tests with stacks of containers, which ran beside these:"
cat "$log"
exit $((here || there))
