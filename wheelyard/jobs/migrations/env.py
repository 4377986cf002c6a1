"""What Alembic runs: the migrations, in one transaction, on the address that `migrate` was given."""

from typing import Any

from alembic import context
from sqlalchemy import event

from wheelyard.jobs.database import open_engine
from wheelyard.jobs.models import Base

engine = open_engine(context.config.attributes["url"])
sqlite = engine.dialect.name == "sqlite"

if sqlite:

    @event.listens_for(engine, "connect")
    def _without_foreign_keys(connection: Any, _record: Any) -> None:
        # A table is changed by dropping it and filling a new one of its name: rows that point to it stay as
        # they are, and are checked at the end. Within a transaction the pragma would do nothing.
        connection.execute("PRAGMA foreign_keys=OFF")


try:
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
        if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
            raise ValueError(f"rows that point nowhere: {broken[:3]}")
        connection.commit()
finally:
    engine.dispose()
