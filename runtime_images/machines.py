"""The machines that images can be made for, in the words of wheels and of containers."""

from __future__ import annotations

from wheelyard.errors import InputError

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Machine of a platform tag to GOARCH name."""


def machine_of(policy: str) -> str:
    """The machine of a platform tag: `x86_64` or `aarch64`.

    :raises InputError: it is another one.
    """
    for machine in ARCHITECTURES:
        if policy.endswith(f"_{machine}"):
            return machine
    raise InputError(
        "images can't be made for that platform", expected=" or ".join(ARCHITECTURES), found=policy
    )
