"""Secrets in what a job says: which values they are, and `***` in their place."""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import SecretStr

from wheelyard.errors import WheelyardError
from wheelyard.settings import Settings
from wheelyard.upstream.pip_index import configured_index

_HIDDEN = "***"
# A shorter value would be found in the middle of words.
_SHORTEST = 6
_SECRET_NAME = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|CREDENTIALS?|KEY|AUTH)(?=$|[_0-9])", re.IGNORECASE
)
# Such a variable says where a secret lies, and not what it is.
_PLACE_NAME = re.compile(r"_(PATH|FILE|DIR|HOME|NAME|ID|URL|TYPE)$", re.IGNORECASE)
_WORDS = frozenset({"true", "false", "disabled", "enabled", "default"})
Failure = TypeVar("Failure", bound=WheelyardError)


class Redaction:
    """Puts `***` in the place of known secrets, plain or encoded.

    :param secrets: their values; one of several lines is looked for line by line, one that is too short not.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for part in secret.splitlines() for form in _forms(part.strip())}
        # The longest first: one secret may begin like another.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, self._forms)))

    def hide(self, text: str) -> str:
        """The text without secrets."""
        for form in self._forms:
            # Far quicker than the pattern, and hardly ever true.
            if form in text:
                return self._pattern.sub(_HIDDEN, text)
        return text

    def hide_document(self, document: Any) -> Any:
        """The same for every string inside a JSON document; its keys are ours."""
        if not self._forms:
            return document
        if isinstance(document, str):
            return self.hide(document)
        if isinstance(document, dict):
            return {name: self.hide_document(value) for name, value in document.items()}
        if isinstance(document, list | tuple):
            return [self.hide_document(value) for value in document]
        return document

    def hide_error(self, error: Failure, **facts: Any) -> Failure:
        """The same error without secrets, of the same class and with more facts."""
        told = type(error)(
            self.hide(error.failed),
            expected=self.hide(error.expected),
            found=self.hide(error.found),
            do=self.hide(error.do),
            **self.hide_document({**error.facts, **facts}),
        )
        return told.with_traceback(error.__traceback__)


def secrets_of(settings: Settings, environment: Mapping[str, str], addresses: Iterable[str]) -> Iterator[str]:
    """Every secret that may come up in a job's log.

    :param environment: variables of a build; those that are named like secrets count.
    :param addresses: further ones, such as the upstream index's, whose passwords count.
    """
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, str):
            yield from passwords_in(value)
    for name, value in environment.items():
        yield from passwords_in(value)
        if is_secret_name(name) and value.lower() not in _WORDS and not value.startswith("/"):
            yield value
    for address in addresses:
        yield from passwords_in(address)


@functools.cache
def index_addresses(index_url: str) -> tuple[str, ...]:
    """Addresses of the upstream index and its proxy, as this process's pip is configured.

    :param index_url: from the settings; empty means pip's.
    """
    try:
        index = configured_index(index_url)
    except WheelyardError:
        # Whoever needs the index says what is wrong with it.
        return ()
    return index.url, index.proxy


def is_secret_name(name: str) -> bool:
    """Whether a variable holds a secret by its name: `API_TOKEN`, `aws_secret_access_key`; not `KEY_FILE`."""
    return bool(_SECRET_NAME.search(name)) and not _PLACE_NAME.search(name)


def passwords_in(address: str) -> Iterator[str]:
    """The password of a URL, as it stands there and decoded; without one the user, which is a token then."""
    if "@" not in address:
        return
    try:
        parts = urlsplit(address)
    except ValueError:
        return
    secret = parts.password if parts.password is not None else parts.username
    if secret:
        yield secret
        yield unquote(secret)


def _forms(secret: str) -> Iterator[str]:
    """A secret as it stands, in a URL, and inside of base64 (RFC 4648) wherever it begins there."""
    if len(secret) < _SHORTEST:
        return
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    body = secret.encode("utf-8", "surrogateescape")
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + body).decode()
        # Letters that carry bits of what stands before or behind are not the secret's own.
        first, last = -(-before * 8 // 6), (before + len(body)) * 8 // 6
        inner = encoded[first:last]
        if len(inner) >= _SHORTEST:
            yield inner
            yield inner.replace("+", "-").replace("/", "_")
