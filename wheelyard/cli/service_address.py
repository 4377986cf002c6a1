"""Where the service is: a flag, a variable, or what `wheelyard up` wrote down, in this order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from wheelyard.errors import InfrastructureError, InputError
from wheelyard.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAddress:
    """An address and the token that belongs to it.

    :param origin: where it was found, for messages.
    """

    url: str
    token: str = field(repr=False)
    origin: str


def client_file(settings: Settings) -> Path:
    """Where `wheelyard up` writes its address and token down."""
    return settings.data_dir / "run" / "client.json"


def find_service(settings: Settings) -> ServiceAddress:
    """The service that this command talks to.

    The written-down token goes to the written-down address only, never to another one.

    :param settings: flags have won over variables in it already.
    :raises InfrastructureError: there is no address anywhere.
    :raises InputError: the file can't be read.
    """
    url, token = settings.url.rstrip("/"), settings.token.get_secret_value()
    path = client_file(settings)
    if url and token:
        return ServiceAddress(url=url, token=token, origin="--url or WHEELYARD_URL")
    written = _read(path)
    if url:
        known = written is not None and written.url == url
        return ServiceAddress(
            url=url, token=written.token if known and written else token, origin="--url or WHEELYARD_URL"
        )
    if written is None:
        raise InfrastructureError(
            "no service is known",
            expected=f"--url, the variable WHEELYARD_URL, or the file {path}",
            found="none of them",
            do="run `wheelyard up` in another terminal, or give the address with --url",
        )
    return ServiceAddress(url=written.url, token=token or written.token, origin=str(path))


def _read(path: Path) -> ServiceAddress | None:
    try:
        document = json.loads(path.read_bytes())
        return ServiceAddress(
            url=str(document["url"]).rstrip("/"), token=str(document.get("token") or ""), origin=str(path)
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} can't be read",
            expected='{"url": …, "token": …}, as `wheelyard up` writes it',
            found=f"{type(error).__name__}: {error}",
            do="run `wheelyard up` again, or delete the file and give --url",
        ) from error
