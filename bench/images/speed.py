"""How long an image takes: ours in four situations, the engine's build of the same wheels in two."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.images.engine_build import engine_build
from bench.images.figures import Figure, median_of
from bench.images.ours import Ours
from bench.images.projects import CHANGES, changed_set
from wheelyard.answers import BuiltWheel

_REPEATS = 5
_CACHED_AIM, _WHEELS_AIM, _CHANGED_AIM, _TIMES_AIM = 1.0, 15.0, 3.0, 20.0


def measure_speed(own: Ours, projects: Sequence[str], folder: Path, toolchain: str) -> list[Figure]:
    """All situations, each repeated where it can be."""
    wheels = own.build(projects)
    changed = {change: own.build(changed_set(projects, change)) for change in CHANGES}
    own.image(projects)
    cached = median_of(
        "ours: wheels and layers cached", [own.image(projects).seconds for _ in range(_REPEATS)], _CACHED_AIM
    )
    tested = own.image(projects, smoke_test=True).seconds
    loaded = own.command(projects, "--load", "--no-smoke-test")
    after = median_of(
        "ours: one requirement changed, its wheel cached, its layer not",
        [_change(own, projects, wheels, change, changed[change]) for change in CHANGES],
        _CHANGED_AIM,
    )
    unlocked = median_of(
        "ours: the same in a set that was never locked",
        [_change(own, projects, wheels, change, changed[change], locked=False) for change in CHANGES],
    )
    bare = []
    for _ in range(2):
        own.bucket.forget_wheel_layers()
        bare.append(own.image(projects).seconds)
    with engine_build(folder / "engine", toolchain) as engine:
        cold = engine.build(own, wheels)
        rebuilt = median_of(
            "engine: the same change", [engine.build(own, changed[change]) for change in CHANGES]
        )
    return [
        cached,
        Figure(what="ours: the same with the smoke test", value=round(tested, 3), unit="s"),
        Figure(what="ours: the same with the command, into the engine", value=round(loaded, 3), unit="s"),
        median_of("ours: only the wheels cached", bare, _WHEELS_AIM),
        after,
        unlocked,
        Figure(what="engine: two stages, the wheels at hand, nothing built", value=round(cold, 3), unit="s"),
        rebuilt,
        _times("engine's build over ours, with all that is cached here", cold, cached, _TIMES_AIM),
        _times("engine's rebuild over ours, with all that is cached here", rebuilt.value, cached, _TIMES_AIM),
        _times("engine's rebuild over ours, after the same change", rebuilt.value, after),
    ]


def _change(
    own: Ours,
    projects: Sequence[str],
    wheels: Sequence[BuiltWheel],
    change: str,
    changed: Sequence[BuiltWheel],
    *,
    locked: bool = True,
) -> float:
    """Seconds of an image with one requirement in another version, whose layer is taken out first.

    :param wheels: of the set before the change.
    :param changed: of the set after it.
    """
    known = {wheel.digest for wheel in wheels}
    own.bucket.forget_wheel_layers(frozenset(one.digest for one in changed if one.digest not in known))
    # A constraint on a project that is not in the set changes nothing but the question.
    more = {} if locked else {"constraints": [f"wheelyard-bench-none!=0.{time.time_ns()}"]}
    return own.image(changed_set(projects, change), **more).seconds


def _times(what: str, peer: float, own: Figure, aim: float = 0.0) -> Figure:
    return Figure(what=what, value=round(peer / own.value, 1), unit="times", aim=aim)
