"""The Lua script that tells wrk what to ask for, when, and how to say what it found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_SCRIPT = """
local paths = {%(paths)s}
local headers = {%(headers)s}
local pause = %(pause)f
local asked = {}
local at = 0

function init(args)
  for number, path in ipairs(paths) do asked[number] = wrk.format("GET", path, headers) end
end

function request()
  at = at %% #asked + 1
  return asked[at]
end
%(delay)s
function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %%d, "duration": %%d, "p50": %%d, "p99": %%d, "worst": %%d, "errors": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max, failed))
end
"""
# wrk takes a script that has it for a paced one, also where it says 0.
_DELAY = """
function delay()
  return pause * (0.5 + math.random())
end
"""


def wrk_script(paths: Sequence[str], headers: Mapping[str, str], pause: float) -> str:
    """The script.

    :param pause: milliseconds between an answer and the same client's next request; 0 for none.
    """
    return _SCRIPT % {
        "paths": ",".join(json.dumps(path) for path in paths),
        "headers": ",".join(f"[{json.dumps(name)}]={json.dumps(value)}" for name, value in headers.items()),
        "pause": pause,
        "delay": _DELAY if pause else "",
    }
