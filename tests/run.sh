#!/bin/bash
# Runs every test, in two rows beside each other: neither fills two cores. With arguments it is one pytest with them.
set -uo pipefail
cd "$(dirname "$0")/.."

pytest=(.venv/bin/python -m pytest)
if [ $# -gt 0 ]; then
    exec "${pytest[@]}" "$@"
fi
# Those with a stack of their own that the first row takes, so that both end at about the same time.
taken=(tests/e2e/test_{image_specs,recipes,sameness,sources}.py)
log=$(mktemp)
set -m # a group of its own, which can be told to end and then tears down what it started
{
    # A session for each: the stack that is broken on purpose ends with it, and does not run beside the others.
    "${pytest[@]}" -p no:cacheprovider tests/chaos
    broken=$?
    "${pytest[@]}" -p no:cacheprovider tests/e2e "${taken[@]/#/--ignore=}"
    exit $((broken || $?))
} </dev/null >"$log" 2>&1 &
beside=$!
trap 'kill -INT -- "-$beside" 2>/dev/null; wait "$beside"; rm -f "$log"' EXIT
"${pytest[@]}" tests/contract tests/integration tests/unit "${taken[@]}"
here=$?
wait "$beside"
there=$?
echo "the tests with stacks of containers, which ran beside these:"
cat "$log"
exit $((here || there))
