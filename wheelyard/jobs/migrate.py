"""Bring the database's tables to this version: `python -m wheelyard.jobs.migrate`."""

from __future__ import annotations

import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from wheelyard.errors import InfrastructureError, WheelyardError
from wheelyard.settings import read_settings


def migrate(url: str) -> None:
    """Run every Alembic migration that the database lacks, in one transaction. Idempotent.

    :param url: SQLAlchemy address.
    :raises InfrastructureError: one failed; the database is as it was.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["url"] = url
    try:
        command.upgrade(config, "head")
    except (DBAPIError, CommandError) as error:
        raise InfrastructureError(
            "the database could not be brought to this version",
            expected="a database of this version or of an earlier one, that answers",
            found=str(error).splitlines()[0],
            do="it is as it was: mend what was found, then run `python -m wheelyard.jobs.migrate` again",
        ) from error


def main() -> int:
    """Migrate the database that the settings name."""
    try:
        settings = read_settings()
        if not settings.database_url:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        migrate(settings.effective_database_url)
    except WheelyardError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
