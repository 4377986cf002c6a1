"""The difference of two build keys: which inputs changed, as facts and in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from wheelyard.build_key import BuildInputs, ConfigSetting

_DIGEST = "sha256:"
_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One input that differs.

    :param field: of `BuildInputs`.
    :param name: which of the field's entries: a project, a variable; empty for a field that is one value.
    :param before: its value in the earlier key; empty where it was not there.
    :param after: its value in the later key; empty where it is not there any more.
    :param text: the same in words: `the Cython wheel changed from 3.1.0 to 3.2.1`.
    """

    field: str
    name: str = ""
    before: str
    after: str
    text: str

    @property
    def short(self) -> str:
        """The same for a table: `cython 3.1.0 -> 3.2.1`."""
        what = self.name or self.field.replace("_", " ")
        return f"{what} {_shown(self.before) or 'none'} -> {_shown(self.after) or 'none'}"

    def to_document(self) -> dict[str, str]:
        """JSON-serialisable fields; `from_document` is the inverse."""
        return {name: getattr(self, name) for name in ("field", "name", "before", "after", "text")}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Change:
        """Inverse of `to_document`; a newer service's other fields are passed over."""
        names = ("field", "name", "before", "after", "text")
        return cls(**{name: str(document.get(name) or "") for name in names})


def key_difference(before: BuildInputs, after: BuildInputs) -> tuple[Change, ...]:
    """Every input that differs between two builds, what matters most to people first.

    Nothing where the two keys are the same.
    """
    return tuple(change for compare in _COMPARISONS for change in compare(before, after))


def in_words(changes: tuple[Change, ...]) -> str:
    """All changes as one clause, for behind a `because`."""
    texts = [change.text for change in changes]
    if len(texts) < 2:
        return "".join(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]


_Comparison = Callable[[BuildInputs, BuildInputs], Iterator[Change]]


def _value(field: str, words: str, default: str = "none") -> _Comparison:
    """Compares a field that is one value."""

    def compare(before: BuildInputs, after: BuildInputs) -> Iterator[Change]:
        old, new = str(getattr(before, field)), str(getattr(after, field))
        if old != new:
            text = f"{words} changed from {_shown(old) or default} to {_shown(new) or default}"
            yield Change(field=field, before=old, after=new, text=text)

    return compare


def _entries(field: str, words: str) -> _Comparison:
    """Compares a field that has a value for each name."""

    def compare(before: BuildInputs, after: BuildInputs) -> Iterator[Change]:
        old = {name: _text(value) for name, value in getattr(before, field).items()}
        new = {name: _text(value) for name, value in getattr(after, field).items()}
        for name in sorted({*old, *new}):
            if old.get(name) == new.get(name):
                continue
            text = _told(words.format(name=name), old.get(name), new.get(name))
            yield Change(field=field, name=name, before=old.get(name, ""), after=new.get(name, ""), text=text)

    return compare


