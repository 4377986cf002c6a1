"""Several questions to the store at the same time: each of them mostly waits for its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_QUESTIONS = 8

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def at_once(ask: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
    """The answer for each item, in their order; the first error is raised.

    :param ask: safe to call from several threads.
    """
    with ThreadPoolExecutor(_QUESTIONS, "ask-store") as pool:
        return list(pool.map(ask, items))
