"""Refusals: why requirements can't be met, told from the project's page or else in the resolver's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelyard.errors import BuildFailed, InputError, NotFound, WheelyardError
from wheelyard.toolchains import Toolchain
from wheelyard.upstream.listing import ListedFile, Listing
from worker.missing_part import find_missing, missing_facts

Wanted = Literal["sdist", "wheel"]
SHOWN_VERSIONS = 5
SHOWN_LINES = 12

_UNMET = re.compile(
    r"Could not find a version that (?:satisfies the requirement|matches) (?P<requirement>.+?)"
    r"(?: \(from (?!versions)(?P<asker>[^()]+)\))?(?: \(from versions: .*\))?$"
)
_MISSING = re.compile(
    r"No matching distribution found for (?P<requirement>.+?)(?: \(from (?P<asker>[^()]+)\))?$"
)
_CLASH_HEAD = re.compile(r"Cannot install (?P<names>.+) because these package versions have conflicting")
_CLASH_CAUSE = re.compile(r"^\s+(?P<cause>.+ (?:depends on|requested) .+)$")
_COLLECTING = re.compile(
    r"^\s*Collecting (?P<name>[^\s@]+)(?: ?@ (?P<address>\S+))?(?: \(from (?P<asker>[^()]+))?"
)
_HOOK = re.compile("\u00d7 (?P<step>.+) did not run successfully")
_HOOK_END = "[end of output]"
_OUR_FILE = re.compile(r"\s*\(from -r [^)]*\)|(?:,\s*)?-r \S+ \(line \d+\)(?:\s*and\s*|,\s*)?|-r \S+\s*")


def _shown(versions: Sequence[Version]) -> str:
    more = f" and {len(versions) - SHOWN_VERSIONS} older ones" if len(versions) > SHOWN_VERSIONS else ""
    return ", ".join(str(version) for version in versions[:SHOWN_VERSIONS]) + more


def _matching(specifier: SpecifierSet, versions: Sequence[Version]) -> tuple[Version, ...]:
    """Newest first; pre-releases only where nothing else fits, as pip does it (PEP 440)."""
    return tuple(sorted(specifier.filter(versions), reverse=True))


def explain(
    requirement: Requirement,
    listing: Listing,
    toolchain: Toolchain,
    wanted: Wanted = "sdist",
    asker: str = "",
) -> WheelyardError | None:
    """Why a requirement can't be met from a project's page, or `None` where the page alone does not say.

    :param listing: the project's whole page.
    :param wanted: whether it is to be compiled, or is needed to compile something.
    :param asker: what asked for it; empty where the user did.
    """
    name = listing.project
    because = _because(asker)
    versions = listing.versions()
    if not versions:
        return NotFound(
            f"{name}{because} has no file with a SHA-256 on the index",
            do="use an index that gives hashes, or publish the project to it",
            project=name,
        )
    wanted_text = f"{name}{requirement.specifier}"
    matching = _matching(requirement.specifier, versions)
    if not matching:
        return NotFound(
            f"no version of {name} fits {wanted_text}{because.rstrip(',')}",
            expected=f"one of {_shown(_offered(listing, toolchain, wanted) or versions)}",
            project=name,
        )
    candidates = [file for version in matching for file in listing.of_version(version) if file.digest]
    chosen = [file for file in candidates if file.kind == wanted]
    if wanted == "sdist" and not chosen:
        return _no_source(name, asker, matching, listing, toolchain)
    sourced = {file.version for file in chosen}
    usable = [file for file in candidates if file.version in sourced]
    python = toolchain.python.version
    if usable and not any(file.fits(python) for file in usable):
        return _other_python(name, asker, usable, listing, toolchain, wanted)
    if usable and all(file.yanked is not None for file in usable) and not _is_exact(requirement):
        return InputError(
            f"every version of {name}{because} that fits {wanted_text} was yanked by its authors",
            found=_shown(matching),
            do=f"ask for one of them exactly, such as {name}=={matching[0]}, if you must",
            project=name,
        )
    return None


def _because(asker: str) -> str:
    return f", which {asker} needs," if asker else ""


def _instead(name: str, versions: Sequence[Version], asker: str) -> str:
    better = f"{name}=={versions[0]}"
    return f"ask for a version of {asker} that takes {better}" if asker else f"ask for {better}"


def _is_exact(requirement: Requirement) -> bool:
    return any(clause.operator in {"==", "==="} for clause in requirement.specifier)


def _no_source(
    name: str, asker: str, matching: Sequence[Version], listing: Listing, toolchain: Toolchain
) -> WheelyardError:
    because = _because(asker)
    having = _offered(listing, toolchain, "sdist") or listing.source_versions()
    label = f"{name} {matching[0]}" if len(matching) == 1 else f"no version of {name} that is asked for"
    return InputError(
        f"{label}{because} has {'no' if len(matching) == 1 else 'an'} sdist on the index",
        expected=f"a version that has one: {_shown(having)}"
        if having
        else "a version that has one; there is none",
        do=_instead(name, having, asker) if having else "publish its sdist to the index",
        project=name,
        versions=[str(version) for version in having[:SHOWN_VERSIONS]],
    )


def _offered(listing: Listing, toolchain: Toolchain, wanted: Wanted) -> tuple[Version, ...]:
    """Versions to ask for instead, newest first, pre-releases only where there is nothing else."""
    having = listing.source_versions() if wanted == "sdist" else listing.versions()
    python = toolchain.python.version
    fitting = [
        version for version in having if any(file.fits(python) for file in listing.of_version(version))
    ]
    return _matching(SpecifierSet(), fitting)


def _other_python(
    name: str,
    asker: str,
    usable: Sequence[ListedFile],
    listing: Listing,
    toolchain: Toolchain,
    wanted: Wanted,
) -> WheelyardError:
    newest = usable[0]
    fitting = _offered(listing, toolchain, wanted)
    return InputError(
        f"{name} {newest.version}{_because(asker)} requires Python {newest.requires_python}; "
        f"the toolchain {toolchain.name} has {toolchain.python.version}",
        do=f"{_instead(name, fitting, asker)}, the newest that fits, or take another toolchain"
        if fitting
        else "take another toolchain; no version fits this one",
        project=name,
        requires_python=newest.requires_python,
        newest_that_fits=str(fitting[0]) if fitting else "",
    )


def _without_our_file(text: str) -> str:
    return " ".join(_OUR_FILE.sub(" ", text).split()).strip(" ,")


def read_refusal(
    lines: Sequence[str],
    listing_of: Callable[[str], Listing],
    toolchain: Toolchain,
    wanted: Wanted,
    subject: str,
    asker: str = "",
) -> WheelyardError:
    """The error that a resolver's output means.

    :param lines: the end of its output.
    :param listing_of: gives a project's whole page; may raise `NotFound`.
    :param wanted: whether the requirements are to be compiled, or are needed to compile something.
    :param subject: what was resolved, for the message.
    :param asker: what the requirements are for; empty where the user asked for them.
    """
    told = _read_clash(lines, subject) or _read_address(lines, subject)
    if told is not None:
        return told
    step, project, output = _failed_hook(lines)
    if "build dependencies" in step.lower():
        # Another pip said what follows, about what the project's metadata needs.
        wanted, asker = "wheel", project
    elif step:
        return BuildFailed(
            f"the build backend of {project} failed while it was asked for the project's metadata",
            found=f"{step}:\n" + "\n".join(output),
            do="the whole output stands in the log",
            phase="resolve",
            project=project,
            **missing_facts(find_missing(lines)),
        )
    return _read_unmet(lines, listing_of, toolchain, wanted, asker) or InputError(
        f"{subject} can't be resolved",
        found="\n".join(lines[-8:]) or "the resolver said nothing",
        do="the whole output stands in the log",
    )


def _read_unmet(
    lines: Sequence[str],
    listing_of: Callable[[str], Listing],
    toolchain: Toolchain,
    wanted: Wanted,
    asker: str,
) -> WheelyardError | None:
    """One requirement that nothing on the index meets."""
    unmet = (
        found for pattern in (_UNMET, _MISSING) for line in reversed(lines) if (found := pattern.search(line))
    )
    for found in unmet:
        try:
            requirement = Requirement(_without_our_file(found["requirement"]))
        except InvalidRequirement:
            continue
        needed_by = _without_our_file(found["asker"] or "").partition("->")[0].strip() or asker
        try:
            told = explain(requirement, listing_of(requirement.name), toolchain, wanted, needed_by)
        except NotFound as error:
            return NotFound(
                error.failed + (f"; {needed_by} needs it" if needed_by else ""),
                do=error.do,
                project=requirement.name,
            )
        return told or _unusable(requirement, toolchain, wanted, needed_by, lines)
    return None


def _failed_hook(lines: Sequence[str]) -> tuple[str, str, list[str]]:
    """The step, the project and the output of a hook that failed; empty where none did."""
    start = next((number for number, line in enumerate(lines) if _HOOK.search(line)), None)
    if start is None:
        return "", "", []
    found = _HOOK.search(lines[start])
    step = found["step"] if found else ""
    output = [line.strip() for line in lines[start + 1 :]]
    if _HOOK_END in output:
        output = output[: output.index(_HOOK_END)]
    collected = [match["name"] for line in lines[:start] if (match := _COLLECTING.match(line))]
    project = re.split(r"[^A-Za-z0-9._-]", collected[-1])[0] if collected else "a project"
    return step, project, [line for line in output if line[:1] not in {"│", "╰"}][-SHOWN_LINES:]


def _unusable(
    requirement: Requirement, toolchain: Toolchain, wanted: Wanted, asker: str, lines: Sequence[str]
) -> WheelyardError:
    because = _because(asker)
    if wanted == "wheel":
        return InputError(
            f"{requirement}{because} has no wheel for the toolchain {toolchain.name}",
            expected=f"a wheel for {toolchain.python.tag} that runs on {toolchain.policy}",
            do="publish that wheel, or take another version: with wheels of the index a backend is asked "
            "what it needs",
            project=requirement.name,
        )
    return InputError(
        f"no version of {requirement}{because} can be used by the toolchain {toolchain.name}",
        found="\n".join(line.strip() for line in lines if "ERROR" in line or "Ignored" in line)[-1000:],
        project=requirement.name,
    )


def _read_clash(lines: Sequence[str], subject: str) -> WheelyardError | None:
    head = next((found for line in lines if (found := _CLASH_HEAD.search(line))), None)
    if head is None:
        return None
    causes = list(
        dict.fromkeys(
            _without_our_file(found["cause"]) for line in lines if (found := _CLASH_CAUSE.match(line))
        )
    )
    return InputError(
        f"the requirements contradict each other: no versions fit {subject}",
        found="; ".join(causes) or head["names"],
        do="loosen one of them",
        causes=causes,
    )


def _read_address(lines: Sequence[str], subject: str) -> WheelyardError | None:
    """A dependency that names an address instead of a version; on purpose there is no network for it."""
    collected = [found for line in lines if (found := _COLLECTING.match(line))]
    if not collected or collected[-1]["address"] is None:
        return None
    asker = _without_our_file(collected[-1]["asker"] or "").partition("->")[0].strip() or subject
    return InputError(
        f"{asker} needs {collected[-1]['name']} from an address",
        expected="dependencies that the index has, by version",
        found=collected[-1]["address"],
        do=f"ask for a version of {asker} that was published with plain dependencies",
        project=collected[-1]["name"],
    )
