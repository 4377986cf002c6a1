"""What is said of a finished image: a document for programs, and table rows for whoever prints them."""

from __future__ import annotations

from typing import Any

from wheelyard.image_record import ImageRecord

Row = tuple[str, ...]


def report_document(record: ImageRecord) -> dict[str, Any]:
    """The report as JSON-serialisable fields; sizes in bytes."""
    return {
        "image_id": str(record.image_id),
        "manifest_digest": str(record.manifest_digest),
        "toolchain": record.toolchain,
        "size": record.size,
        "unpacked": record.unpacked,
        "layers": [
            {
                "title": layer.title,
                "digest": str(layer.digest),
                "size": layer.size,
                "unpacked": layer.unpacked,
            }
            for layer in record.layers
        ],
        "wheels": {pin.project: pin.version for pin in record.wheels},
        "packages": dict(record.packages),
        "libraries": dict(record.libraries),
        "left_out": list(record.left_out),
        "absent": sorted(tool for tool, absent in record.absent.items() if absent),
        "present": {tool: list(paths) for tool, paths in record.tools_found.items()},
        "setuid": list(record.setuid),
        "user": record.user,
        "entrypoint": list(record.entrypoint),
        "command": list(record.command),
    }


def layer_rows(record: ImageRecord) -> list[Row]:
    """One row a layer, bottom first, a header above and the sum below."""
    rows: list[Row] = [("layer", "compressed", "unpacked", "digest")]
    rows += [
        (layer.title, size_text(layer.size), size_text(layer.unpacked), str(layer.digest)[:19])
        for layer in record.layers
    ]
    rows.append(("sum", size_text(record.size), size_text(record.unpacked), str(record.manifest_digest)[:19]))
    return rows


def absent_rows(record: ImageRecord) -> list[Row]:
    """One row a tool, with a header: whether it is absent, and where it was found if not."""
    rows: list[Row] = [("tool", "in the image", "where")]
    for tool, absent in record.absent.items():
        rows.append((tool, "no" if absent else "yes", " ".join(record.tools_found.get(tool, ()))))
    return rows


def size_text(size: int) -> str:
    """A size for people: kB and MB of 1,000 and 1,000,000 bytes, one digit behind the point below 100."""
    unit, number = ("MB", size / 1_000_000) if size >= 100_000 else ("kB", size / 1000)
    return f"{number:.1f} {unit}" if number < 100 else f"{number:.0f} {unit}"
