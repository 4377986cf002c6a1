"""Results: what a job made, as the tables that a command ends with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from wheelyard.answers import BuildResult, ImageAnswer, JobAnswer
from wheelyard.cli.tables import seconds_text, write_line, write_table, write_wrapped
from wheelyard.index_address import index_url
from wheelyard.sizes import size_text


def pip_line(index: str, requirements: Sequence[str]) -> str:
    """The line that installs from the cache and from nowhere else."""
    return f"pip install --index-url {index} --only-binary :all: {' '.join(requirements)}"


def write_result(job: JobAnswer, url: str = "") -> None:
    """Write what a job made.

    :param url: of the service, for the line that installs the wheels, and addresses; empty leaves them out.
    """
    result: Mapping[str, Any] = job.result or {}
    if isinstance(result.get("image"), dict):
        write_image(ImageAnswer.from_document(result["image"]), float(result.get("seconds") or 0.0))
    elif isinstance(result.get("wheel"), dict):
        write_wheel(result["wheel"])
    elif isinstance(result.get("verification"), dict):
        from wheelyard.cli.verification_text import write_verification

        write_verification(result["verification"], float(result.get("seconds") or 0.0), url)
    elif isinstance(result.get("toolchain"), dict):
        write_toolchain(result["toolchain"], float(result.get("seconds") or 0.0))
    elif "wheels" in result:
        write_build(BuildResult.from_document(result), job.channel, job.seconds, url)
    else:
        for name, value in result.items():
            write_line(f"{name}: {value}")


def write_build(result: BuildResult, channel: str, seconds: float, url: str) -> None:
    """Write the wheels of a build, and how to install them.

    :param seconds: that it took, with all that it waited for.
    """
    rows = [
        (
            wheel.project,
            wheel.version,
            size_text(wheel.size),
            "hit" if wheel.hit else "built",
            "-" if wheel.hit else seconds_text(wheel.seconds),
            wheel.filename,
        )
        for wheel in result.wheels
    ]
    write_table(("PROJECT", "VERSION", "SIZE", "CACHE", "TIME", "WHEEL"), rows, right=(2, 4))
    hits = sum(wheel.hit for wheel in result.wheels)
    total = size_text(sum(wheel.size for wheel in result.wheels))
    count = f"{len(rows)} wheel{'' if len(rows) == 1 else 's'}"
    write_line(f"{count}, {total}, {hits} from the cache, {seconds_text(seconds)}")
    if url:
        write_line()
        pins = [f"{wheel.project}=={wheel.version}" for wheel in result.wheels]
        write_line(pip_line(index_url(url, channel), pins))
        if _needs_trust(url):
            write_line(
                "(the address is not https: add --trusted-host " + (urlsplit(url).hostname or "") + ")"
            )


def write_wheel(record: Mapping[str, Any]) -> None:
    """Write what one wheel is and where its time went.

    :param record: as `wheelyard.wheel_record` writes it.
    """
    seconds = record.get("seconds") or {}
    rows = [
        ("wheel", record.get("filename") or "-"),
        ("digest", record.get("digest") or "-"),
        ("size", size_text(int(record.get("size") or 0))),
        ("build key", record.get("build_key") or "-"),
        ("needs", ", ".join(record.get("external") or ()) or "nothing from outside"),
        ("time", ", ".join(f"{phase} {seconds_text(float(spent))}" for phase, spent in seconds.items())),
    ]
    for label, value in rows:
        write_line(f"{label + ':':<11}{value}")


def write_toolchain(record: Mapping[str, Any], seconds: float = 0.0) -> None:
    """Write what a toolchain's images are.

    :param record: as `wheelyard.toolchain_record` writes it.
    :param seconds: that they took to make; 0 where that is not known.
    """
    layers = record.get("layers") or ()
    base = record.get("base") or {}
    rows = [
        ("compile image", record.get("image") or "-"),
        ("size", size_text(sum(int(layer.get("size") or 0) for layer in layers))),
        ("packages", str(len(record.get("packages") or ()))),
        ("runtime base", base.get("digest") or "none of its own"),
        ("size", size_text(int(base.get("size") or 0))),
    ]
    if seconds:
        rows.append(("made in", seconds_text(seconds)))
    for label, value in rows:
        write_line(f"{label + ':':<15}{value}")


def write_image(record: ImageAnswer, seconds: float) -> None:
    """Write the layers of an image, and what is not inside."""
    rows = [
        (layer.title, size_text(layer.size), size_text(layer.unpacked), layer.digest.hex[:12])
        for layer in record.layers
    ]
    rows.append(("all", size_text(record.size), size_text(record.unpacked), ""))
    write_table(("LAYER", "COMPRESSED", "UNPACKED", "DIGEST"), rows, right=(1, 2))
    if record.absent:
        write_wrapped(f"not inside: {', '.join(record.absent)}")
    for tool, paths in record.present.items():
        write_line(f"inside: {tool} ({', '.join(paths)})")
    write_line(f"image {record.image_id}")
    write_line(f"manifest {record.manifest_digest}, made in {seconds_text(seconds)}")


def _needs_trust(url: str) -> bool:
    """Whether pip would refuse the address; it trusts plain HTTP on this machine only."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
