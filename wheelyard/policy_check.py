"""Holds a policy against an image's receipt: each violation, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.utils import canonicalize_name

from wheelyard.errors import BuildFailed
from wheelyard.image_policy import ImagePolicy, policies_of
from wheelyard.image_receipt import Part, PartKind, Receipt
from wheelyard.image_request import ImageRequest
from wheelyard.licence_expression import is_met, licences_in
from wheelyard.listed_files import ListedFile

_SHOWN = 5
_LARGEST_SHOWN = 3


class PolicyViolated(BuildFailed):
    """An image was made, and is not published, since it is not what a policy asks for."""

    kind = "policy-violated"
    title = "The image violates a policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that does not hold.

    :param rule: field of the policy.
    :param found: what violates it, for people.
    :param do: what would mend it.
    :param whose: `service` for the policy of the whole service, which a request can't loosen, else `request`.
    """

    rule: str
    found: str
    do: str
    whose: str

    def to_document(self) -> dict[str, str]:
        """JSON-serialisable fields."""
        return {"rule": self.rule, "found": self.found, "do": self.do, "whose": self.whose}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a policy is held against.

    :param files: of the image.
    :param user: `UID:GID` that it runs as.
    """

    receipt: Receipt
    files: Sequence[ListedFile]
    labels: Mapping[str, str]
    user: str


def check_policies(
    policies: Mapping[str, ImagePolicy], judged: Judged, size_budget: int | None = None
) -> None:
    """Refuse an image that violates any policy, or is larger than its request allows.

    :param policies: whose it is (`service`, `request`) to the policy.
    :param size_budget: of the request itself, bytes of all files.
    :raises PolicyViolated: the error says every violation, and what to do about each.
    """
    found = [each for whose, policy in policies.items() for each in violations_of(policy, judged, whose)]
    if size_budget is not None:
        found += _over_budget(size_budget, judged.receipt, "request")
    _refuse(found, "the image violates {} and is not published")


def _refuse(found: Sequence[Violation], what: str) -> None:
    if not found:
        return
    many = f"{len(found)} rules" if len(found) > 1 else "a rule"
    raise PolicyViolated(
        what.format(many),
        expected="an image that every policy allows",
        found="\n".join(f"{each.rule} ({each.whose}): {each.found}" for each in found),
        do="\n".join(dict.fromkeys(each.do for each in found)),
        violations=[each.to_document() for each in found],
    )


def refuse_early(request: ImageRequest) -> None:
    """Refuse what violates a policy whatever the image turns out to hold, before anything is built for it.

    :raises PolicyViolated: its user, or a label that it lacks.
    :raises InputError: a policy can't be read.
    """
    found = [
        Violation(rule=rule, found=what, do=do, whose=whose)
        for whose, policy in policies_of(request.policy).items()
        for rule, what, do in _run_settings(policy, request.labels, request.user)
    ]
    _refuse(found, "the image would violate {}")


def violations_of(policy: ImagePolicy, judged: Judged, whose: str) -> list[Violation]:
    """Everything that does not hold of an image, in the order of the policy's fields."""
    receipt = judged.receipt
    rules: Iterable[Iterator[tuple[str, str, str]]] = (
        _files(policy, judged.files),
        _parts(policy, receipt),
        _tools(policy, receipt),
        _licences(policy, receipt),
        _rights(policy, receipt),
        _run_settings(policy, judged.labels, judged.user),
    )
    found = [
        Violation(rule=rule, found=what, do=do, whose=whose) for each in rules for rule, what, do in each
    ]
    if policy.size_budget is not None:
        found += _over_budget(policy.size_budget, receipt, whose)
    return found


def _files(policy: ImagePolicy, files: Sequence[ListedFile]) -> Iterator[tuple[str, str, str]]:
    for pattern in policy.forbidden_files:
        hits = [file for file in files if _is_path(file.path, pattern)]
        if hits:
            owners = _few(sorted({file.owner for file in hits}))
            paths = _few([file.path for file in hits])
            yield (
                "forbidden_files",
                f"{pattern} forbids {paths}",
                f"leave out what brings them: {owners}",
            )


def _is_path(path: str, pattern: str) -> bool:
    if "/" not in pattern:
        return fnmatchcase(path.rpartition("/")[2], pattern)
    return fnmatchcase(path, pattern if pattern.startswith(("/", "*")) else f"*/{pattern}")


