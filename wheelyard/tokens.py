"""The access tokens of the database: made, found by their secrets, listed and revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from sqlalchemy import delete, or_, select, update

from wheelyard.access_token import PREFIX, AccessToken, Scope
from wheelyard.catalogue import check_channel
from wheelyard.errors import Conflict, InfrastructureError, InputError, NotFound
from wheelyard.jobs.database import Database
from wheelyard.jobs.models import TokenRow
from wheelyard.jobs.rows import new_row

REMEMBERED_SECONDS = 5.0
"""Time within which a revocation holds in every process; in the one that carries it out it holds at once."""

EXCHANGE_SECONDS = 7 * 86400.0
"""Time for which it is known what was exchanged for a token; what lives longer than that can't be taken."""

_GRACE_SECONDS = 86400.0
_REMEMBERED = 4096
_NOTED_SECONDS = 60.0
_BYTES = 32
_SECRET = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{43}")


class Tokens:
    """Opaque tokens of 256 random bits, of which only the SHA-256 is kept. Safe to share between threads.

    A plain digest is enough for a secret that nobody can guess; slow ones are for passwords.

    :param clock: epoch seconds.
    :param ticks: monotonic seconds, for what this process remembers.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._found: dict[str, tuple[AccessToken, float]] = {}

    def create(
        self,
        name: str,
        scopes: Iterable[Scope],
        channels: Iterable[str] = (),
        lifetime: float | None = None,
        *,
        subject: str = "",
        exchanged: str | None = None,
    ) -> tuple[AccessToken, str]:
        """Make a token; its secret is given here and nowhere else.

        :param channels: that it is for; none means all.
        :param lifetime: in seconds; None means for ever.
        :param subject: whose identity it is exchanged for.
        :param exchanged: names what it is exchanged for, which is taken once only, within a week.
        :raises InputError: the name, a scope or a channel can't be taken.
        :raises Conflict: what it is exchanged for was taken before.
        """
        rights, places = _checked(name, scopes, channels)
        secret, now = PREFIX + secrets.token_urlsafe(_BYTES), self._clock()
        fields = {
            "id": secrets.token_hex(6),
            "name": name,
            "scopes": rights,
            "channels": places,
            "subject": subject,
            "made_at": now,
            "expires_at": 0.0 if lifetime is None else now + lifetime,
            "used_at": 0.0,
            "revoked_at": 0.0,
        }
        once = None if exchanged is None else _hashed(exchanged)
        with self._database.transaction() as session:
            if once is not None:
                old = TokenRow.made_at < now - EXCHANGE_SECONDS - _GRACE_SECONDS
                session.execute(delete(TokenRow).where(TokenRow.exchanged.is_not(None), old))
            added = session.scalar(
                new_row(session, TokenRow)
                .values(**fields, secret=_hashed(secret), exchanged=once)
                .on_conflict_do_nothing(index_elements=["exchanged"])
                .returning(TokenRow.id)
            )
            if added is None:
                raise Conflict("it was exchanged for a token before", do="ask its issuer for a fresh one")
            return _token(session.get_one(TokenRow, added)), secret

    def remembered(self, secret: str) -> AccessToken | None:
        """A token that was found a moment ago; it costs no question to the database."""
        hashed = _hashed(secret)
        known = self._found.get(hashed)
        return None if known is None or known[1] <= self._ticks() else known[0]

    def find(self, secret: str) -> AccessToken | None:
        """The token of a secret, expired and revoked ones too, or None where there is none.

        One look-up by an index, and once a minute at the most a note of its use; none of either within
        `REMEMBERED_SECONDS` of the last time.
        """
        if not _SECRET.fullmatch(secret):
            return None
        known = self.remembered(secret)
        if known is not None:
            return known
        hashed = _hashed(secret)
        asked = self._ticks()
        with self._database.reading() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.secret == hashed))
        if row is None:
            return None
        found = _token(row)
        if found.is_good(self._clock()):
            self._note_use(found)
        with self._lock:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[hashed] = (found, asked + REMEMBERED_SECONDS)
        return found

    def list(self, *, ended: bool = False) -> list[AccessToken]:
        """The tokens, oldest first.

        :param ended: revoked and expired ones, too.
        """
        query = select(TokenRow).order_by(TokenRow.made_at, TokenRow.id)
        if not ended:
            query = query.where(
                TokenRow.revoked_at == 0,
                or_(TokenRow.expires_at == 0, TokenRow.expires_at > self._clock()),
            )
        with self._database.reading() as session:
            return [_token(row) for row in session.scalars(query)]

    def revoke(self, token_id: str) -> AccessToken:
        """End a token for good; to revoke it twice is the same as once.

        :raises NotFound: there is none of that id.
        """
        with self._database.transaction() as session:
            row = session.get(TokenRow, token_id)
            if row is None:
                raise NotFound(f"there is no token {token_id[:40]!r}", do="see `wheelyard token list --all`")
            row.revoked_at = row.revoked_at or self._clock()
            revoked = _token(row)
        with self._lock:
            for hashed in [key for key, (token, _) in self._found.items() if token.id == token_id]:
                del self._found[hashed]
        return revoked

    def _note_use(self, token: AccessToken) -> None:
        now = self._clock()
        if now - token.used_at < _NOTED_SECONDS:
            return
        # It is a note for people: a database that can't be written to just now ends no request.
        with suppress(InfrastructureError), self._database.transaction() as session:
            session.execute(
                update(TokenRow)
                .where(TokenRow.id == token.id, TokenRow.used_at <= now - _NOTED_SECONDS)
                .values(used_at=now)
            )


def _checked(name: str, scopes: Iterable[Scope], channels: Iterable[str]) -> tuple[list[str], list[str]]:
    rights = sorted({scope.value for scope in scopes})
    places = sorted({check_channel(channel) for channel in channels})
    if not name.strip() or not name.isprintable() or len(name) > 200:
        raise InputError(
            "the token's name can't be taken", expected="1 to 200 printable characters", found=repr(name[:80])
        )
    if not rights:
        raise InputError("the token has no scope", expected=f"some of {', '.join(Scope)}")
    if Scope.ADMIN in rights and places:
        raise InputError(
            "an administrator's token can't be for some channels only",
            expected="no channels, or other scopes than admin",
            found=", ".join(places),
        )
    return rights, places


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: TokenRow) -> AccessToken:
    return AccessToken(
        id=row.id,
        name=row.name,
        scopes=tuple(Scope(scope) for scope in row.scopes),
        channels=tuple(row.channels),
        subject=row.subject,
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
        revoked_at=row.revoked_at,
    )
