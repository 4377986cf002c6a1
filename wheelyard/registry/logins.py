"""The logins of registries that docker and podman keep in their files and credential programs."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheelyard.errors import InfrastructureError, InputError
from wheelyard.process import run_command

_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PROGRAM_SECONDS = 30.0
_TOKEN_USER = "<token>"  # noqa: S105 - what credential programs write where the secret is an identity token


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who somebody is to one registry; its text never shows a secret.

    :param identity_token: exchanged for access tokens (OAuth 2); empty where user and password do that.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header (RFC 7617); empty without a user."""
        if not self.username:
            return ""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def login_files(environment: Mapping[str, str], home: Path, user: int) -> tuple[Path, ...]:
    """The files in which logins may lie, the one that wins first (docker's and containers' conventions).

    :param environment: the process's whole one: the variables are docker's and podman's, not ours.
    :param user: number of the user whose files they are.
    """
    folder = environment.get("DOCKER_CONFIG", "")
    run = environment.get("XDG_RUNTIME_DIR", "") or f"/run/containers/{user}"
    config = environment.get("XDG_CONFIG_HOME", "") or str(home / ".config")
    named = environment.get("REGISTRY_AUTH_FILE", "")
    containers = Path(run) / ("containers/auth.json" if environment.get("XDG_RUNTIME_DIR") else "auth.json")
    return (
        *((Path(named),) if named else ()),
        (Path(folder) if folder else home / ".docker") / "config.json",
        containers,
        Path(config) / "containers" / "auth.json",
    )


def own_logins() -> Logins:
    """The logins of the user that this process belongs to."""
    return Logins(login_files(os.environ, Path.home(), os.getuid()))


class Logins:
    """Finds the login of a repository in files that docker and podman write.

    :param files: the one that wins first; those that are not there are passed over.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        self.complaints: list[str] = []

    def find(self, registry: str, repository: str) -> Login | None:
        """The login of a repository; None where nobody logged in. What is amiss is kept in `complaints`.

        :param registry: `HOST` or `HOST:PORT`.
        :raises InputError: a file can't be read as one that docker or podman writes.
        """
        for path in self._files:
            document = _read(path)
            if document is None:
                continue
            found = self._in_file(document, registry, repository, path)
            if found is not None:
                return found
        return None

    def _in_file(
        self, document: Mapping[str, Any], registry: str, repository: str, path: Path
    ) -> Login | None:
        programs = _mapping(document.get("credHelpers"))
        for key in _keys(registry, repository):
            if isinstance(programs.get(key), str):
                return self._ask(programs[key], key)
        entries = {_host_and_path(str(key)): value for key, value in _mapping(document.get("auths")).items()}
        for key in _keys(registry, repository):
            login = _of_entry(_mapping(entries.get(key)), key, path)
            if login is not None:
                return login
        store = document.get("credsStore")
        return self._ask(store, registry) if isinstance(store, str) and store else None

    def _ask(self, program: str, registry: str) -> Login | None:
        if not _PROGRAM.fullmatch(program):
            self.complaints.append(f"{program!r} is not the name of a credential program")
            return None
        argv = [f"docker-credential-{program}", "get"]
        try:
            said = json.loads(run_command(argv, timeout=_PROGRAM_SECONDS, stdin=f"{registry}\n".encode()))
            user, secret = str(said["Username"]), str(said["Secret"])
        except InfrastructureError as error:
            # It fails, too, where it simply knows of no login; the registry will say whether one is needed.
            self.complaints.append(f"{error.failed}{': ' if error.found else ''}{error.found}")
            return None
        except (ValueError, KeyError, TypeError):
            self.complaints.append(f"{argv[0]} did not answer with a user and a secret")
            return None
        if user == _TOKEN_USER:
            return Login(identity_token=secret)
        return Login(username=user, password=secret)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise InputError(
            f"the logins in {path} can't be read",
            expected="a JSON object, as docker and podman write it",
            found=error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__,
            do="mend the file, or log in again",
        ) from error
    return _mapping(document)


def _keys(registry: str, repository: str) -> Iterator[str]:
    """What a login may be kept under, the narrowest first: containers keeps them by path, too."""
    parts = repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join([registry, *parts[:length]])
    yield registry


def _host_and_path(key: str) -> str:
    """An entry's key without scheme and the path of old APIs, which docker once wrote into it."""
    place = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return place.removesuffix("/v1").removesuffix("/v2")


def _of_entry(entry: Mapping[str, Any], key: str, path: Path) -> Login | None:
    token = str(entry.get("identitytoken") or "")
    if token:
        return Login(identity_token=token)
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"the login of {key} in {path} can't be read",
                expected="base64 of USER:PASSWORD",
                do="log in again",
            ) from error
        user, _, password = pair.partition(":")
        # docker pads what it wrote with zero bytes.
        return Login(username=user, password=password.rstrip("\0"))
    if entry.get("username"):
        return Login(username=str(entry["username"]), password=str(entry.get("password") or ""))
    return None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
