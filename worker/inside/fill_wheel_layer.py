"""Runs in a container of the toolchain: one wheel becomes the tar of a layer.

It is handed to the CPython of the runtime base, with nothing but the standard library, on 3.9 or newer:

    python3 -I fill_wheel_layer.py [--no-bytecode] [--python PATH] [--site FOLDER] PIP WHEEL ROOT TAR

pip installs the wheel below ROOT, where this Python's own scheme says (Debian: /usr/local); for a base with
another scheme files and shebangs move there; bytecode is made; RECORD is written anew; files move into TAR
and never take their space twice. What an earlier run left is removed first.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import importlib.util
import io
import marshal
import os
import shutil
import subprocess
import sys
import tarfile
import types
import warnings
from pathlib import Path

# Written by pip for the machine on which it ran, not for the one on which the files will be.
DROPPED = {"direct_url.json", "REQUESTED"}
# A hash is there, and nobody has to look whether the source still has it (PEP 552).
UNCHECKED_HASH = 1
# Below that a second process costs more than it brings.
SOURCES_PER_PROCESS = 50


def install(pip: str, wheel: Path, root: Path) -> None:
    """Let pip lay the wheel's files below the root."""
    name, version = wheel.name.split("-")[:2]
    command = [*pip_command(pip), "install", "--isolated", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-warn-script-location", "--progress-bar", "off"]
    command += ["--no-index", "--no-deps", "--no-compile", "--ignore-installed", "--root", str(root)]
    # By name and folder, not by path: a path would be written down as the package's origin (PEP 610).
    command += ["--find-links", str(wheel.parent), f"{name}=={version}"]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        sys.exit(f"pip could not install {wheel.name}: status {done.returncode}")


def pip_command(pip: str) -> list[str]:
    """How this Python runs the builder's pip; `pip --python` would start pip twice."""
    runners = sorted(Path(pip).parent.parent.glob("lib/python3*/site-packages/pip/__pip-runner__.py"))
    return [sys.executable, "-I", str(runners[0])] if runners else [pip, "--python", sys.executable]


def own_record(root: Path) -> Path:
    """RECORD of the wheel itself: directly in a site folder, above those of what it vendors."""
    places = [
        path
        for path in sorted(root.rglob("*.dist-info/RECORD"))
        if path.parent.parent.name in {"site-packages", "dist-packages"}
    ]
    least = min((len(path.parts) for path in places), default=0)
    own = [path for path in places if len(path.parts) == least]
    if len(own) != 1:
        sys.exit(f"one RECORD was expected, {len(own)} are there")
    return own[0]


def move_to_scheme(root: Path, python: str, site: str) -> None:
    """Lay the files where a base's own Python finds them, and let scripts begin with it."""
    old_site = own_record(root).parent.parent
    new_site = root / site.lstrip("/") if site else old_site
    if new_site != old_site:
        old_prefix, new_prefix = old_site.parents[2], new_site.parents[2]
        if old_prefix != new_prefix:
            # By way of a folder apart: one of the two may lie in the other (/usr and /usr/local).
            apart = root / ".moved"
            old_prefix.rename(apart)
            new_prefix.parent.mkdir(parents=True, exist_ok=True)
            apart.rename(new_prefix)
        # pip's lines of RECORD go through the site folder, whose depth is the same in both.
        moved = new_prefix / old_site.relative_to(old_prefix)
        new_site.parent.mkdir(parents=True, exist_ok=True)
        if moved != new_site:
            moved.rename(new_site)
    scripts = new_site.parents[2] / "bin"
    for script in sorted(scripts.iterdir()) if python and scripts.is_dir() else ():
        body = script.read_bytes()
        old = f"#!{sys.executable}".encode()
        if body.startswith((old + b"\n", old + b" ")):
            script.write_bytes(f"#!{python}".encode() + body[len(old) :])


def compile_sources(root: Path) -> None:
    """Bytecode of every source, on all processors; a file's is the same whoever makes it."""
    sources = [path for path in sorted(root.rglob("*.py")) if path.is_file() and not path.is_symlink()]
    processes = max(1, min(os.cpu_count() or 1, len(sources) // SOURCES_PER_PROCESS))
    children = []
    for number in range(1, processes):
        child = os.fork()
        if child == 0:
            compile_part(root, sources[number::processes])
            os._exit(0)
        children.append(child)
    compile_part(root, sources[0::processes])
    for child in children:
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(f"a process that made bytecode ended with status {status}")


def compile_part(root: Path, sources: list[Path]) -> None:
    """Write the bytecode of some sources beside them, where importlib looks for it (PEP 3147)."""
    for place in sources:
        body = bytecode_of(place.read_bytes(), "/" + str(place.relative_to(root)))
        # A file in an older Python's syntax stays without bytecode, as pip leaves it.
        if body is not None:
            target = Path(importlib.util.cache_from_source(str(place)))
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(body)


def bytecode_of(source: bytes, path: str) -> bytes | None:
    """A source's bytecode: a function of its bytes and path alone, whatever this process compiled before.

    marshal marks an object that somebody else holds, too, and the whole process shares identifiers. Before
    CPython 3.11, which always marks those, the files before would decide. Here each object is held once more.

    :returns: None where this Python can't read the source.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = compile(source, path, "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
            return None
    held: list[object] = []
    ahead: list[object] = [code]
    while ahead:
        thing = ahead.pop()
        held.append(thing)
        if isinstance(thing, types.CodeType):
            ahead += [thing.co_name, thing.co_filename, thing.co_consts, thing.co_names]
            ahead += [
                thing.co_varnames,
                thing.co_freevars,
                thing.co_cellvars,
                getattr(thing, "co_qualname", ""),
            ]
        elif isinstance(thing, (tuple, frozenset)):
            ahead += thing
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH.to_bytes(4, "little")
    return head + importlib.util.source_hash(source) + marshal.dumps(code)


def write_record(root: Path) -> None:
    """RECORD with all files that are there now, sorted, each with its hash and size."""
    record = own_record(root)
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
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-bytecode", action="store_true")
    parser.add_argument("--python", default="")
    parser.add_argument("--site", default="")
    for name, kind in (("pip", str), ("wheel", Path), ("root", Path), ("target", Path)):
        parser.add_argument(name, type=kind)
    asked = parser.parse_args()
    shutil.rmtree(asked.root, ignore_errors=True)
    asked.target.unlink(missing_ok=True)
    install(asked.pip, asked.wheel, asked.root)
    move_to_scheme(asked.root, asked.python, asked.site)
    if not asked.no_bytecode:
        compile_sources(asked.root)
    write_record(asked.root)
    move_into_tar(asked.root, asked.target)


if __name__ == "__main__":
    main()
