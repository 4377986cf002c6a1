"""images, their tags that move, the manifests of repositories, and uploads that are under way"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Sorted by their bytes on every database, as the registry's lists are.
_BYTEWISE = sa.String(200).with_variant(sa.String(200, collation="C"), "postgresql")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "images",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("digest", sa.String(71), nullable=False, index=True),
        sa.Column("image_id", sa.String(71), nullable=False, index=True),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("toolchain", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("unpacked", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False, index=True),
    )
    op.create_table(
        "image_tags",
        sa.Column("repository", _BYTEWISE, primary_key=True),
        sa.Column("tag", _BYTEWISE, primary_key=True),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("media_type", sa.String(200), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )
    op.create_index("image_tags_by_digest", "image_tags", ["digest"])
    op.create_table(
        "image_tag_moves",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("repository", _BYTEWISE, nullable=False),
        sa.Column("tag", _BYTEWISE, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("image_key", sa.String(64), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )
    op.create_index("image_tag_moves_by_tag", "image_tag_moves", ["repository", "tag", "at"])
    op.create_table(
        "image_manifests",
        sa.Column("repository", _BYTEWISE, primary_key=True),
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("media_type", sa.String(200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(71), nullable=False),
        sa.Column("artifact_type", sa.Text(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
    )
    op.create_index("image_manifests_by_subject", "image_manifests", ["repository", "subject"])
    op.create_index("image_manifests_by_digest", "image_manifests", ["digest"])
    op.create_table(
        "image_blobs",
        sa.Column("repository", _BYTEWISE, primary_key=True),
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("manifest", sa.String(71), primary_key=True),
        sa.Column("at", sa.Float(), nullable=False),
    )
    op.create_index("image_blobs_by_manifest", "image_blobs", ["repository", "manifest"])
    op.create_table(
        "image_uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("repository", _BYTEWISE, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(200), nullable=False),
        sa.Column("at", sa.Float(), nullable=False, index=True),
    )
    op.create_table(
        "image_upload_parts",
        sa.Column("upload", sa.String(32), primary_key=True),
        sa.Column("begins", sa.BigInteger(), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
    )
