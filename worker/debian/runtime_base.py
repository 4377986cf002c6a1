"""The runtime base: libc, CPython and what its modules load, from Debian packages; nothing that builds."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runtime_images.debian_packages import STATUS_FOLDER
from runtime_images.merged_usr import MERGED, merged_path
from wheelyard.errors import InfrastructureError
from wheelyard.process import run_command
from wheelyard.toolchains import Toolchain
from worker.debian.elf import missing_libraries
from worker.layer_tar import Entry

UNPACK_TIMEOUT = 300.0
USER = 1000


# Bytes per byte of use: nothing here serves a program that runs; copyright files stay, as their licences ask.
_NOT_IN_STDLIB = {
    "ensurepip",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "test",
    "tests",
    "tkinter",
    "turtledemo",
    "idle_test",
    "turtle.py",
}
_NOT_IN_BASE = re.compile(
    r"""
    usr/share/(doc/[^/]+/.*(?<!/copyright)|doc-base/.*|man/.*|info/.*|locale/.*|lintian/.*|bug/.*|gcc/.*|gdb/.*|debconf/.*)
    | usr/share/(binfmts|applications|pixmaps|menu|reportbug|libc-bin|python3|base-files|ca-certificates)/.*
    | usr/share/zoneinfo/(posix|right)/.*
    | usr/s?bin/(?!python3\.\d+$|ldconfig$).*
    | usr/lib/(valgrind|mime|tmpfiles\.d|systemd|binfmt\.d)/.*
    | usr/lib/.*/gconv/(?!UTF-|UNICODE|ISO8859-1\.|ISO8859-15\.|CP125|gconv-modules$|gconv-modules\.d/).*
    | usr/lib/.*/(engines-\d|engines-[\d.]+)/.*
    | usr/lib/python3\.\d+/lib-dynload/(nis|_tkinter|_test\w*|_ctypes_test|_xx\w*|xx\w*)\..*
    | usr/lib/python3\.\d+/(config-.*/.*|EXTERNALLY-MANAGED)
    | etc/(?!python3|ssl|protocols|services|rpc|ethertypes|networks|mime\.types|debian_version|os-release).*
    | var/.* | home/.* | root/.* | mnt/.* | media/.* | srv/.* | opt/.* | boot/.* | run/.*
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeBase:
    """A runtime base as a folder, ready to be packed.

    :param folder: its root.
    :param packages: name to version.
    :param entries: files, folders and links that come from no package.
    """

    folder: Path
    packages: dict[str, str]
    entries: tuple[Entry, ...]


def keep_in_base(path: str) -> bool:
    """Whether a file of a package belongs into a runtime base.

    :param path: with merged `/usr`, without a slash at its start.
    """
    parts = PurePosixPath(path).parts
    in_stdlib = re.fullmatch(r"usr/lib/python3\.\d+", "/".join(parts[:3])) is not None
    if in_stdlib and _NOT_IN_STDLIB.intersection(parts[3:]):
        return False
    return _NOT_IN_BASE.fullmatch(path) is None


def assemble_base(
    toolchain: Toolchain, packages: Sequence[str], debs: Sequence[Path], work: Path
) -> RuntimeBase:
    """Lay the wanted parts of packages into one folder, and check that every library that they load is there.

    :param packages: names of the packages, exactly those; others that were downloaded with them are left out.
    :param debs: the `.deb` files.
    :param work: an empty folder for this.
    :raises InfrastructureError: a package is missing, has no copyright file, or a library is missing.
    """
    root = work / "root"
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/share", "etc"):
        (root / folder).mkdir(parents=True)
    versions: dict[str, str] = {}
    status: list[Entry] = []
    found = {deb.name.partition("_")[0]: deb for deb in debs}
    certificates: dict[str, bytes] = {}
    for name in sorted(packages):
        if name not in found:
            raise InfrastructureError(
                f"the package {name} of toolchain {toolchain.name}'s runtime base was not found",
                expected=f"a package of the release {toolchain.debian.suite if toolchain.debian else ''}",
                do="mend base_packages in the toolchain's file",
            )
        control = run_command(["dpkg-deb", "--field", str(found[name])], timeout=UNPACK_TIMEOUT)
        versions[name] = _field(control, "Version")
        unpacked = work / "package"
        run_command(["dpkg-deb", "--raw-extract", str(found[name]), str(unpacked)], timeout=UNPACK_TIMEOUT)
        sums = _kept_sums(unpacked / "DEBIAN" / "md5sums")
        status.append(Entry(path=f"{STATUS_FOLDER}/{name}", content=control.encode()))
        status.append(Entry(path=f"{STATUS_FOLDER}/{name}.md5sums", content=sums.encode()))
        shutil.rmtree(unpacked / "DEBIAN")
        certificates.update(_certificates(unpacked))
        _merge(unpacked, root)
        shutil.rmtree(unpacked)
    _check_copyrights(root, packages, toolchain.name)
    _link_ldconfig_cache(root)
    missing = missing_libraries(root)
    if missing:
        raise InfrastructureError(
            f"the runtime base of toolchain {toolchain.name} lacks libraries",
            found=", ".join(f"{library} (for {user})" for library, user in sorted(missing.items())),
            do="add the packages that hold them to base_packages in the toolchain's file",
        )
    entries = (*status, *_fixed_entries(toolchain), *_trust(certificates))
    return RuntimeBase(folder=root, packages=versions, entries=entries)


