"""apt over a folder of its own: one release's lists, its solver, and its downloads; nothing is installed."""

from __future__ import annotations

import difflib
import fcntl
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import unquote

from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.process import run_command
from worker.debian.mirror import KEYRING, Mirror, apt_settings

ARCHITECTURE = "amd64"
_FETCH_SECONDS = 1800.0
_SOLVE_SECONDS = 300.0
_FRESH_SECONDS = 6 * 3600.0
_NEWLY_FRESH_SECONDS = 300.0
_MOST_NAMES_SHOWN = 3

# As Debian's policy has it, two or more signs; a hyphen at the end would tell apt to remove the package.
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]")
_PRINTED = re.compile(r"^'[^']+' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<digest>[0-9a-f]{64})$")

_SETTINGS = f"""\
Dir "{{root}}/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Architecture "{ARCHITECTURE}";
APT::Architectures {{{{ "{ARCHITECTURE}"; }}}};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::ForceHash "SHA256";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Debug::NoLocking "true";
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """One binary package of the archive.

    :param version: with its epoch, as dpkg writes it.
    :param size: in bytes.
    """

    name: str
    version: str
    digest: Digest
    size: int = 0


class PrivateApt:
    """Asks apt about one release, whatever release the machine itself runs and has installed.

    Safe to use from any number of processes at the same time: the lists are renewed by one of them.

    :param suite: code name of the release.
    :param root: folder that apt takes for the machine's root; made where it is missing.
    :param check: called now and then; what it raises ends what apt does.
    """

    def __init__(
        self, suite: str, mirror: Mirror, root: Path, check: Callable[[], None] | None = None
    ) -> None:
        self._suite = suite
        self._mirror = mirror
        self._root = root.absolute()
        self._check = check

    def solve(self, names: Sequence[str], status: str) -> tuple[Deb, ...]:
        """What must be installed, beyond what is there, so that packages and all that they need are there.

        :param names: of packages.
        :param status: the text of `/var/lib/dpkg/status` of what they are added to.
        :raises InputError: the release has no such package, or it can't be added to what is there.
        :raises InfrastructureError: the mirror does not answer, or its lists are not signed by Debian.
        """
        self.refuse_unknown(names)
        place = self._root / f"status-{Digest.of(status.encode()).hex[:16]}"
        if not place.is_file():
            _lay(place, status)
        try:
            printed = self._apt(
                *("apt-get", "install", "--print-uris", "--yes", "-qq", "--no-remove"),
                *("-o", f"Dir::State::status={place}", *names),
                timeout=_SOLVE_SECONDS,
            )
        except InfrastructureError as error:
            raise InputError(
                f"Debian {self._suite} can't add {', '.join(names)} to what is there",
                found=error.found,
                do="mend `packages`, or make the toolchain again if its packages are old",
            ) from error
        return tuple(read_printed(printed.splitlines()))

    def refuse_unknown(self, names: Sequence[str]) -> None:
        """Refuse names of packages that the release does not have.

        :raises InputError: there is no such package; the message has names that are written alike.
        :raises InfrastructureError: as `solve`.
        """
        refuse_bad_names(names)
        self._renew_lists(_FRESH_SECONDS)
        try:
            self._refuse_missing(names)
        except InputError:
            # The package may be younger than the lists.
            self._renew_lists(_NEWLY_FRESH_SECONDS)
            self._refuse_missing(names)

    def download(self, debs: Iterable[Deb], folder: Path) -> dict[str, Path]:
        """Download packages, and give each one's file; apt checks them against the signed lists.

        :param folder: where the files go; it exists.
        :raises InfrastructureError: the mirror has one of them no more, or does not answer.
        """
        wanted = list(debs)
        if not wanted:
            return {}
        self._renew_lists(_FRESH_SECONDS)
        command = ["apt-get", "download", "-qq", *(f"{deb.name}={deb.version}" for deb in wanted)]
        try:
            self._apt(*command, timeout=_FETCH_SECONDS, cwd=folder)
        except InfrastructureError:
            # A point release moves files: the lists say where they are now.
            self._renew_lists(0.0)
            self._apt(*command, timeout=_FETCH_SECONDS, cwd=folder)
        found = {place.name.partition("_")[0]: place for place in folder.glob("*.deb")}
        for deb in wanted:
            place = found.get(deb.name)
            if place is None or Digest.of_file(place) != deb.digest:
                raise InfrastructureError(
                    f"the mirror's {deb.name} {deb.version} is not the one that is wanted",
                    expected=str(deb.digest),
                    found=str(Digest.of_file(place)) if place else "no file",
                )
        return {deb.name: found[deb.name] for deb in wanted}

    def fetch(self, path: str, digest: Digest, target: Path) -> None:
        """Download one file of the archive, such as a source package's; apt checks its digest.

        :param path: below the mirror's address, for instance `pool/main/f/ffmpeg/…`, or a whole address.
        :raises InfrastructureError: it is not there, or is another one.
        """
        self._lay_root()
        address = path if "://" in path else f"{self._mirror.main}/{path}"
        try:
            self._apt(
                *("/usr/lib/apt/apt-helper", "download-file", address, str(target), f"SHA256:{digest.hex}"),
                timeout=_FETCH_SECONDS,
            )
        except InfrastructureError as error:
            raise InfrastructureError(
                f"{address} can't be had",
                expected=str(digest),
                found=error.found,
                do="try again; where the mirror has another version by now, name that one in the recipe",
            ) from error

    def _refuse_missing(self, names: Sequence[str]) -> None:
        known = self._apt("apt-cache", "pkgnames", timeout=_SOLVE_SECONDS).split()
        for name in names:
            if name not in known:
                near = near_names(name, known)
                raise InputError(
                    f"Debian {self._suite} has no package {name}",
                    expected="the name of a binary package of its component main",
                    found=f"perhaps you meant {', '.join(near)}" if near else "",
                    do="mend `packages`",
                    package=name,
                )

    def _renew_lists(self, older_than: float) -> None:
        """Fetch the release's lists where those that are there are too old.

        :param older_than: in seconds.
        """
        stamp = self._root / "lists-renewed"
        with self._one_at_a_time():
            self._lay_root()
            age = time.time() - stamp.stat().st_mtime if stamp.is_file() else float("inf")
            if age <= older_than:
                return
            if not KEYRING.is_file():
                raise InfrastructureError(
                    "Debian's archive keys are not on this machine",
                    expected=str(KEYRING),
                    do="install debian-archive-keyring",
                )
            self._apt("apt-get", "update", "-qq", "--error-on=any", timeout=_FETCH_SECONDS)
            stamp.touch()

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _lay_root(self) -> None:
        for folder in (
            *("etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d"),
            *("etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial", "var/lib/dpkg"),
            "var/cache/apt/archives/partial",
        ):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
        (self._root / "var/lib/dpkg/status").touch()
        sources = "".join(f"{line}\n" for line in self._mirror.sources(self._suite))
        machine = "".join(f"{line}\n" for line in apt_settings())
        for path, text in (
            ("etc/apt/sources.list", sources),
            ("apt.conf", machine + _SETTINGS.format(root=self._root)),
        ):
            place = self._root / path
            if not place.is_file() or place.read_text("utf-8") != text:
                _lay(place, text)

    def _apt(self, *command: str, timeout: float, cwd: Path | None = None) -> str:
        fixed = ["env", f"APT_CONFIG={self._root}/apt.conf", "LC_ALL=C.UTF-8"]
        try:
            return run_command([*fixed, *command], timeout=timeout, cwd=cwd, check=self._check)
        except InfrastructureError as error:
            # The command without what stands before it.
            what = f"{Path(command[0]).name} {command[1]}"
            raise InfrastructureError(f"{what} failed for Debian {self._suite}", found=error.found) from error


def _lay(place: Path, text: str) -> None:
    """Write a file that others may read, or write, at the same time: each sees a whole one."""
    with NamedTemporaryFile("w", encoding="utf-8", dir=place.parent, delete=False) as part:
        part.write(text)
    Path(part.name).replace(place)


def refuse_bad_names(names: Iterable[str]) -> None:
    """Refuse what apt would take for something else than a package's name.

    :raises InputError: one of them is no such name.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} is not the name of a Debian package",
                expected="lower-case letters, digits and + . - such as libjpeg62-turbo-dev",
                do="mend `packages`",
            )


def read_printed(lines: Iterable[str]) -> Iterator[Deb]:
    """Packages out of what `apt-get install --print-uris` writes: `'ADDRESS' FILE SIZE SHA256:…`.

    :raises InfrastructureError: a line is of another form.
    """
    for line in lines:
        if not line.strip():
            continue
        match = _PRINTED.match(line.strip())
        parts = match["file"].removesuffix(".deb").split("_") if match else []
        if match is None or len(parts) != 3:
            raise InfrastructureError(
                "apt's answer can't be read",
                expected="'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE SHA256:…",
                found=line[:200],
            )
        yield Deb(
            name=parts[0],
            version=unquote(parts[1]),
            digest=Digest(match["digest"]),
            size=int(match["size"]),
        )


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Names that are written nearly alike, the nearest first; at most three."""
    # Names that are much longer or shorter are never near, and the comparison is slow.
    like = [one for one in known if abs(len(one) - len(name)) <= 4 and one[:2] == name[:2]]
    return difflib.get_close_matches(name, like, n=_MOST_NAMES_SHOWN, cutoff=0.7)
