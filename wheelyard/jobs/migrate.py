"""Bring the database's tables to this version: `python -m wheelyard.jobs.migrate`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from wheelyard.settings import read_settings


def migrate(url: str) -> None:
    """Run every Alembic migration that the database lacks. Idempotent.

    :param url: SQLAlchemy address.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


if __name__ == "__main__":
    settings = read_settings()
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    migrate(settings.effective_database_url)
