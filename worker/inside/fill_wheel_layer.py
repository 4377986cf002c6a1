"""Runs in a container of the toolchain: one wheel becomes the tar of a layer.

It is handed to the CPython of the runtime base, with nothing but the standard library, on 3.9 or newer:

    python3 -I fill_wheel_layer.py PIP WHEEL ROOT TAR

pip installs the wheel below ROOT, where this Python's own scheme says (Debian: /usr/local); bytecode is made
in a fixed order; RECORD is written anew; the files move into TAR one by one and never take their space twice.
"""

from __future__ import annotations

import base64
import compileall
import csv
import hashlib
import importlib.util
import io
import os
import py_compile
import subprocess
import sys
import tarfile
from pathlib import Path

# Written by pip for the machine on which it ran, not for the one on which the files will be.
DROPPED = {"direct_url.json", "REQUESTED"}


def install(pip: str, wheel: Path, root: Path) -> None:
    """Let pip lay the wheel's files below the root."""
    name, version = wheel.name.split("-")[:2]
    command = [pip, "--python", sys.executable, "install", "--isolated", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off"]
    command += ["--no-index", "--no-deps", "--no-compile", "--ignore-installed", "--root", str(root)]
    # By name and folder, not by path: a path would be written down as the package's origin (PEP 610).
    command += ["--find-links", str(wheel.parent), f"{name}=={version}"]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        sys.exit(f"pip could not install {wheel.name}: status {done.returncode}")


def compile_sources(root: Path) -> None:
    """Bytecode of every source, sorted, in one process; valid without a look at the source (PEP 552)."""
    for source in sorted(root.rglob("*.py")):
        if source.is_file() and not source.is_symlink():
            # A file in an older Python's syntax stays without bytecode, as pip leaves it.
            compileall.compile_file(
                source,
                quiet=2,
                force=True,
                stripdir=str(root),
                prependdir="/",
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )


def write_record(root: Path) -> None:
    """RECORD with all files that are there now, sorted, each with its hash and size."""
    records = sorted(root.rglob("*.dist-info/RECORD"))
    if len(records) != 1:
        sys.exit(f"one RECORD was expected, {len(records)} are there")
    record = records[0]
    site = record.parent.parent
    for name in DROPPED:
        (record.parent / name).unlink(missing_ok=True)
    rows = []
    with record.open(newline="", encoding="utf-8") as stream:
        for path, *_ in csv.reader(stream):
            place = Path(os.path.normpath(site / path))
            if place == record or not place.is_file():
                continue
            rows.append(row(path, place))
            bytecode = Path(importlib.util.cache_from_source(str(place)))
            if place.suffix == ".py" and bytecode.is_file():
                rows.append(row(os.path.relpath(bytecode, site), bytecode))
    rows.append((os.path.relpath(record, site), "", ""))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(sorted(set(rows)))
    record.write_text(out.getvalue(), encoding="utf-8")


def row(path: str, place: Path) -> tuple[str, str, str]:
    """One line of RECORD (the recording-installed-packages specification)."""
    digest = hashlib.sha256()
    with place.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return path, f"sha256={text}", str(place.stat().st_size)


def move_into_tar(root: Path, target: Path) -> None:
    """Every regular file, sorted; the control process checks and normalises what comes out."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                tar.add(path, arcname=str(path.relative_to(root)), recursive=False)
                path.unlink()


def main() -> None:
    """Fill one layer."""
    pip, wheel, root, target = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    install(pip, wheel, root)
    compile_sources(root)
    write_record(root)
    move_into_tar(root, target)


if __name__ == "__main__":
    main()
