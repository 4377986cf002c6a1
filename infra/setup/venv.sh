#!/bin/bash
# Makes .venv from the lock, every file by hash, and installs this checkout in it; skipped while nothing changed.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3.11}
lock=requirements/dev.txt
stamp=.venv/wheelyard.stamp

# The stamp names all that decides what is in .venv: where it is, its Python, the lock and our own metadata.
wanted=$({ pwd; "$python" -c 'import sys; print(sys.version, sys.base_prefix)'; cat "$lock" pyproject.toml; } |
    sha256sum | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

"$python" -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || {
    printf 'set-up: Wheelyard needs Python 3.11 or newer\n  found: %s\n' "$("$python" --version 2>&1)" >&2
    exit 3
}
echo "set-up: making .venv with $("$python" --version)"
rm -rf .venv
"$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check -qq install --no-input)
"${pip[@]}" --require-hashes -r "$lock"
# The build backend is in the lock too, so nothing is fetched without a hash.
"${pip[@]}" --no-deps --no-build-isolation -e .
printf '%s\n' "$wanted" >"$stamp"
