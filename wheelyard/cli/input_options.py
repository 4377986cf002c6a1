"""What is asked for, as every command that builds or plans takes it, and the request that it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from wheelyard.errors import InputError


class BuildDepsFrom(StrEnum):
    """Where build requirements come from."""

    WHEELS = "wheels"
    SOURCE = "source"


Requirements = Annotated[
    list[str] | None,
    typer.Argument(
        help="Requirements such as numpy or 'numpy>=2,<3' (PEP 508), a commit (NAME @ git+https://…@HASH), "
        "or a project's folder (.).",
        metavar="[REQ]...",
    ),
]
RequirementFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--requirement",
        "-r",
        help="Requirements, a lock (pip-tools, uv.lock, pylock.toml) or a pyproject.toml; may be repeated. "
        "`-` is standard input.",
        metavar="FILE",
    ),
]
Constraints = Annotated[
    list[Path] | None,
    typer.Option("--constraint", help="A file that limits versions; may be repeated.", metavar="FILE"),
]
BuildConstraints = Annotated[
    list[Path] | None,
    typer.Option(
        "--build-constraint",
        help="The same for what things are built with; may be repeated.",
        metavar="FILE",
    ),
]
Extras = Annotated[
    list[str] | None,
    typer.Option("--extra", help="Extra of a project or a lock; may be repeated.", metavar="NAME"),
]
Groups = Annotated[
    list[str] | None,
    typer.Option(
        "--group", help="Dependency group of a project or a lock (PEP 735); may be repeated.", metavar="NAME"
    ),
]
Locked = Annotated[
    bool, typer.Option("--locked", help="Refuse what has no exact version and hash in the files.")
]
BuildDeps = Annotated[
    BuildDepsFrom,
    typer.Option(
        "--build-deps",
        help="Where build requirements come from: upstream's wheels, or built here from source, to the root.",
    ),
]
Variants = Annotated[
    list[str] | None,
    typer.Option("--variant", help="Variant of a project's recipe; may be repeated.", metavar="PROJECT=NAME"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the options beside the requirements say, as the command line gave it."""

    constraints: Sequence[Path] = ()
    extras: Sequence[str] = ()
    groups: Sequence[str] = ()
    locked: bool = False
    build_deps: BuildDepsFrom = BuildDepsFrom.WHEELS
    build_constraints: Sequence[Path] = ()
    variants: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        constraints: list[Path] | None,
        extras: list[str] | None,
        groups: list[str] | None,
        *,
        locked: bool,
        build_deps: BuildDepsFrom,
        variants: list[str] | None,
        build_constraints: list[Path] | None = None,
    ) -> Chosen:
        """The same, where an option that was not given is None."""
        return cls(
            constraints=constraints or (), extras=extras or (), groups=groups or (), locked=locked,
            build_deps=build_deps, build_constraints=build_constraints or (), variants=variants or (),
        )  # fmt: skip


NOTHING_CHOSEN = Chosen()


def build_request(
    requirements: list[str] | None,
    files: list[Path] | None,
    toolchain: str,
    channel: str,
    *,
    refresh: bool,
    chosen: Chosen = NOTHING_CHOSEN,
) -> dict[str, Any]:
    """The body of a build request.

    :raises InputError: nothing is asked for, a file can't be read, or a requirement's source is none of ours.
    """
    # Loaded when it is needed: `--help` answers sooner without.
    from wheelyard.inputs.group_markers import Choice
    from wheelyard.inputs.read import read_inputs
    from wheelyard.requirements import normalise_requirements

    choice = Choice.of(chosen.extras, chosen.groups)
    wanted = read_inputs(requirements or (), files or (), chosen.constraints, choice)
    if chosen.locked:
        wanted.require_lock()
    more: dict[str, Any] = {
        "hashes": {project: list(digests) for project, digests in wanted.hashes.items()},
        "variants": variants_field(chosen.variants),
    }
    if wanted.constraints:
        limits = normalise_requirements(str(line.requirement) for line in wanted.constraints)
        more["constraints"] = list(limits)
    if chosen.build_constraints:
        more["build_constraints"] = constraint_lines(chosen.build_constraints)
    if chosen.build_deps is not BuildDepsFrom.WHEELS:
        more["build_deps"] = chosen.build_deps.value
    lines = normalise_requirements((str(line.requirement) for line in wanted.requirements), git=True)
    return {
        "requirements": list(lines),
        "toolchain": toolchain,
        "channel": channel,
        "refresh": refresh,
        **{name: value for name, value in more.items() if value},
    }


def constraint_lines(files: Sequence[Path]) -> list[str]:
    """The versions that constraints files name; none where there is no file.

    :raises InputError: one can't be read.
    """
    from wheelyard.inputs.requirements_file import read_requirements_file
    from wheelyard.requirements import normalise_requirements

    if not files:
        return []
    read = [read_requirements_file(path, constraint=True) for path in files]
    return list(normalise_requirements(str(line.requirement) for one in read for line in one.constraints))


def variants_field(pairs: Sequence[str]) -> dict[str, str]:
    """The field `variants` of a request, by project.

    :raises InputError: a pair names no variant.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        project, equals, variant = pair.partition("=")
        if not project or not equals or not variant:
            raise InputError(f"--variant {pair!r} names no variant", expected="--variant PROJECT=NAME")
        found[project] = variant
    return found
