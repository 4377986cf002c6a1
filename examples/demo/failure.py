"""What ends the demo early: one sentence, what is known of the cause, and the exit status."""

from __future__ import annotations


class DemoFailed(Exception):
    """A phase did not end as it must.

    :param words: what failed.
    :param cause: more of it, any number of lines.
    :param status: exit status of the demo; the wheelyard command's own where one failed.
    """

    def __init__(self, words: str, cause: str = "", status: int = 1) -> None:
        super().__init__(words)
        self.words = words
        self.cause = cause
        self.status = status
