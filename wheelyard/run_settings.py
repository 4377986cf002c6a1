"""How an image is run: user, entry point, variables, ports and health check, refused where they can't be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck

_USER = re.compile(r"(\d{1,10})(:\d{1,10})?", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"/(?:[^/\x00-\x1f\x7f]+/)*[^/\x00-\x1f\x7f]*")
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")
_HIGHEST_PORT = 65535
_HIGHEST_ID = 2**32 - 2
"""Above it are the numbers by which the kernel means nobody."""
_LONGEST = 7 * 86400.0
_MOST_RETRIES = 1000


class RunSettings(Protocol):
    """What a request and the spec that is made of it both say of how an image is run."""

    @property
    def user(self) -> str:
        """`UID` or `UID:GID`."""

    @property
    def allow_root(self) -> bool:
        """Whether user 0 is meant."""

    @property
    def entrypoint(self) -> tuple[str, ...]:
        """Program and first arguments."""

    @property
    def command(self) -> tuple[str, ...]:
        """Arguments after the entry point."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the container."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of the image."""

    @property
    def workdir(self) -> str:
        """Absolute path."""

    @property
    def ports(self) -> tuple[str, ...]:
        """`8080/tcp`."""

    @property
    def healthcheck(self) -> HealthCheck | None:
        """None where there is none."""


def check_run_settings(run: RunSettings) -> None:
    """Refuse what no image can be run with, before anything is built for it.

    :raises InputError: the message says what it is.
    """
    _check_user(run.user, allow_root=run.allow_root)
    _check_arguments("entry point", run.entrypoint)
    _check_arguments("command", run.command)
    _check_program("entry point", run.entrypoint or run.command)
    _check_pairs(run)
    normal_ports(run.ports)
    if run.healthcheck is not None:
        _check_health(run.healthcheck)
    if not _PATH.fullmatch(run.workdir) or {"..", "."} & set(run.workdir.split("/")):
        raise InputError(
            "the working folder can't be used",
            expected="an absolute path without `..`, for instance /app",
            found=repr(run.workdir[:200]),
        )


def normal_ports(ports: Iterable[str]) -> tuple[str, ...]:
    """Ports as image configs write them: each once, with its protocol, in the order of their numbers.

    :param ports: `8080` or `8080/tcp`, `53/udp`.
    :raises InputError: one is no port.
    """
    found = set()
    for port in ports:
        match = _PORT.fullmatch(port)
        if match is None or not 1 <= int(match[1]) <= _HIGHEST_PORT:
            raise InputError(
                "a port of the image can't be used",
                expected=f"a number from 1 to {_HIGHEST_PORT}, such as 8080 or 53/udp",
                found=repr(port[:80]),
            )
        found.add((int(match[1]), match[2] or "tcp"))
    return tuple(f"{number}/{protocol}" for number, protocol in sorted(found))


def _check_user(user: str, *, allow_root: bool) -> None:
    match = _USER.fullmatch(user)
    if not match or any(int(number) > _HIGHEST_ID for number in user.split(":")):
        raise InputError(
            "the image's user can't be used",
            expected="numbers: UID or UID:GID, for instance 1000:1000",
            found=repr(user[:80]),
        )
    if int(match[1]) == 0 and not allow_root:
        raise InputError(
            "the image would run as root",
            expected="a user other than 0",
            found=repr(user),
            do="choose another user, or say --allow-root (allow_root = true)",
        )


def _check_arguments(role: str, arguments: Sequence[str]) -> None:
    if isinstance(arguments, str):
        raise InputError(
            f"the {role} must be a list",
            expected='a list of words, for instance ["python3", "main.py"]',
            found=repr(arguments)[:200],
            do="write it as a list; no shell is there to split it",
        )
    if any("\0" in word for word in arguments):
        raise InputError(f"the {role} holds a NUL character", found=repr(arguments)[:200])
    if arguments and not arguments[0] and role != "command":
        raise InputError(f"the {role}'s program is empty", found=repr(arguments)[:200])


def _check_program(role: str, arguments: Sequence[str]) -> None:
    """A program's path goes down from where it begins, so that it is in the image's files for sure."""
    if arguments and ".." in arguments[0].split("/"):
        raise InputError(
            f"the {role}'s program leads out of its folder",
            expected="a name, an absolute path, or one below the working folder, without `..`",
            found=repr(arguments[0][:200]),
        )


def _check_pairs(run: RunSettings) -> None:
    for name, value in run.environment.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise InputError(
                "a variable of the image can't be set",
                expected="a name of letters, digits and `_`, and a value without NUL",
                found=f"{name!r}={value!r}"[:200],
            )
    for name, value in run.labels.items():
        if not name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name + value):
            raise InputError(
                "a label of the image can't be set",
                expected="a name, and no line break or control character in name and value",
                found=f"{name!r}={value!r}"[:200],
            )


def _check_health(check: HealthCheck) -> None:
    if not check.test:
        raise InputError(
            "the health check runs nothing",
            expected='a list of words, for instance ["python3", "-c", "…"]',
            found="an empty list",
        )
    _check_arguments("health check", check.test)
    _check_program("health check", check.test)
    for name, value, least in (
        ("interval", check.interval, 0.001),
        ("timeout", check.timeout, 0.001),
        ("start_period", check.start_period, 0.0),
    ):
        if not least <= value <= _LONGEST:
            raise InputError(
                f"the health check's {name} can't be used",
                expected=f"seconds from {least:g} to {_LONGEST:g}",
                found=repr(value),
            )
    if not 1 <= check.retries <= _MOST_RETRIES:
        raise InputError(
            "the health check's retries can't be used",
            expected=f"a number from 1 to {_MOST_RETRIES}",
            found=repr(check.retries),
        )
