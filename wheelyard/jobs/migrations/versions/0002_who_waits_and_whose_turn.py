"""who waits by name, turns of clients, workers, idempotency keys and webhooks"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ACTIVE = sa.text("state IN ('queued', 'building', 'publishing')")


def upgrade() -> None:
    """Apply the change."""
    _tables()
    _move_waiters()
    with op.batch_alter_table("jobs") as batch:
        batch.drop_index("jobs_by_state")
        batch.drop_column("waiters")
        batch.add_column(sa.Column("subject", sa.String(200), nullable=False, server_default=""))
        batch.add_column(sa.Column("client", sa.String(200), nullable=False, server_default=""))
        batch.add_column(sa.Column("trace", sa.String(55), nullable=False, server_default=""))
        batch.add_column(sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"))
        batch.add_column(sa.Column("not_before", sa.Float(), nullable=False, server_default="0"))
    op.create_index(
        "jobs_active_by_turn",
        "jobs",
        ["queue", "priority", "turn", "id"],
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_index(
        "jobs_active_by_client",
        "jobs",
        ["queue", "priority", "client", "turn"],
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_index("jobs_by_subject", "jobs", ["kind", "subject", "toolchain", "ended_at"])
    op.create_index("jobs_by_age", "jobs", ["created_at", "id"])
    with op.batch_alter_table("transitions") as batch:
        batch.add_column(sa.Column("cause", sa.String(16), nullable=False, server_default="phase"))
        batch.create_index("transitions_by_cause", ["cause"])


def _tables() -> None:
    op.create_table(
        "waiters",
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("trace", sa.String(55), nullable=False, server_default=""),
        sa.Column("joined_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "workers",
        sa.Column("owner", sa.String(200), primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(50), nullable=False),
        sa.Column("queues", sa.JSON(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("cores", sa.Float(), nullable=False),
        sa.Column("memory", sa.BigInteger(), nullable=False),
        sa.Column("draining", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("waiter", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_idempotency_keys_made_at", "idempotency_keys", ["made_at"])
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("delivered_at", sa.Float(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
    )
    op.create_index("ix_webhooks_job", "webhooks", ["job"])
    op.create_index("ix_webhooks_due_at", "webhooks", ["due_at"])


def _move_waiters() -> None:
    """Give the active jobs' waiters names: the jobs that wait theirs, and requests one for all of a job's."""
    op.execute(
        "INSERT INTO waiters (job, id, webhook, joined_at) SELECT pair.child, pair.parent, '', 0 "
        "FROM job_children AS pair JOIN jobs AS child ON child.id = pair.child "
        "JOIN jobs AS parent ON parent.id = pair.parent "
        "WHERE child.state IN ('queued', 'building', 'publishing') "
        "AND parent.state IN ('queued', 'building', 'publishing')"
    )
    op.execute(
        "INSERT INTO waiters (job, id, webhook, joined_at) SELECT id, 'before-0002', '', 0 FROM jobs "
        "WHERE state IN ('queued', 'building', 'publishing') "
        "AND waiters > (SELECT COUNT(*) FROM waiters WHERE waiters.job = jobs.id)"
    )
