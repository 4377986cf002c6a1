"""Requirements as a user writes them: read, normalised, and refused where their source is none of ours."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelyard.errors import InputError
from wheelyard.git_address import git_address


def parse_requirement(text: str, origin: str = "", *, git: bool = False) -> Requirement:
    """Read one PEP 508 requirement that an index can serve.

    :param text: for instance `numpy>=2`.
    :param origin: where it stands, for the message (`requirements.txt, line 3`).
    :param git: whether it may be a commit of a git repository, too.
    :raises InputError: for another URL, a path, a pip option, or what PEP 508 does not allow.
    """
    where = f" ({origin})" if origin else ""
    if text.startswith("-"):
        raise InputError(
            f"{text!r}{where} is a pip option, not a requirement",
            expected="a name with an optional version, such as numpy==2.4.6",
            do="leave the option out; the index and the hashes are the service's own affair",
        )
    is_path = text.startswith((".", "/", "~")) or "\\" in text
    if is_path or ("://" in text and "@" not in text):
        raise InputError(
            f"{text!r}{where} is a path or an address, not a requirement",
            expected="a name with an optional version, such as numpy==2.4.6",
            do="publish the source to the index that the service reads, and name it here",
        )
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise InputError(
            f"{text!r}{where} can't be read as a requirement",
            expected="a name with an optional version (PEP 508), such as numpy==2.4.6",
            found=str(error).splitlines()[0],
        ) from error
    address = git_address(requirement, origin) if git else None
    if address is not None:
        requirement.url = address.text
    elif requirement.url is not None:
        raise InputError(
            f"{text!r}{where} names an address",
            expected="a name with an optional version; the source then comes from the index, by hash",
            found=requirement.url,
            do=f"write {requirement.name}==VERSION",
        )
    return requirement


def normalise_requirements(lines: Iterable[str], origin: str = "", *, git: bool = False) -> tuple[str, ...]:
    """Sorted, deduplicated requirements in one spelling, so that equal requests are equal.

    :param lines: PEP 508 requirements; blank lines and `#` comments are passed over.
    :param origin: name of the file, for messages.
    :param git: whether commits of git repositories may be among them.
    :raises InputError: as `parse_requirement`, and where nothing is asked for.
    """
    found = set()
    for number, line in enumerate(lines, 1):
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        place = f"{origin}, line {number}" if origin else ""
        requirement = parse_requirement(text, place, git=git)
        requirement.name = canonicalize_name(requirement.name)
        found.add(str(requirement))
    if not found:
        raise InputError("no requirement was given", do="name at least one project, for instance numpy")
    return tuple(sorted(found))
