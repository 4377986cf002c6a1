"""The git command: one commit of a repository becomes a packed folder; nothing of it is run."""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wheelyard.distributions.refusal import shown
from wheelyard.errors import DiskFull, InfrastructureError, InputError
from wheelyard.git_address import GitAddress
from wheelyard.process import run_command
from wheelyard.store.landing import disk_errors

TOP = "source"
_SHORT_SECONDS = 120.0
# Nothing but the transport that the address names; no program that a repository, a user or a host configures.
_OPTIONS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "protocol.allow": "never",
    # An allowed host must not lead into the network behind the worker.
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
}
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
# The commit's own bytes: its attributes leave nothing out and change nothing.
_ATTRIBUTES = "* -export-ignore -export-subst -text -ident -filter !eol !working-tree-encoding\n"
_NO_COMMIT = ("not our ref", "unadvertised object", "couldn't find remote ref", "no such remote ref")
_NO_ACCESS = (
    "could not read Username", "Authentication failed", "not found", "returned error: 40", "Forbidden",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What fetching one commit may take.

    :param bytes: of the repository's pack, and of the files in it, each.
    :param seconds: of each step.
    :param check: called every half second; what it raises ends the step.
    """

    bytes: int
    seconds: float
    check: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedCommit:
    """The files of one commit.

    :param archive: a `.tar.gz` with the one folder `source`.
    :param committed_at: epoch seconds.
    :param submodules: paths of repositories inside, which were not fetched.
    """

    archive: Path
    committed_at: int
    submodules: tuple[str, ...]


def fetch_commit(address: GitAddress, folder: Path, bounds: Bounds) -> PackedCommit:
    """Fetch one commit, without its history, and pack the project's folder.

    git runs here, and not in a container, for those have no network: it is a program of ours that reads
    foreign bytes, like the client of the index. It gets no credential, asks nobody, follows no redirect, and
    runs no hook and no filter; no foreign path is ever written to the disk.

    :param folder: an empty one.
    :raises InputError: there is no such repository, commit or folder, or it is too large.
    :raises InfrastructureError: it can't be reached, or git fails.
    """
    repository = folder / "repository"
    git = _Git(repository=repository, address=address, bounds=bounds, folder=folder)
    git.run("init", "--quiet", "--bare", "--template=", str(repository), inside=False)
    with disk_errors("the repository could not be written", InfrastructureError):
        (repository / "info").mkdir(exist_ok=True)
        (repository / "info" / "attributes").write_text(_ATTRIBUTES)
    git.run(
        "fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules",
        address.url, address.commit,
    )  # fmt: skip
    committed_at = int(git.run("show", "--no-patch", "--format=%ct", address.commit).strip())
    tree = f"{address.commit}:{address.subdirectory}"
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", tree)
    entries = [entry.partition("\t") for entry in listed.split("\0") if entry]
    git.run("archive", "--format=tar", f"--prefix={TOP}/", f"--output={folder / 'tree.tar'}", tree)
    archive = folder / "tree.tar.gz"
    with disk_errors("the repository could not be packed", InfrastructureError):
        _pack(folder / "tree.tar", archive, committed_at)
    return PackedCommit(
        archive=archive,
        committed_at=committed_at,
        submodules=tuple(path for about, _, path in entries if about.startswith("160000 ")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Git:
    repository: Path
    address: GitAddress
    bounds: Bounds
    folder: Path

    def run(self, *arguments: str, inside: bool = True) -> str:
        """One git command in the repository; gives its output."""
        scheme = self.address.url.partition(":")[0]
        options = {**_OPTIONS, f"protocol.{scheme}.allow": "always"}
        argv = ["git", *(word for pair in options.items() for word in ("-c", "=".join(pair)))]
        if inside:
            argv += ["--git-dir", str(self.repository)]
        try:
            output = run_command(
                [*argv, *arguments],
                timeout=self.bounds.seconds if arguments[0] == "fetch" else _SHORT_SECONDS,
                environment={**_transport(os.environ), **_ENVIRONMENT, "HOME": str(self.folder)},
                cwd=self.folder,
                check=self._check,
            )
        except DiskFull:
            raise
        except InfrastructureError as error:
            raise self._explained(arguments, error) from error
        # A quick one ends before it was looked at.
        self._check()
        return output

    def _check(self) -> None:
        self.bounds.check()
        if _size(self.folder) > self.bounds.bytes:
            raise InputError(
                f"{self.address.text} is too large",
                expected=f"at most {self.bounds.bytes} bytes",
                do="upload an sdist of it instead, or raise WHEELYARD_MAX_UPLOAD_BYTES",
            )

    def _explained(self, arguments: Sequence[str], error: InfrastructureError) -> Exception:
        said = error.found
        if arguments[0] == "fetch" and any(words in said for words in _NO_COMMIT):
            return InputError(
                f"{self.address.url} has no commit {self.address.commit}",
                found=shown(said),
                do="push it, or take the hash of one that is there: `git ls-remote` tells them",
            )
        if arguments[0] == "fetch" and any(words in said for words in _NO_ACCESS):
            return InputError(
                f"{self.address.url} can't be read without an account, or is not there",
                expected="a repository that everybody may read where the workers are",
                found=shown(said),
                do="check the address, or upload an sdist of it",
            )
        if arguments[0] in {"ls-tree", "archive"} and self.address.subdirectory:
            return InputError(
                f"the commit has no folder {self.address.subdirectory}", found=shown(said),
                do=f"mend #subdirectory= in {self.address.text}",
            )  # fmt: skip
        if not said:
            return error
        return InfrastructureError(
            f"`git {arguments[0]}` of {self.address.url} failed",
            found=shown(said),
            do="try again; a repository must be served by git's smart protocol (version 2)",
        )


def _transport(environment: Mapping[str, str]) -> dict[str, str]:
    """The machine's proxies and certificates, and nothing else of its variables."""
    return {
        name: value
        for name, value in environment.items()
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_")
    }


def _size(folder: Path) -> int:
    """Bytes of the files below a folder."""
    size = 0
    for path in folder.rglob("*"):
        # git renames its files under our eyes.
        with contextlib.suppress(OSError):
            size += path.lstat().st_size
    return size


def _pack(tree: Path, archive: Path, committed_at: int) -> None:
    """The same members with the commit's time, nobody's names and plain modes: equal commits, equal bytes."""
    with (
        tarfile.open(tree) as members,
        archive.open("wb") as stream,
        gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=6, mtime=committed_at) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in members:
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = committed_at
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            target.addfile(member, members.extractfile(member) if member.isreg() else None)
            members.members = []  # type: ignore[attr-defined]  # typeshed does not know it
