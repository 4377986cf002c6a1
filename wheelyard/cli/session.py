"""The session of one command: its global options, and what they lead to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    # Loaded when they are needed: `--help` and `version` answer sooner without.
    from wheelyard.client import Client
    from wheelyard.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The options before the command's name; an empty one was not given."""

    url: str = ""
    token: str = ""
    debug: bool = False

    def settings(self, **overrides: object) -> Settings:
        """The process's settings, the options winning over the environment.

        :raises InputError: a variable has a value that it can't have.
        """
        from wheelyard.settings import read_settings

        return read_settings(url=self.url or None, token=self.token or None, **overrides)

    def client(self) -> Client:
        """A client of the service that was named, or that `wheelyard up` wrote down.

        :raises InfrastructureError: none is known.
        """
        from wheelyard.cli.service_address import find_service
        from wheelyard.client import Client

        address = find_service(self.settings())
        return Client(address.url, address.token, name=_own_name())


def _own_name() -> str:
    """Who runs the command, as `user@host`, so that clients of one service can take turns."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that no account has.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"[:200]


def session_of(context: typer.Context) -> Session:
    """The session that the root command made."""
    found = context.find_object(Session)
    return found if found is not None else Session()
