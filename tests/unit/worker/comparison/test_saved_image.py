"""A saved image, measured: what its layers leave of each other, and what a registry would hold."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from wheelyard.errors import EngineFailed
from worker.comparison.saved_image import read_saved

STATUS = (
    "Package: libc6\nStatus: install ok installed\n\nPackage: gone\nStatus: deinstall ok config-files\n\n"
    "Package: gcc\nStatus: install ok installed\n"
)


def layer(files: Mapping[str, tuple[int, bytes]], links: Mapping[str, str] | None = None) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        for path, (mode, content) in files.items():
            member = tarfile.TarInfo(path)
            member.mode, member.size = mode, len(content)
            tar.addfile(member, io.BytesIO(content))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return body.getvalue()


def archive(folder: Path, name: str, layers: Sequence[bytes]) -> Path:
    ids = [hashlib.sha256(body).hexdigest() for body in layers]
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{one}" for one in ids]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "Layers": [f"{one}.tar" for one in ids]}]).encode()
    members = {f"{one}.tar": body for one, body in zip(ids, layers, strict=True)}
    place = folder / name
    with tarfile.open(place, mode="w") as tar:
        for path, content in {**members, "config.json": config, "manifest.json": manifest}.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return place


BASE = layer(
    {
        "usr/bin/gcc": (0o755, b"compiler"),
        "usr/bin/su": (0o4755, b"root"),
        "usr/lib/libx.so.1": (0o755, b"library"),
        "usr/bin/curl": (0o755, b"fetch"),
        "var/lib/dpkg/status": (0o644, STATUS.encode()),
        "site/numpy-2.0.dist-info/METADATA": (0o644, b"Name: numpy"),
    },
    {"usr/bin/python": "python3"},
)


def test_what_a_later_layer_takes_away_is_not_in_the_image_but_in_its_size(tmp_path: Path) -> None:
    upper = layer({"usr/bin/.wh.gcc": (0o644, b""), "usr/bin/.wh.su": (0o644, b"")})
    whole, thinner = (
        read_saved(archive(tmp_path, name, layers)) for name, layers in (("a", [BASE]), ("b", [BASE, upper]))
    )
    assert (whole.build_tools, whole.setuid) == ({"gcc": "/usr/bin/gcc"}, ("/usr/bin/su",))
    assert (dict(thinner.build_tools), thinner.setuid) == ({}, ())
    assert thinner.unpacked == len(BASE) + len(upper)
    # gcc, su and curl; a library is none, however its mode is, and neither is a link.
    assert (whole.executables, thinner.executables) == (3, 1)


def test_packages_are_counted_by_the_records_that_lie_in_the_image(tmp_path: Path) -> None:
    ours = layer({f"var/lib/dpkg/status.d/{name}": (0o644, b"") for name in ("zlib1g", "zlib1g.md5sums")})
    assert read_saved(archive(tmp_path, "a", [BASE])).debian_packages == 2
    assert read_saved(archive(tmp_path, "b", [ours])).debian_packages == 1
    assert read_saved(archive(tmp_path, "c", [BASE])).python_packages == 1


def test_compressed_is_what_gzip_makes_of_each_layer(tmp_path: Path) -> None:
    saved = read_saved(archive(tmp_path, "a", [BASE]))
    assert saved.compressed == pytest.approx(len(gzip.compress(BASE, 6)), abs=8)


def test_a_second_image_costs_only_the_layers_that_the_first_has_not(tmp_path: Path) -> None:
    one, other = layer({"a": (0o644, b"1" * 9000)}), layer({"a": (0o644, bytes(range(256)) * 40)})
    first = read_saved(archive(tmp_path, "a", [BASE, one]))
    second = read_saved(archive(tmp_path, "b", [BASE, other]), first.layers)
    assert second.pulled_after(first) == second.documents + second.layers[1].compressed
    assert second.pulled_after(second) == second.documents


def test_refuses_what_no_engine_saved(tmp_path: Path) -> None:
    place = tmp_path / "a"
    place.write_bytes(BASE)
    with pytest.raises(EngineFailed, match="not an image"):
        read_saved(place)
