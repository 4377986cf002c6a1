"""pylock.toml (PEP 751), read: what it locks, for a build and for a wait."""

from __future__ import annotations

from pathlib import PurePosixPath

from packaging.pylock import Package, Pylock, PylockUnsupportedVersionError, PylockValidationError

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.git_address import GitAddress
from wheelyard.inputs.group_markers import Choice, settle
from wheelyard.inputs.locked_project import LockedProject, require_sdists
from wheelyard.inputs.toml_text import parse_toml
from wheelyard.inputs.wanted import Wanted, WantedLine
from wheelyard.user_lock import PinnedLine, UserLock


def is_pylock_name(name: str) -> bool:
    """Whether a file's name is one that PEP 751 reserves."""
    last = PurePosixPath(name).name
    return last == "pylock.toml" or (last.startswith("pylock.") and last.endswith(".toml"))


def read_pylock(text: str, name: str, choice: Choice) -> Wanted:
    """What a lock asks for; its markers stay, but for what they say of extras and groups.

    :param name: of the file, for messages.
    :raises InputError: it is no such lock, or has no sdist of some project.
    """
    lock = _parsed(text, name)
    found = [
        one
        for package in lock.packages
        if (one := _locked(package, name, _with_defaults(lock, choice))) is not None
    ]
    require_sdists(name, found)
    return Wanted(
        requirements=tuple(
            WantedLine(requirement=one.requirement(), digests=one.digests, origin=one.origin) for one in found
        )
    )


def user_lock_of_pylock(text: str, name: str) -> UserLock:
    """The same as lines that can be waited for; the hashes of its wheels count, too.

    :raises InputError: as `read_pylock`, or something in it is not an index's.
    """
    lock = _parsed(text, name)
    lines: list[str] = []
    pins: list[PinnedLine] = []
    for package in lock.packages:
        one = _locked(package, name, _with_defaults(lock, Choice()))
        if one is None:
            continue
        if one.source:
            raise InputError(
                f"{one.origin} is a git source, which can't be waited for", found=one.source,
                do="build it with `wheelyard build`",
            )  # fmt: skip
        files = [wheel.hashes for wheel in package.wheels or ()]
        files += [package.sdist.hashes] if package.sdist else []
        digests = frozenset(digest for hashes in files if (digest := _sha256(hashes)) is not None)
        requirement = one.requirement()
        hashes = "".join(f" \\\n    --hash={digest}" for digest in sorted(digests, key=str))
        first = len(lines)
        lines += f"{requirement}{hashes}".splitlines()
        pins.append(
            PinnedLine(
                project=one.project, version=one.version, requirement=requirement, digests=digests,
                origin=one.origin, span=(first, len(lines)),
            )
        )  # fmt: skip
    if not pins:
        raise InputError(f"{name} locks nothing", expected="packages with versions")
    return UserLock(lines=tuple(lines), pins=tuple(pins), index_lines=())


def _parsed(text: str, name: str) -> Pylock:
    document = parse_toml(text, name)
    try:
        return Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise InputError(
            f"{name} is not a lock as PEP 751 says",
            expected="lock-version 1.0, created-by, and packages with names, versions and hashes",
            found=_place_of(error, document),
            do="make it with `uv export --format pylock.toml`, `pdm export` or `pip lock`",
        ) from error


def _place_of(error: Exception, document: dict[str, object]) -> str:
    """The error, with the name of the package that it is about."""
    context = str(getattr(error, "context", "") or "")
    packages = document.get("packages")
    if context.startswith("packages[") and isinstance(packages, list):
        number = context.removeprefix("packages[").partition("]")[0]
        entry = packages[int(number)] if number.isdigit() and int(number) < len(packages) else None
        if isinstance(entry, dict) and "name" in entry:
            return f"{error}, of {entry['name']}"
    return str(error)


def _with_defaults(lock: Pylock, choice: Choice) -> Choice:
    """The choice, with the lock's own default groups where none was named."""
    return choice if choice.groups else Choice.of(choice.extras, lock.default_groups or ())


def _locked(package: Package, name: str, choice: Choice) -> LockedProject | None:
    """What a package of the lock means; None where the choice leaves it out, or it is the project itself."""
    origin = f"{name}, package {package.name}"
    marker = settle(package.marker, choice)
    if marker is False or _is_project_itself(package, origin):
        return None
    source = _git_source(package, origin)
    if not source and package.version is None:
        raise InputError(
            f"{origin} has no version", expected="a version and hashes, or a git commit",
            do="an archive by its address can't be built: upload it, and lock the project by its version",
        )  # fmt: skip
    return LockedProject(
        project=package.name,
        version="" if package.version is None else str(package.version),
        source=source,
        marker=None if isinstance(marker, bool) else marker,
        sdist=_sha256(package.sdist.hashes) if package.sdist else None,
        wheels=bool(package.wheels),
        origin=origin,
    )


def _is_project_itself(package: Package, origin: str) -> bool:
    folder = package.directory
    if folder is not None and (folder.path.strip("/") not in (".", "") or folder.subdirectory):
        raise InputError(
            f"{origin} is a folder of another project",
            expected="an index's sdist, or a git commit",
            found=folder.path,
            do="upload an sdist of it to a channel, and lock the project by its version",
        )
    return folder is not None


def _git_source(package: Package, origin: str) -> str:
    if package.archive is not None:
        raise InputError(
            f"{origin} is an archive by its address",
            expected="an index's sdist, or a git commit",
            found=package.archive.url or package.archive.path or "",
            do="upload it to a channel, and lock the project by its version",
        )
    vcs = package.vcs
    if vcs is None:
        return ""
    if vcs.type != "git" or not vcs.url:
        raise InputError(
            f"{origin} has a source that can't be fetched", expected="git over https",
            found=f"{vcs.type} {vcs.url or vcs.path}",
        )  # fmt: skip
    url, folder = vcs.url.removeprefix("git+"), vcs.subdirectory or ""
    return GitAddress(url=url, commit=vcs.commit_id, subdirectory=folder).text


def _sha256(hashes: object) -> Digest | None:
    found = hashes.get("sha256") if isinstance(hashes, dict) else None
    try:
        return None if found is None else Digest(str(found).lower())
    except InputError:
        return None