def _text(value: ConfigSetting) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _told(what: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{what} is new ({_shown(new or '') or 'empty'})"
    if new is None:
        return f"{what} is gone (it was {_shown(old) or 'empty'})"
    return f"{what} changed from {_shown(old) or 'empty'} to {_shown(new) or 'empty'}"


def _list(field: str, one: str, order: str) -> _Comparison:
    """Compares a field whose values stand in an order."""

    def compare(before: BuildInputs, after: BuildInputs) -> Iterator[Change]:
        old: tuple[str, ...] = getattr(before, field) or ()
        new: tuple[str, ...] = getattr(after, field) or ()
        gone = [value for value in old if value not in new]
        fresh = [value for value in new if value not in old]
        for value in gone:
            yield Change(field=field, before=value, after="", text=f"{one} {_shown(value)} is gone")
        for value in fresh:
            yield Change(field=field, before="", after=value, text=f"{one} {_shown(value)} is new")
        if getattr(before, field) != getattr(after, field) and not gone and not fresh:
            text = f"the order of {order} changed" if old else f"{order} changed"
            yield Change(field=field, before=" ".join(old), after=" ".join(new), text=text)

    return compare


def _sdist(before: BuildInputs, after: BuildInputs) -> Iterator[Change]:
    if before.sdist != after.sdist:
        name = f"{after.sdist_filename} " if before.sdist_filename == after.sdist_filename else ""
        text = f"the sdist {name}changed from {_shown(before.sdist)} to {_shown(after.sdist)}"
        yield Change(field="sdist", before=before.sdist, after=after.sdist, text=text)
    if before.sdist_filename != after.sdist_filename:
        old, new = before.sdist_filename, after.sdist_filename
        text = f"the sdist's file name changed from {old} to {new}"
        yield Change(field="sdist_filename", before=old, after=new, text=text)


def _build_wheels(before: BuildInputs, after: BuildInputs) -> Iterator[Change]:
    """By project: a version or a file that changed is one change, not a wheel gone and a wheel come."""
    old, new = _by_project(before.build_wheels), _by_project(after.build_wheels)
    for project in sorted({*old, *new}):
        was, now = old.get(project, {}), new.get(project, {})
        if was == now:
            continue
        yield Change(
            field="build_wheels",
            name=project,
            before=_wheel_value(was, now),
            after=_wheel_value(now, was),
            text=_wheel_text(project, was, now),
        )


def _by_project(wheels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Project to file name to digest."""
    found: dict[str, dict[str, str]] = {}
    for filename, digest in sorted(wheels.items()):
        found.setdefault(_project_of(filename), {})[filename] = digest
    return found


def _wheel_value(wheels: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What tells a project's wheels from others: the version, else the file name, else the digest."""
    for words in (_version_of, str):
        mine, theirs = [[words(name) for name in each] for each in (wheels, other)]
        if mine != theirs:
            return " ".join(mine)
    return " ".join(wheels.values())


def _wheel_text(project: str, was: Mapping[str, str], now: Mapping[str, str]) -> str:
    old, new = _wheel_value(was, now), _wheel_value(now, was)
    if not was or not now:
        return _told(f"the {project} wheel", old if was else None, new if now else None)
    if old.startswith(_DIGEST):
        version = " ".join(map(_version_of, now))
        return f"the {project} {version} wheel has other bytes, {_shown(new)} and not {_shown(old)}"
    return f"the {project} wheel changed from {old} to {new}"


def _project_of(filename: str) -> str:
    try:
        return str(parse_wheel_filename(filename)[0])
    except InvalidWheelFilename:
        return canonicalize_name(filename.partition("-")[0])


def _version_of(filename: str) -> str:
    try:
        return str(parse_wheel_filename(filename)[1])
    except InvalidWheelFilename:
        return filename


def _shown(value: str) -> str:
    """A value as people can compare it: digests by their first digits, all else as it is."""
    words = value.split(" ")
    return " ".join(
        word[: len(_DIGEST) + _SHOWN_DIGITS] if word.startswith(_DIGEST) else word for word in words
    )


_COMPARISONS: tuple[_Comparison, ...] = (
    _value("project", "the project"),
    _value("version", "the version"),
    _sdist,
    _value("toolchain", "the toolchain image"),
    _value("python_tag", "the Python"),
    _value("target", "the target platform"),
    _build_wheels,
    _value("build_deps", "where the build requirements come from", default="wheels"),
    _value("variant", "the variant", default="the default"),
    _entries("environment", "the variable {name}"),
    _entries("config_settings", "the config setting {name}"),
    _list("patches", "the patch", "the patches"),
    _entries("packages", "the package {name}"),
    _entries("natives", "the native artifact {name}"),
    _list("build_requires", "the recipe's build requirement", "the recipe's build requirements"),
    _list("replaced_build_requires", "the replaced build requirement", "the replaced build requirements"),
    _list("leave_out", "the pattern of left-out members", "the patterns of left-out members"),
    _value("recipe_format", "the builder's recipe format"),
)
