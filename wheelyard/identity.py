"""Who sends a request, as far as its token tells, and what he may do."""

from __future__ import annotations

from dataclasses import dataclass

from wheelyard.access_token import AccessToken, Scope, held_scopes
from wheelyard.errors import Forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A sender and his rights.

    :param name: of his token; empty for everybody who needs none. It is the actor of what he changes.
    :param scopes: every right that he has, those that others imply too.
    :param channels: that he may use; empty means all.
    :param token: public id of his token; empty for the service's own one, and for none.
    """

    name: str
    scopes: frozenset[Scope]
    channels: frozenset[str] = frozenset()
    token: str = ""

    @classmethod
    def of(cls, token: AccessToken) -> Identity:
        """The bearer of a token."""
        return cls(
            name=token.name,
            scopes=held_scopes(token.scopes),
            channels=frozenset(token.channels),
            token=token.id,
        )

    def may_use(self, channel: str) -> bool:
        """Whether a channel is one of his."""
        return not self.channels or channel in self.channels

    def check_scope(self, scope: Scope) -> None:
        """Refuse him where he lacks a right.

        :raises Forbidden: he does; the message names it.
        """
        if scope not in self.scopes:
            raise Forbidden(
                f"the token {self.name!r} does not have the scope {scope}",
                expected=f"the scope {scope}",
                found=", ".join(sorted(self.scopes)),
                do=f"ask an administrator for one: wheelyard token create --name NAME --scope {scope}",
                scope=scope.value,
            )

    def check_channel(self, channel: str) -> None:
        """Refuse him where a channel is none of his.

        :raises Forbidden: it is not; the message names it.
        """
        if not self.may_use(channel):
            raise Forbidden(
                f"the token {self.name!r} is not for the channel {channel}",
                expected=f"a token for the channel {channel}, or for every channel",
                found=", ".join(sorted(self.channels)),
                do="use another channel, or ask an administrator for a token with "
                f"`wheelyard token create --name NAME --channel {channel}`",
                channel=channel,
            )


EVERYBODY = Identity(name="", scopes=frozenset({Scope.READ}))
"""Who reads what is open to all."""
