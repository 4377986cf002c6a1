"""Whether a lock's line can be meant for any toolchain: they are all CPython on Linux."""

from __future__ import annotations

from packaging.markers import Marker

_PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
_MACHINES = ("x86_64", "aarch64")


def may_hold_on_linux(marker: Marker | None) -> bool:
    """Whether a marker (PEP 508) may hold for some toolchain."""
    return marker is None or any(
        marker.evaluate(_environment(python, machine)) for python in _PYTHONS for machine in _MACHINES
    )


def _environment(python: str, machine: str) -> dict[str, str]:
    full = f"{python}.9"
    return {
        "python_version": python, "python_full_version": full, "implementation_version": full,
        "implementation_name": "cpython", "platform_python_implementation": "CPython",
        "os_name": "posix", "sys_platform": "linux", "platform_system": "Linux",
        "platform_machine": machine, "platform_release": "", "platform_version": "", "extra": "",
    }  # fmt: skip
