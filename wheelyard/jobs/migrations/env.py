"""What Alembic runs: the migrations, in one transaction, on the address that `migrate` was given."""

from alembic import context

from wheelyard.jobs.database import open_engine
from wheelyard.jobs.models import Base

engine = open_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
