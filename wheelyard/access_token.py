"""What an access token lets its bearer do."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """One right; `admin` holds all of them."""

    READ = "read"
    BUILD = "build"
    PUBLISH = "publish"
    ADMIN = "admin"
