"""The program behind `wheelyard compare`: `python -m worker.comparison ORDER`, where ORDER is JSON.

Standard error has a line for each step; standard output has the comparison as one line of JSON, or the error.
"""

from __future__ import annotations

import json
import signal
import sys
from types import FrameType

from wheelyard.comparison.order import ComparisonOrder
from wheelyard.errors import Cancelled, EngineFailed, WheelyardError
from wheelyard.settings import read_settings
from worker.comparison.comparison import compare
from worker.engine.command import CommandEngine
from worker.engine.detect import detect_engine


def main() -> int:
    """Compare; the exit status is the one that the error stands for."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        order = ComparisonOrder.from_document(json.loads(sys.argv[1]))
        engine = detect_engine(read_settings(engine=order.engine))
        if not isinstance(engine, CommandEngine):
            raise EngineFailed("only the docker and podman commands can build images to compare")
        comparison = compare(order, read_settings(), engine, _say)
    except KeyboardInterrupt:
        return _fail(Cancelled("the comparison was interrupted", found="what it had made is removed"))
    except WheelyardError as error:
        return _fail(error)
    print(json.dumps({"comparison": comparison.to_document()}))
    return 0


def _fail(error: WheelyardError) -> int:
    print(json.dumps({"error": error.to_document()}))
    return error.exit_code


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A second signal must not keep the first from cleaning up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
