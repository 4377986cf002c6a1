"""mmdebstrap: Debian packages installed into a tar archive, or only downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from wheelyard.errors import InfrastructureError
from wheelyard.process import run_command
from worker.debian.mirror import KEYRING, Mirror, apt_settings

TIMEOUT = 3600.0

_LEAVE_OUT = ("doc/*", "doc-base/*", "info/*", "lintian/*", "locale/*", "man/*")

# Bytecode that is checked against nothing: with its sources' times in it, no image could be reproducible.
_COMPILE = (
    'chroot "$1" find /usr/lib /usr/share -name __pycache__ -type d -prune -exec rm -rf {} +; '
    'for folder in "$1"/usr/lib/python3*; do chroot "$1" env PYTHONHASHSEED=0 python3 -m compileall -qq '
    '--invalidation-mode unchecked-hash "${folder#"$1"}" || :; done'
)


def install_packages(
    suite: str,
    packages: Sequence[str],
    mirror: Mirror,
    target: Path,
    check: Callable[[], None] | None = None,
) -> None:
    """Install a release's smallest system and packages into a tar archive.

    :param suite: code name of the release.
    :param target: the archive, uncompressed; not yet normalised.
    :param check: called now and then; what it raises ends the bootstrap.
    :raises InfrastructureError: a package does not exist there, or the mirror does not answer.
    """
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{place}" for place in _LEAVE_OUT]
    keep = ["--dpkgopt=path-include=/usr/share/doc/*/copyright"]
    _mmdebstrap(
        [
            "--variant=minbase",
            "--format=tar",
            f"--include={','.join(packages)}",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=force-unsafe-io",
            *leave_out,
            *keep,
            f"--customize-hook={_COMPILE}",
            *(f"--aptopt={line}" for line in apt_settings()),
            suite,
            str(target),
            *mirror.sources(suite),
        ],
        check,
    )


def download_packages(
    suite: str,
    packages: Sequence[str],
    mirror: Mirror,
    folder: Path,
    check: Callable[[], None] | None = None,
) -> tuple[Path, ...]:
    """Download packages, and what they depend on, as `.deb` files; nothing of them is run.

    :param folder: below which the files go; it exists.
    :param check: as for `install_packages`.
    :returns: the files.
    :raises InfrastructureError: as `install_packages`.
    """
    _mmdebstrap(
        [
            "--variant=extract",
            "--format=null",
            f"--include={','.join(packages)}",
            f"--extract-hook=copy-out /var/cache/apt/archives {folder}",
            *(f"--aptopt={line}" for line in apt_settings()),
            suite,
            "-",
            *mirror.sources(suite),
        ],
        check,
    )
    return tuple(sorted(folder.rglob("*.deb")))


def _mmdebstrap(arguments: Sequence[str], check: Callable[[], None] | None) -> None:
    if not KEYRING.is_file():
        raise InfrastructureError(
            "Debian's archive keys are not on this machine",
            expected=str(KEYRING),
            do="install debian-archive-keyring",
        )
    if shutil.which("mmdebstrap") is None:
        raise InfrastructureError("mmdebstrap is not installed", do="run `apt-get install mmdebstrap`")
    fixed = ["env", "SOURCE_DATE_EPOCH=0", "LC_ALL=C.UTF-8", "TZ=UTC"]
    run_command([*fixed, "mmdebstrap", "--quiet", *arguments], timeout=TIMEOUT, check=check)
