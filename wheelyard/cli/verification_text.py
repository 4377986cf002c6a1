"""What a verification found, as text: equal, or each member that differs and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wheelyard.cli.tables import seconds_text, write_line
from wheelyard.sizes import size_text
from wheelyard.verification import Verification
from wheelyard.wheel_difference import How, MemberDifference, WheelDifference

_MOST_SECTIONS = 12


def write_verification(document: Mapping[str, Any], seconds: float, url: str = "") -> None:
    """Write it.

    :param document: as `Verification.to_document` writes it.
    :param seconds: that it took.
    :param url: of the service, for the addresses of two wheels that differ; empty leaves them out.
    """
    verification = Verification.from_document(document)
    difference = verification.difference
    write_line(f"{'published:':<11}{difference.names[0]}, {size_text(difference.sizes[0])}")
    write_line(f"{'':<11}{difference.digests[0]}")
    write_line(f"{'rebuilt:':<11}{difference.names[1]}, {size_text(difference.sizes[1])}")
    write_line(f"{'':<11}{difference.digests[1]}")
    write_line(f"{'made:':<11}{_circumstances(verification.circumstances)}, in {seconds_text(seconds)}")
    if difference.equal:
        write_line("equal, byte by byte")
        return
    write_line()
    for line in difference_lines(difference):
        write_line(line)
    if url:
        write_line()
        write_line("both files, the rebuilt one for a week (`--keep FOLDER` fetches them at once):")
        for digest in difference.digests:
            write_line(f"  {url}/v1/blobs/{digest}")


def difference_lines(difference: WheelDifference) -> Iterator[str]:
    """Each thing that differs, for people."""
    count = len(difference.members) + difference.more
    if difference.names[0] != difference.names[1]:
        yield "the two have other names"
    yield f"not equal: {count} member{' differs' if count == 1 else 's differ'}"
    for member in difference.members:
        yield f"  {member.name}: {member.how}"
        yield from (f"    {line}" for line in _member_lines(member))
    if difference.more:
        yield f"  and {difference.more} more"
    for line in difference.archive:
        yield f"  archive: {line}"


def _member_lines(member: MemberDifference) -> Iterator[str]:
    if member.how is not How.BYTES:
        yield f"{sum(member.sizes)} bytes"
        return
    if member.sizes[0] != member.sizes[1]:
        yield f"{member.sizes[0]} bytes, rebuilt {member.sizes[1]}"
    there = [found or "its end" for found in (member.published, member.rebuilt)]
    yield f"from byte {member.offset} on: {there[0]}, rebuilt {there[1]}"
    if member.sections:
        shown = ", ".join(member.sections[:_MOST_SECTIONS])
        rest = len(member.sections) - _MOST_SECTIONS
        yield f"sections: {shown}" + (f" and {rest} more" if rest > 0 else "")
    if member.lines:
        yield from member.lines
    elif any(member.text):
        yield f"published …{member.text[0]}…"
        yield f"rebuilt   …{member.text[1]}…"


def _circumstances(found: Mapping[str, Any]) -> str:
    days = float(found.get("later") or 0) / 86400
    later = f", {days:.0f} days later" if days else ""
    return f"below {found.get('root', '?')} on {found.get('hostname', '?')}{later}"
