"""Ratios of one run, beside what was aimed at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.index.downloads import AIM
from bench.index.figures import Figures

_TIMES = {"devpi": 10.0, "pypiserver": 5.0}
_P99_MS = 10.0
_FLAT = 0.8
_START = 1.5


def write_verdicts(
    found: Mapping[str, Sequence[Figures]], speeds: Mapping[str, float]
) -> dict[str, dict[str, float | bool]]:
    """Print each aim with its number, and give them.

    :param found: figures by server, for rising numbers of files.
    :param speeds: megabytes a second of `s3`, `stream` and `redirect`; empty where they were not measured.
    """
    verdicts: dict[str, dict[str, float | bool]] = {}

    def note(what: str, value: float, aim: str, *, reached: bool) -> None:
        verdicts[what] = {"value": round(value, 2), "reached": reached}
        print(f"{what:<64} {value:9.2f}  (aim {aim}: {'reached' if reached else 'MISSED'})")

    ours = found.get("ours", ())
    for mine in ours:
        _beside(mine, found, note)
        for load in ("page 32 paced", "page 32", "metadata 32 paced", "metadata 32"):
            if load in mine.loads:
                p99 = mine.loads[load].p99
                what = f"p99 of {load.replace('32', 'at 32 clients')}, {mine.files} files, ms"
                note(what, p99, f"< {_P99_MS:.0f}", reached=p99 < _P99_MS)
    if len(ours) > 1:
        first, last = ours[0], ours[-1]
        share = last.loads["page 32"].per_second / first.loads["page 32"].per_second
        note(
            f"pages a second, {last.files} over {first.files} files",
            share,
            f"≥ {_FLAT}",
            reached=share >= _FLAT,
        )
        start = last.first_page_seconds / first.first_page_seconds
        note(f"start, {last.files} over {first.files} files", start, f"≤ {_START}", reached=start <= _START)
    for way in ("stream", "redirect"):
        if speeds.get("s3") and way in speeds:
            share = speeds[way] / speeds["s3"]
            note(f"downloads, {way} over S3 itself", share, f"≥ {AIM}", reached=share >= AIM)
    return verdicts


def _beside(mine: Figures, found: Mapping[str, Sequence[Figures]], note: Callable[..., None]) -> None:
    """Our page rates over those of each peer that has as many files, or of as many as it was given."""
    for name, theirs in found.items():
        if name == "ours":
            continue
        fitting = [one for one in theirs if one.files <= mine.files]
        if not fitting:
            continue
        peer = max(fitting, key=lambda one: one.files)
        counts = f"{mine.files} files" + ("" if peer.files == mine.files else f" over its {peer.files}")
        for load in ("page 1", "page 32"):
            times = mine.loads[load].per_second / peer.loads[load].per_second
            aim = _TIMES.get(name, 1.0)
            clients = load.removeprefix("page ")
            what = f"pages a second over {name}'s at {clients} client(s), {counts}"
            note(what, times, f"≥ {aim:.0f}", reached=times >= aim)
