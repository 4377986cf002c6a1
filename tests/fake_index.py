"""Channels, yanks and projects of the fake service."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from wheelyard.errors import Conflict, InputError, NotFound

_PLAIN = {"base": "", "upstream": "off", "kinds": "both", "projects": [], "min_age": 0}
_STATUSES = {"active", "archived", "quarantined", "deprecated"}
Answer = tuple[Any, int]


class FakeIndex:
    """In memory; `answer` speaks the addresses below /v1/channels and /v1/projects.

    :param wheels: the service's.
    """

    def __init__(self, wheels: list[dict[str, Any]]) -> None:
        self.wheels = wheels
        self.channels: dict[str, dict[str, Any]] = {"default": _channel("default", _PLAIN)}
        self.projects: dict[str, dict[str, Any]] = {}

    def answer(self, method: str, path: str, body: bytes) -> Answer | None:
        """What the service says there, and the status; None where it is none of these addresses."""
        given = json.loads(body) if body else {}
        if path == "/v1/channels":
            return {"channels": [self.channels[name] for name in sorted(self.channels)]}, 200
        if found := re.fullmatch(r"/v1/channels/([^/]+)", path):
            return self._channel(method, unquote(found[1]), given)
        if found := re.fullmatch(r"/v1/channels/([^/]+)/files/([^/]+)/yank", path):
            return self._yank(method, unquote(found[1]), unquote(found[2]), given)
        if found := re.fullmatch(r"/v1/projects/([^/]+)", path):
            return self._project(method, canonicalize_name(unquote(found[1])), given)
        return None

    def _channel(self, method: str, name: str, given: dict[str, Any]) -> Answer:
        kept = self.channels.get(name)
        if method == "PUT":
            made = _channel(name, {**_PLAIN, **given})
            if kept is None:
                self._check_base(name, made["base"])
                self.channels[name] = made
            elif {**made, "made_at": 0} != {**kept, "made_at": 0}:
                raise Conflict(f"there is a channel {name} already, with other settings")
            return self.channels[name], 201 if kept is None else 200
        if kept is None:
            raise NotFound(
                f"there is no channel {name}", do=f"make it with `wheelyard channel create {name}`"
            )
        if method == "PATCH":
            self._check_base(name, given.get("base", ""))
            kept.update(given)
        elif method == "DELETE":
            if name == "default" or any(wheel["channel"] == name for wheel in self.wheels):
                raise Conflict(f"the channel {name} can't be removed: it has files")
            del self.channels[name]
            return {}, 200
        return kept, 200

    def _check_base(self, name: str, base: str) -> None:
        chain = base
        while chain:
            if chain == name:
                raise Conflict(f"the channel {name} can't build on {base}")
            if chain not in self.channels:
                raise NotFound(f"there is no channel {chain}")
            chain = self.channels[chain]["base"]

    def _yank(self, method: str, channel: str, filename: str, given: dict[str, Any]) -> Answer:
        for wheel in self.wheels:
            if (wheel["channel"], wheel["filename"]) == (channel, filename):
                wheel["yanked"] = given.get("reason", "") if method == "PUT" else None
                return wheel, 200
        raise NotFound(f"the channel {channel} has no file {filename!r} of its own")

    def _project(self, method: str, name: str, given: dict[str, Any]) -> Answer:
        plain = {"name": name, "owned": False, "decided": False, "status": "active", "reason": ""}
        kept = self.projects.get(name, plain)
        if method == "PATCH":
            if given.get("status", "active") not in _STATUSES:
                raise InputError("the request is wrong at body.status")
            kept = {**kept, **given, "decided": kept["decided"] or "owned" in given}
            self.projects[name] = kept
        return kept, 200


def _channel(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    url = "/simple/" if name == "default" else f"/channels/{name}/simple/"
    return {"name": name, **settings, "made_at": 1_764_000_000.0, "url": url}
