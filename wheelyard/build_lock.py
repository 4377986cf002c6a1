"""The lock of a build environment: what it is found by, and how a wheel's record makes it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.utils import parse_wheel_filename

from wheelyard.build_key import BuildInputs, ConfigSetting
from wheelyard.digests import Digest, key_of
from wheelyard.locks import IndexFile, Lock, Pin


def build_lock_key(
    *,
    sdist: str,
    image: str,
    environment: Mapping[str, str],
    config_settings: Mapping[str, ConfigSetting],
    build_deps: str = "wheels",
    build_requires: Sequence[str] = (),
    replaced_build_requires: Sequence[str] | None = None,
    patches: Sequence[str] = (),
) -> str:
    """What decides a build environment; the first lock of one holds, so that build keys hold, too.

    What came later is no part of the key where it says nothing, so that the locks from before it stay.

    :param sdist: digest of the source distribution, `sha256:…`.
    :param image: id of the toolchain's compile image, `sha256:…`.
    :param environment: variables that the recipe sets.
    :param config_settings: PEP 517 config settings that the recipe sets.
    :param build_deps: `source` where its wheels are built here, too, else `wheels`.
    :param build_requires: that the recipe adds.
    :param replaced_build_requires: that the recipe puts in the place of the sdist's static ones.
    :param patches: digests of the recipe's patches, `sha256:…`, in their order.
    """
    key: dict[str, Any] = {
        "sdist": sdist,
        "image": image,
        "environment": dict(environment),
        "config_settings": dict(config_settings),
    }
    if build_deps != "wheels":
        key["build_deps"] = build_deps
    if build_requires:
        key["build_requires"] = list(build_requires)
    if replaced_build_requires is not None:
        key["replaced_build_requires"] = list(replaced_build_requires)
    if patches:
        key["patches"] = list(patches)
    return key_of(key)


def lock_key_of(inputs: BuildInputs) -> str:
    """The key of the build environment that a wheel was made in."""
    return build_lock_key(
        sdist=inputs.sdist,
        image=inputs.toolchain,
        environment=inputs.environment,
        config_settings=inputs.config_settings,
        build_deps=inputs.build_deps,
        build_requires=inputs.build_requires,
        replaced_build_requires=inputs.replaced_build_requires,
        patches=inputs.patches,
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
