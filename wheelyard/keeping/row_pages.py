"""Rows of a large table, a page at a time: no cursor has to be held open, and no table fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

_PAGE = 1000


def rows_by(
    session: Session, query: Select[*tuple[Any, ...]], *keys: InstrumentedAttribute[Any]
) -> Iterator[Any]:
    """Every row of a query, sorted by its keys.

    :param query: of one entity, or of columns with the keys among them.
    :param keys: columns that tell every row from the others.
    """
    last: tuple[Any, ...] | None = None
    while True:
        page = query.order_by(*keys).limit(_PAGE)
        if last is not None:
            page = page.where(tuple_(*keys) > tuple_(*last))
        found = session.execute(page).all()
        for row in found:
            yield row[0] if len(row) == 1 else row
        if len(found) < _PAGE:
            return
        last = _keys_of(found[-1], keys)
        session.expunge_all()


def _keys_of(row: Any, keys: tuple[InstrumentedAttribute[Any], ...]) -> tuple[Any, ...]:
    source = row[0] if len(row) == 1 else row
    return tuple(getattr(source, key.key) for key in keys)