def _field(control: str, name: str) -> str:
    return next(
        line.partition(":")[2].strip() for line in control.splitlines() if line.startswith(f"{name}:")
    )


def _merge(unpacked: Path, root: Path) -> None:
    for place in _files(unpacked):
        path = merged_path(str(place.relative_to(unpacked)))
        if not keep_in_base(path):
            continue
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink() and not target.exists():
            place.rename(target)


def _files(folder: Path) -> Iterator[Path]:
    """Files and links below a folder; a link to a folder is a link."""
    for here, folders, files in os.walk(folder):
        for name in sorted([*files, *(name for name in folders if (Path(here) / name).is_symlink())]):
            yield Path(here) / name


def _kept_sums(place: Path) -> str:
    lines = place.read_text("utf-8").splitlines() if place.is_file() else []
    rows = (line.partition("  ")[::2] for line in lines)
    kept = sorted((merged_path(path), digest) for digest, path in rows)
    return "".join(f"{digest}  {path}\n" for path, digest in kept if keep_in_base(path))


def _certificates(unpacked: Path) -> dict[str, bytes]:
    folder = unpacked / "usr/share/ca-certificates"
    return {str(place.relative_to(folder)): place.read_bytes() for place in sorted(folder.rglob("*.crt"))}


def _check_copyrights(root: Path, packages: Sequence[str], name: str) -> None:
    without = [
        package
        for package in packages
        if not (root / "usr/share/doc" / package / "copyright").resolve().is_file()
    ]
    if without:
        raise InfrastructureError(
            f"packages of the runtime base of {name} come without their copyright files",
            found=", ".join(without),
            do="add the package that their documentation links to to base_packages",
        )


def _link_ldconfig_cache(root: Path) -> None:
    # As another user than root, a name space of one's own gives the chroot(2) that ldconfig needs.
    prefix = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    for name in MERGED:
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"usr/{name}")
    run_command([*prefix, "/sbin/ldconfig", "-X", "-r", str(root)], timeout=UNPACK_TIMEOUT)
    shutil.rmtree(root / "var", ignore_errors=True)


def _trust(certificates: dict[str, bytes]) -> Iterator[Entry]:
    bundle = b"".join(certificates[name].rstrip(b"\n") + b"\n" for name in sorted(certificates))
    yield Entry(path="etc/ssl/certs/ca-certificates.crt", content=bundle)
    # Where Debian's OpenSSL looks, and with it Python's ssl.create_default_context().
    yield Entry(path="usr/lib/ssl", mode=0o755)
    yield Entry(path="usr/lib/ssl/cert.pem", link="/etc/ssl/certs/ca-certificates.crt")
    yield Entry(path="usr/lib/ssl/certs", link="/etc/ssl/certs")


def _fixed_entries(toolchain: Toolchain) -> Iterator[Entry]:
    passwd = (
        "root:x:0:0:root:/root:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        f"app:x:{USER}:{USER}:app:/app:/usr/sbin/nologin\n"
    )
    yield Entry(path="etc/passwd", content=passwd.encode())
    yield Entry(path="etc/group", content=f"root:x:0:\nnogroup:x:65534:\napp:x:{USER}:\n".encode())
    yield Entry(path="etc/nsswitch.conf", content=b"passwd: files\ngroup: files\nhosts: files dns\n")
    yield Entry(path="etc/localtime", link="/usr/share/zoneinfo/Etc/UTC")
    yield Entry(path="etc/timezone", content=b"Etc/UTC\n")
    yield Entry(path="app", mode=0o755, owner=USER)
    # syft looks for what lies in a folder only where that is a member of some layer.
    records = [STATUS_FOLDER, *map(str, PurePosixPath(STATUS_FOLDER).parents)][:-1]
    for folder in ("dev", "proc", "run", "sys", "root", "home", *records):
        yield Entry(path=folder, mode=0o755)
    for folder in ("tmp", "var/tmp"):
        yield Entry(path=folder, mode=0o1777)
    yield Entry(path="usr/bin/python3", link=f"python{toolchain.python.version}")
    yield Entry(path="usr/bin/python", link="python3")
