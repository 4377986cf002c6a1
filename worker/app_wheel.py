"""The application's own wheel: looked at before anything is built for it, as whatever comes from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName, default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename

from runtime_images.wheel_tags import refuse_foreign_wheel
from wheelyard.digests import Digest
from wheelyard.distributions.core_metadata import check_for_publication, read_core_metadata
from wheelyard.distributions.refusal import Refusal, SizeLimits
from wheelyard.distributions.wheel_file import check_wheel_file
from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.image_request import ImageRequest
from wheelyard.requirements import normalise_requirements
from wheelyard.store.contract import Store
from wheelyard.toolchains import Toolchain


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWheel:
    """A wheel that is the application.

    :param requires: what it needs under the toolchain's Python, without what only its extras need.
    """

    pin: WheelPin
    requires: tuple[str, ...]


def app_pin(request: ImageRequest) -> WheelPin | None:
    """The application's wheel as one of an image's wheels; None where the request has none."""
    if not request.app_wheel:
        return None
    project, version, _, _ = parse_wheel_filename(request.app_wheel_name)
    return WheelPin(
        project=project,
        version=str(version),
        filename=request.app_wheel_name,
        digest=Digest.parse(request.app_wheel),
    )


def read_app_wheel(
    pin: WheelPin, toolchain: Toolchain, store: Store, folder: Path, *, max_bytes: int
) -> AppWheel:
    """Verify the wheel and read what it requires.

    :param folder: where the file is laid for as long as it is read.
    :param max_bytes: size of the file at the most.
    :raises InputError: it is not in the store, is for another platform or Python, or requires what no index
        has.
    :raises ForeignOutputRefused: it is no wheel, or not what its name says.
    """
    refuse_foreign_wheel(pin, toolchain.python.tag, toolchain.policy)
    path = folder / pin.filename
    if not store.fetch_blob(pin.digest, path):
        raise InputError(
            f"the application's wheel {pin.filename} is not in the store any more",
            expected=f"a blob {pin.digest}",
            do="ask for the image again, which sends it again",
        )
    try:
        checked = check_wheel_file(path, SizeLimits.of(max_bytes))
    finally:
        path.unlink(missing_ok=True)
    refuse = Refusal(f"the wheel {pin.filename}")
    found = read_core_metadata(checked.metadata, "METADATA", refuse)
    check_for_publication(checked.metadata, found, "METADATA", refuse)
    # Patch versions of one toolchain differ from host to host; no project asks for one above all others.
    python = f"{toolchain.python.version}.99"
    if python not in SpecifierSet(found.requires_python, prereleases=True):
        raise InputError(
            f"the application's wheel {pin.filename} is for another Python",
            expected=f"one that takes Python {toolchain.python.version}, as {toolchain.name} has it",
            found=f"Requires-Python: {found.requires_python}",
            do="choose another toolchain",
        )
    environment = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_version": toolchain.python.version,
        "python_full_version": python,
        "extra": "",
    }
    wanted = [line for line in map(Requirement, found.requires_dist) if _holds(line, environment, refuse)]
    for line in wanted:
        # It was decided here, and an extra is no word of a requirements file.
        line.marker = None
    requires = normalise_requirements(map(str, wanted), pin.filename) if wanted else ()
    return AppWheel(pin=pin, requires=requires)


def _holds(line: Requirement, environment: Mapping[str, str], refuse: Refusal) -> bool:
    """Whether a requirement is one under the toolchain's Python."""
    try:
        return line.marker is None or line.marker.evaluate(dict(environment))
    except (UndefinedComparison, UndefinedEnvironmentName) as error:
        raise refuse("a Requires-Dist has a marker that can't be decided", "PEP 508", line) from error
