"""The check of a native artifact: made reproducible, and nothing in it that leads out of it."""

from __future__ import annotations

import fnmatch
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from runtime_images.tar_layer import TarRules
from runtime_images.tar_layer import normalise_tar as check_members
from wheelyard.errors import BuildFailed, ForeignOutputRefused
from worker.layer_tar import normalise_tar
from worker.toolchain_images import COMPILE_MTIME

_RULES = TarRules(origin="the native artifact")


def refuse_ways_out(archive: Path) -> None:
    """Look at every member of an archive, and follow its links as the kernel would.

    The filters of tarfile (PEP 706) say the same, but Debian 12's Python has none.

    :param archive: uncompressed.
    :raises ForeignOutputRefused: a name or link leads out of it, or it holds a device.
    """
    with Path(os.devnull).open("wb") as nowhere:
        check_members(archive, nowhere, _RULES)


def check_archive(raw: Path, target: Path, leave_out: Sequence[str]) -> int:
    """Write an artifact's archive as it is published: sorted, one time, root's, without what is left out.

    :param raw: the uncompressed tar archive that the container gave.
    :param leave_out: paths below the prefix, as `fnmatch` reads them.
    :returns: number of its files and links.
    :raises ForeignOutputRefused: it is no archive, or a name or link in it leads out of it.
    :raises BuildFailed: nothing is in it.
    """

    def keep(path: str) -> bool:
        return not any(fnmatch.fnmatchcase(path, pattern) for pattern in leave_out)

    try:
        with tarfile.open(raw, mode="r:") as tar:
            holes = next((member.name for member in tar if member.issparse()), None)
        if holes is not None:
            # Its size is a claim: written out it may be larger than any disk.
            raise ForeignOutputRefused("a native artifact has a file with holes", found=repr(holes[:200]))
        with target.open("wb") as stream:
            normalise_tar(raw, stream, mtime=COMPILE_MTIME, keep=keep)
        refuse_ways_out(target)
        with tarfile.open(target, mode="r:") as tar:
            count = sum(not member.isdir() for member in tar)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise ForeignOutputRefused(
            "the native artifact can't be published",
            expected="an archive of files, and of links that stay inside of it",
            found=str(error),
        ) from error
    if count == 0:
        raise BuildFailed(
            "the native artifact is empty",
            expected="files below its prefix",
            do="mend `steps` or `leave_out` in its recipe",
        )
    return count
