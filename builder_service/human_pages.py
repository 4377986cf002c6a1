"""Pages for people: one look, no script and no foreign resource."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

_pages = Environment(
    loader=PackageLoader("builder_service"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_PROGRAMS = "application/vnd.pypi"


def how_long_ago(now: float) -> Callable[[float], str]:
    """A function that says a moment in words people use: `3 min ago`.

    :param now: epoch seconds.
    """

    def words(moment: float) -> str:
        seconds = max(0.0, now - moment)
        for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
            if seconds >= size:
                return f"{int(seconds // size)} {unit} ago"
        return "just now"

    return words


def human_page(template: str, *, status: int = 200, seconds: int = 0, **facts: Any) -> HTMLResponse:
    """A page out of a template.

    :param seconds: for which a copy may be shown; 0 keeps none.
    """
    page = _pages.get_template(template).render(ago=how_long_ago(time.time()), **facts)
    return HTMLResponse(
        page,
        status_code=status,
        headers={
            "Vary": "Accept",
            "Cache-Control": f"max-age={seconds}" if seconds else "no-store",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
            "X-Content-Type-Options": "nosniff",
        },
    )


def is_for_people(accept: str) -> bool:
    """Whether a browser asks: HTML before all else, and anything behind it. No installer asks so.

    :param accept: the header; pip before 22.2 sent `text/html` alone, curl sends `*/*`.
    """
    types = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    return types[0] == "text/html" and "*/*" in types and _PROGRAMS not in accept
