"""Which wheels an image can take: those that its pins name, and that run on its toolchain's base."""

from __future__ import annotations

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from wheelyard.errors import InputError
from wheelyard.image_record import WheelPin
from wheelyard.wheel_tags import accepted_tags


def refuse_foreign_wheel(pin: WheelPin, python_tag: str, policy: str) -> None:
    """Check that a wheel is what its pin says and runs where the image will.

    :raises InputError: its file name is none, or names another project, version, Python or platform.
    """
    try:
        name, version, _, tags = parse_wheel_filename(pin.filename)
        pinned = Version(pin.version)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise InputError(f"{pin.filename!r} is not the name of a wheel", found=str(error)) from error
    # A version has more than one spelling: 1.0 and 1.0.0 are equal.
    if name != canonicalize_name(pin.project) or version != pinned:
        raise InputError(
            f"the wheel {pin.filename} is not the one that is pinned",
            expected=pin.title,
            found=f"{name} {version}",
        )
    if not tags & accepted_tags(python_tag, policy):
        raise InputError(
            f"the wheel {pin.filename} does not run on this image's base",
            expected=f"a wheel for {python_tag} and {policy} or older",
            found=", ".join(sorted(map(str, tags))),
            do="take the toolchain that the wheel was built with, or build the project for this one",
        )
