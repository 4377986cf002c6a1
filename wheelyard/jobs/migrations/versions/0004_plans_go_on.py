"""a job that waits goes on when one of its children ends"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    with op.batch_alter_table("jobs") as batch:
        batch.add_column(sa.Column("stirred", sa.Boolean(), nullable=False, server_default=sa.false()))
