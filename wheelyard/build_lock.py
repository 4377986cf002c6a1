"""The lock of a build environment: what it is found by, and how a wheel's record makes it again."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.utils import parse_wheel_filename

from wheelyard.build_key import BuildInputs
from wheelyard.digests import Digest, key_of
from wheelyard.locks import IndexFile, Lock, Pin


def build_lock_key(
    *, sdist: str, image: str, environment: Mapping[str, str], config_settings: Mapping[str, str]
) -> str:
    """What decides a build environment; the first lock of one holds, so that build keys hold, too.

    :param sdist: digest of the source distribution, `sha256:…`.
    :param image: id of the toolchain's compile image, `sha256:…`.
    :param environment: variables that the recipe sets.
    :param config_settings: PEP 517 config settings that the recipe sets.
    """
    return key_of(
        {
            "sdist": sdist,
            "image": image,
            "environment": dict(environment),
            "config_settings": dict(config_settings),
        }
    )


def lock_key_of(inputs: BuildInputs) -> str:
    """The key of the build environment that a wheel was made in."""
    return build_lock_key(
        sdist=inputs.sdist,
        image=inputs.toolchain,
        environment=inputs.environment,
        config_settings=inputs.config_settings,
    )


def lock_of(inputs: BuildInputs) -> Lock:
    """The build environment that a wheel was made in, as a lock: its wheels by file name and digest."""
    pins = []
    for filename, digest in sorted(inputs.build_wheels.items()):
        project, version, _build, _tags = parse_wheel_filename(filename)
        file = IndexFile(filename=filename, digest=Digest.parse(digest))
        pins.append(Pin(project=project, version=str(version), files=(file,)))
    pins.sort(key=lambda pin: pin.project)
    lines = [f"{pin.project}=={pin.version} --hash={_hash(pin)}" for pin in pins]
    return Lock(pins=tuple(pins), text="".join(f"{line}\n" for line in lines))


def _hash(pin: Pin) -> str:
    return f"sha256:{pin.files[0].digest.hex}"
