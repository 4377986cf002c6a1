"""A wheel that is made again because the store lost its bytes: of the same inputs, and the very same."""

from __future__ import annotations

from packaging.utils import parse_wheel_filename

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest
from wheelyard.errors import BuildFailed
from wheelyard.locks import IndexFile
from wheelyard.upstream.fetch import fetch_file
from wheelyard.upstream.index import Upstream
from wheelyard.upstream.pip_index import configured_index
from wheelyard.wheel_record import WheelRecord
from worker.context import Work


def fetch_lost_inputs(work: Work, inputs: BuildInputs) -> None:
    """Bring what a wheel is made of back into the store, by its digests, as far as it is lost, too.

    :raises NotFound: the upstream index has such a file no more.
    """
    services = work.services
    upstream = Upstream(configured_index(services.settings.index_url))
    files = [(inputs.project, inputs.sdist_filename, inputs.sdist)]
    files += [(parse_wheel_filename(name)[0], name, digest) for name, digest in inputs.build_wheels.items()]
    for project, filename, digest in files:
        work.check()
        file = IndexFile(filename=filename, digest=Digest.parse(digest))
        fetch_file(project, file, services.store, upstream, scratch=work.scratch)


def build_number_of(record: WheelRecord) -> int:
    """The build number (PEP 427) that the lost wheel had; 0 for none."""
    build = parse_wheel_filename(record.filename)[2]
    return build[0] if build else 0


def refuse_another(record: WheelRecord, filename: str, digest: Digest) -> None:
    """Let a wheel take the place of a lost one only where it is the very same.

    :raises BuildFailed: it is not; the file's name stays bound to the lost bytes.
    """
    if (filename, digest) != (record.filename, record.digest):
        raise BuildFailed(
            f"{record.filename} was lost, and made again it is another wheel: the same inputs do not give "
            "the same bytes",
            expected=f"{record.filename}, {record.digest}",
            found=f"{filename}, {digest}",
            do="restore that blob from a backup of the bucket. Without one: the name stays bound to the lost "
            "bytes, so let another version or another recipe take its place",
            build_key=record.key,
        )