def _parts(policy: ImagePolicy, receipt: Receipt) -> Iterator[tuple[str, str, str]]:
    projects = [
        pattern if "*" in pattern else canonicalize_name(pattern) for pattern in policy.forbidden_projects
    ]
    for rule, kind, patterns in (
        ("forbidden_packages", PartKind.PACKAGE, policy.forbidden_packages),
        ("forbidden_projects", PartKind.WHEEL, projects),
    ):
        for part in receipt.parts:
            pattern = next((each for each in patterns if fnmatchcase(part.name, each)), None)
            if part.kind is not kind or pattern is None:
                continue
            by = [other.title for other in receipt.parts if part.name in other.requires]
            needed = f"; {_few(by)} requires it" if by else ""
            yield (
                rule,
                f"{pattern} forbids {part.title}{needed}",
                f"leave {part.name} out, or see `wheelyard image why IMAGE {part.name}` for who needs it",
            )


def _tools(policy: ImagePolicy, receipt: Receipt) -> Iterator[tuple[str, str, str]]:
    for proof in receipt.tools:
        if proof.found and any(fnmatchcase(proof.tool, pattern) for pattern in policy.forbidden_tools):
            yield (
                "forbidden_tools",
                f"{proof.tool} is there: {_few(proof.found)}",
                "leave out what brings it, or take the base slim",
            )


def _licences(policy: ImagePolicy, receipt: Receipt) -> Iterator[tuple[str, str, str]]:
    for part in receipt.parts:
        if part.kind.value not in policy.licences_of:
            continue
        if not part.licence:
            if policy.unknown_licences == "refuse":
                yield (
                    "unknown_licences",
                    f"{part.title} says nothing of its licence in a form that a program reads",
                    f"look at {part.name}'s licence, and leave it out or allow unknown licences",
                )
            continue
        yield from _licence_of(policy, part)


def _licence_of(policy: ImagePolicy, part: Part) -> Iterator[tuple[str, str, str]]:
    def denied(licence: str) -> bool:
        return _is_listed(licence, policy.denied_licences)

    def allowed(licence: str) -> bool:
        return not policy.allowed_licences or _is_listed(licence, policy.allowed_licences)

    if is_met(part.licence, lambda licence: allowed(licence) and not denied(licence)):
        return
    named = licences_in(part.licence)
    wrong = [licence for licence in named if denied(licence)]
    rule = "denied_licences" if wrong else "allowed_licences"
    names = _few(wrong or [licence for licence in named if not allowed(licence)])
    yield (
        rule,
        f"{part.title} is under {names} (its {part.licence_source})",
        f"leave {part.name} out, or change {rule}",
    )


def _is_listed(licence: str, patterns: Sequence[str]) -> bool:
    """An exception is listed with its licence, or with that licence alone; case says nothing in SPDX."""
    name = licence.lower()
    names = {name, name.partition(" with ")[0]}
    return any(fnmatchcase(name, pattern.lower()) for name in names for pattern in patterns)


def _rights(policy: ImagePolicy, receipt: Receipt) -> Iterator[tuple[str, str, str]]:
    rights = (*receipt.setuid, *receipt.capabilities)
    if policy.setuid == "refuse" and rights:
        yield (
            "setuid",
            f"{_few(rights)} would run with rights that its user does not have",
            "take a base without them, or leave out what brings them",
        )


def _run_settings(
    policy: ImagePolicy, labels: Mapping[str, str], user: str
) -> Iterator[tuple[str, str, str]]:
    if policy.users and not any(fnmatchcase(user, pattern) for pattern in policy.users):
        yield (
            "users",
            f"it would run as {user}",
            f"choose a user that fits {_few(policy.users)}, with --user",
        )
    for name, pattern in policy.required_labels.items():
        value = labels.get(name)
        if value is None or not fnmatchcase(value, pattern):
            yield (
                "required_labels",
                f"the label {name} is {'missing' if value is None else repr(value)}",
                f"give it with --label {name}={pattern if '*' not in pattern else 'VALUE'}",
            )


def _over_budget(budget: int, receipt: Receipt, whose: str) -> list[Violation]:
    over = receipt.file_bytes - budget
    if over <= 0:
        return []
    largest = ", ".join(
        f"{part.title} ({_megabytes(part.unpacked)})" for part in receipt.largest[:_LARGEST_SHOWN]
    )
    return [
        Violation(
            rule="size_budget",
            found=f"its files are {_megabytes(receipt.file_bytes)}, {_megabytes(over)} more than the budget "
            f"of {_megabytes(budget)}; the largest are {largest}",
            do="leave something out, or raise the budget",
            whose=whose,
        )
    ]


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
