"""The command that says what is in an image."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from wheelyard.cli.session import session_of
from wheelyard.cli.tables import write_json, write_line, write_table, write_wrapped
from wheelyard.sizes import size_text

ImageArgument = Annotated[
    str,
    typer.Argument(help="A job's id, an image id, a digest, or REPOSITORY:TAG.", metavar="IMAGE"),
]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]

_SHOWN = 12
_REACH = {
    "mentioned": "a file has its name",
    "plugin": "in a folder of plugins",
    "foreign": "for another machine or C library",
    "nothing": "nothing leads to it",
}


def image_receipt(
    context: typer.Context,
    image: ImageArgument,
    everything: Annotated[bool, typer.Option("--all", help="Each row, however many.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is in an image: sizes, owners, executables, licences, and what is proved not to be there.

    What nothing loads is a guess: no ELF file needs it and no import leads to it, but a program may open it
    by a name that is put together while it runs.

    \b
    Examples:
      wheelyard image receipt team/clip:latest
      wheelyard image receipt sha256:3f1c… --json
    """
    with session_of(context).client() as client:
        receipt = client.image_receipt(image)
    if as_json:
        write_json(receipt)
    else:
        write_receipt(receipt, most=10_000 if everything else _SHOWN)


def smoke_text(smoke: Mapping[str, Any]) -> str:
    """One line about an image's smoke test."""
    if smoke["state"] == "passed":
        return f"passed: {', '.join(smoke['passed']) or 'it has nothing to import'}"
    return f"{smoke['state']}: {smoke['reason']}"


def write_receipt(receipt: Mapping[str, Any], *, most: int) -> None:
    """Write a receipt as tables.

    :param receipt: as the service answers it.
    :param most: rows of each table.
    """
    write_line(f"image {receipt['digest']}")
    write_line(
        f"{size_text(receipt['size'])} compressed, {size_text(receipt['file_bytes'])} in "
        f"{receipt['files']} files, {len(receipt['layers'])} layers, runs as {receipt['user']}"
    )
    if smoke := receipt.get("smoke_test"):
        write_line(f"smoke test {smoke_text(smoke)}")
    _section("by what brought it")
    parts = sorted(receipt["parts"], key=lambda part: (-part["unpacked"], part["name"]))
    rows = [
        [
            _title(part),
            part["kind"],
            size_text(part["unpacked"]),
            ("" if part["alone"] else "about ") + size_text(part["compressed"]),
            part["licence"][:60] or "not said",
        ]
        for part in parts
    ]
    _table(["what", "kind", "files", "compressed", "licence"], rows, most, right=(2, 3))
    _section("layers, bottom first")
    layers = [
        [layer["title"][:60], size_text(layer["size"]), size_text(layer["unpacked"]), layer["digest"][:19]]
        for layer in receipt["layers"]
    ]
    _table(["layer", "compressed", "unpacked", "digest"], layers, 200, right=(1, 2))
    _write_proofs(receipt)
    _section("what can be started")
    starting = [one for one in receipt["executables"] if one["can_start"]]
    programs = [
        [one["path"], one["kind"], size_text(one["size"]), one["owner"]]
        for one in sorted(starting, key=lambda one: (one["kind"], -one["size"], one["path"]))
    ]
    _table(["path", "kind", "size", "of"], programs, most, right=(2,))
    _write_savings(receipt, most)


def _write_proofs(receipt: Mapping[str, Any]) -> None:
    _section("looked for, and not there")
    write_wrapped(", ".join(tool["tool"] for tool in receipt["tools"] if not tool["found"]))
    seen = receipt["looked_at"]
    write_line(
        f"({seen['paths']} paths by name; {seen['programs']} programs by their bytes, whatever they are "
        f"called; {seen['scripts']} scripts by their first line)"
    )
    found = [tool for tool in receipt["tools"] if tool["found"]]
    for tool in found:
        write_line(f"there: {tool['tool']}: {', '.join(tool['found'][:5])}")
    rights = [*receipt["setuid"], *receipt["capabilities"]]
    write_line(f"files with rights of their own (setuid, capabilities): {', '.join(rights[:10]) or 'none'}")


def _write_savings(receipt: Mapping[str, Any], most: int) -> None:
    idle = [elf for elf in receipt["elves"] if elf["reach"] in _REACH]
    if idle:
        _section(f"ELF files that no import and no other ELF file leads to ({size_text(_sum(idle))})")
        rows = [
            [elf["path"], size_text(elf["size"]), _REACH[elf["reach"]], elf["by"]]
            for elf in sorted(idle, key=lambda elf: (-elf["size"], elf["path"]))
        ]
        _table(["path", "size", "but perhaps", "by"], rows, most, right=(1,))
    if receipt["repeated"]:
        _section("there more than once")
        rows = [
            [
                one["what"],
                "equal bytes" if one["exact"] else "by its name",
                size_text(one["saves"]),
                ", ".join(copy["owner"] for copy in one["copies"]),
            ]
            for one in receipt["repeated"]
        ]
        _table(["what", "how", "one less saves", "in"], rows, most, right=(2,))
    if receipt["only_for"]:
        _section("there for one part alone")
        rows = [
            [one["part"], size_text(one["size"]), str(one["files"]), ", ".join(one["packages"])[:100]]
            for one in sorted(receipt["only_for"], key=lambda one: -one["size"])
        ]
        _table(["part", "libraries", "files", "packages that go with it"], rows, most, right=(1, 2))
    for advice in receipt["advice"]:
        write_line()
        write_line(f"advice: {advice['text']}")


def _section(title: str) -> None:
    write_line()
    write_line(f"{title}:")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], most: int, right: Sequence[int]) -> None:
    write_table(header, rows[:most], right=right)
    if len(rows) > most:
        write_line(f"and {len(rows) - most} more; see --all")


def _title(part: Mapping[str, Any]) -> str:
    return f"{part['name']} {part['version']}".strip()


def _sum(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(int(row["size"]) for row in rows)
