"""files of any origin, channels, projects, upstream pages and files, tokens"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    for name in ("wheels_by_project", "wheels_by_build_key", "wheels_by_digest"):
        op.drop_index(name, "wheels")
    op.rename_table("wheels", "files")
    with op.batch_alter_table("files") as batch:
        batch.add_column(sa.Column("kind", sa.String(8), nullable=False, server_default="wheel"))
        batch.add_column(sa.Column("origin", sa.String(10), nullable=False, server_default="built"))
        batch.add_column(sa.Column("uploader", sa.String(200), nullable=False, server_default=""))
        batch.add_column(sa.Column("provenance", sa.String(71), nullable=False, server_default=""))
        batch.add_column(sa.Column("yanked", sa.Text(), nullable=True))
        batch.add_column(sa.Column("used_at", sa.Float(), nullable=False, server_default="0"))
    op.create_index("files_by_project", "files", ["channel", "project"])
    op.create_index("files_by_build_key", "files", ["build_key", "channel"])
    op.create_index("files_by_digest", "files", ["digest"])
    _tables()
    _note_channels()
    _count_changes()


def _tables() -> None:
    op.create_table(
        "channels",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("base", sa.String(64), nullable=False),
        sa.Column("upstream", sa.String(10), nullable=False),
        sa.Column("upstream_kinds", sa.String(10), nullable=False),
        sa.Column("upstream_projects", sa.JSON(), nullable=False),
        sa.Column("min_age", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "projects",
        sa.Column("project", sa.String(200), primary_key=True),
        sa.Column("owned", sa.Boolean(), nullable=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_table(
        "upstream_pages",
        sa.Column("project", sa.String(200), primary_key=True),
        sa.Column("page", sa.String(71), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "upstream_files",
        sa.Column("digest", sa.String(71), primary_key=True),
        sa.Column("project", sa.String(200), nullable=False),
        sa.Column("filename", sa.String(300), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("metadata_digest", sa.String(71), nullable=False),
        sa.Column("fetched_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_upstream_files_project", "upstream_files", ["project"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False, unique=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("exchanged", sa.String(64), nullable=True, unique=True),
        sa.Column("made_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("used_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=False),
    )


def _note_channels() -> None:
    """The channels that were used so far exist by now; `default` always does."""
    connection = op.get_bind()
    used = connection.execute(sa.text("SELECT channel FROM files UNION SELECT channel FROM jobs"))
    rows = [{"name": name, "now": time.time()} for name in sorted({"default", *used.scalars()})]
    connection.execute(
        sa.text(
            "INSERT INTO channels "
            "(name, base, upstream, upstream_kinds, upstream_projects, min_age, made_at) "
            "VALUES (:name, '', 'off', 'both', '[]', 0, :now)"
        ),
        rows,
    )


# What a page shows of a file; that a file was used is no change of a page.
_SHOWN = (
    "channel, filename, project, version, kind, digest, size, requires_python, metadata_digest, provenance, "
    "yanked, published_at"
)


def _count_changes() -> None:
    """Let the database count what changes a channel's pages, so that no writer can forget to.

    A later migration that makes `files` or `projects` anew on SQLite (`batch_alter_table`) drops their
    triggers, and has to make them again.
    """
    if op.get_bind().dialect.name == "sqlite":
        _count_on_sqlite()
    else:
        _count_on_postgres()


def _count_on_sqlite() -> None:
    one = "UPDATE channels SET version = version + 1 WHERE name ="
    every = "UPDATE channels SET version = version + 1"
    for name, when, action in (
        ("files_added", "INSERT ON files", f"{one} NEW.channel"),
        ("files_removed", "DELETE ON files", f"{one} OLD.channel"),
        ("files_changed", f"UPDATE OF {_SHOWN} ON files", f"{one} NEW.channel"),
        ("projects_added", "INSERT ON projects", every),
        ("projects_removed", "DELETE ON projects", every),
        ("projects_changed", "UPDATE ON projects", every),
    ):
        op.execute(f"CREATE TRIGGER {name} AFTER {when} FOR EACH ROW BEGIN {action}; END")


def _count_on_postgres() -> None:
    update = "UPDATE channels SET version = version + 1"
    for name, action in (
        ("count_shown_files", f"{update} WHERE name IN (SELECT channel FROM touched)"),  # noqa: S608 - fixed
        ("count_changed_file", f"{update} WHERE name = NEW.channel"),
        ("count_projects", update),
    ):
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {action}; RETURN NULL; END $$"
        )
    # Once for a statement and not for a row: many files come in one when a database is made again.
    whole = "TABLE AS touched FOR EACH STATEMENT"
    for name, when, function in (
        ("files_added", f"INSERT ON files REFERENCING NEW {whole}", "count_shown_files"),
        ("files_removed", f"DELETE ON files REFERENCING OLD {whole}", "count_shown_files"),
        ("files_changed", f"UPDATE OF {_SHOWN} ON files FOR EACH ROW", "count_changed_file"),
        ("projects_changed", "INSERT OR UPDATE OR DELETE ON projects FOR EACH STATEMENT", "count_projects"),
    ):
        op.execute(f"CREATE TRIGGER {name} AFTER {when} EXECUTE FUNCTION {function}()")
