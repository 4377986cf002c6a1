"""The tar inside an sdist: one folder, plain files, links that stay inside (PEP 625 and 721)."""

from __future__ import annotations

import posixpath
import tarfile
from typing import BinaryIO, cast

from wheelyard.distributions.core_metadata import LONGEST_METADATA
from wheelyard.distributions.gzip_stream import GzipStream
from wheelyard.distributions.member_names import MemberNames, TopFolder, check_path
from wheelyard.distributions.refusal import Refusal, SizeLimits

_PIECE = 128 * tarfile.BLOCKSIZE


def read_tar(
    packed: BinaryIO, size: int, top: TopFolder, limits: SizeLimits, refuse: Refusal
) -> bytes | None:
    """Check a `.tar.gz` from its first byte to its last; gives its PKG-INFO, or None where it has none.

    :param size: of the file, in bytes.
    :param top: the one folder that all of it must lie in.
    :raises ForeignOutputRefused: a member is not a file, a folder, or a link inside; or it can't be read.
    """
    stream = GzipStream(packed, size, limits, refuse)
    names, number, metadata = MemberNames(refuse), 0, None
    try:
        with tarfile.open(fileobj=cast("BinaryIO", stream), mode="r|", bufsize=_PIECE) as tar:
            for member in tar:
                number += 1
                limits.check_number(number, refuse)
                _check_member(member, top, names, refuse)
                if member.name == f"{top.name}/PKG-INFO" and member.isreg():
                    metadata = _content(tar, member, refuse)
                # It keeps every member that it saw, and there may be many.
                tar.members = []  # type: ignore[attr-defined]  # typeshed does not know it
            stream.finish()
            # A header that it can't read ends the archive for tarfile, and for other readers it does not.
            if stream.filled > tar.offset:
                raise refuse("there are bytes after its end", "zeros behind the end mark")
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise refuse("it can't be read", "a tar archive (PEP 625: pax format)", error) from error
    return metadata


def _check_member(member: tarfile.TarInfo, top: TopFolder, names: MemberNames, refuse: Refusal) -> None:
    names.add(member.name, folder=member.isdir())
    top.check(member.name, folder=member.isdir())
    if member.issparse() or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise refuse("a member is no plain file", "files, folders and links (PEP 721)", member.name)
    if member.issym() or member.islnk():
        link = member.linkname
        if member.issym():
            link = posixpath.join(posixpath.dirname(member.name), link)
        inside = posixpath.normpath(link)
        if member.linkname.startswith("/") or inside.partition("/")[0] != top.name:
            raise refuse("a link leaves the folder", "links inside of it (PEP 721)", member.name)
        check_path(inside, refuse)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, refuse: Refusal) -> bytes:
    if member.size > LONGEST_METADATA:
        raise refuse("its PKG-INFO is too large", f"at most {LONGEST_METADATA} bytes", member.size)
    content = tar.extractfile(member)
    return content.read() if content is not None else b""
