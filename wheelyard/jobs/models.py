"""The tables: jobs, their children and transitions, and what was published. SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column

# The same words in indexes and in queries, without parameters: only so does SQLite use a partial index.
ACTIVE = text("state IN ('queued', 'building', 'publishing')")
# Sorted by their bytes on every database, as the registry's lists are (distribution-spec, listing tags).
_BYTEWISE = String(200).with_variant(String(200, collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Root of the tables."""


class WaiterRow(Base):
    """Who waits for a job: a request, or a job by its id. The last one that leaves cancels it."""

    __tablename__ = "waiters"
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    webhook: Mapped[str] = mapped_column(Text, default="")
    trace: Mapped[str] = mapped_column(String(55), default="")
    joined_at: Mapped[float] = mapped_column(Float)


class JobRow(Base):
    """One job; see `wheelyard.jobs.states.Job` for the columns' meaning. Times are epoch seconds.

    `stirred` says that a child ended after the last claim: what waits for several may go on with that one.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_one_active_per_key", "key", unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE),
        Index(
            "jobs_active_by_turn",
            "queue",
            "priority",
            "turn",
            "id",
            sqlite_where=ACTIVE,
            postgresql_where=ACTIVE,
        ),
        Index(
            "jobs_active_by_client",
            "queue",
            "priority",
            "client",
            "turn",
            sqlite_where=ACTIVE,
            postgresql_where=ACTIVE,
        ),
        Index("jobs_by_key", "key", "ended_at"),
        Index("jobs_by_subject", "kind", "subject", "toolchain", "ended_at"),
        Index("jobs_by_age", "created_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    queue: Mapped[str] = mapped_column(String(100))
    toolchain: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(500))
    subject: Mapped[str] = mapped_column(String(200), default="")
    client: Mapped[str] = mapped_column(String(200), default="")
    trace: Mapped[str] = mapped_column(String(55), default="")
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    phase: Mapped[str] = mapped_column(String(100), default="")
    priority: Mapped[int] = mapped_column(default=0)
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    fence: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(String(200), default="")
    lease_until: Mapped[float] = mapped_column(Float, default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    rung_at: Mapped[float] = mapped_column(Float, default=0.0)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    stirred: Mapped[bool] = mapped_column(default=False)
    log: Mapped[str] = mapped_column(String(71), default="")
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float] = mapped_column(Float, default=0.0)
    ended_at: Mapped[float] = mapped_column(Float, default=0.0)
    waiters: Mapped[int] = column_property(
        # `id` is the column above, not the builtin.
        select(func.count()).where(WaiterRow.job == id).correlate_except(WaiterRow).scalar_subquery()  # noqa: A003 - see above
    )


class JobChildRow(Base):
    """A job that another one waits for."""

    __tablename__ = "job_children"
    parent: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    child: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)


class TransitionRow(Base):
    """Who moved a job from one state to another, when and why."""

    __tablename__ = "transitions"
    __table_args__ = (Index("transitions_by_cause", "cause"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    fence: Mapped[int]
    cause: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)


class WorkerRow(Base):
    """A worker process that said lately that it lives. Times are epoch seconds, memory is in bytes."""

    __tablename__ = "workers"
    owner: Mapped[str] = mapped_column(String(200), primary_key=True)
    host: Mapped[str] = mapped_column(String(200))
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(50))
    queues: Mapped[list[str]] = mapped_column(JSON)
    slots: Mapped[int]
    cores: Mapped[float] = mapped_column(Float)
    memory: Mapped[int] = mapped_column(BigInteger)
    draining: Mapped[bool] = mapped_column(default=False)
    started_at: Mapped[float] = mapped_column(Float)
    seen_at: Mapped[float] = mapped_column(Float)


class IdempotencyRow(Base):
    """What a request with an `Idempotency-Key` was answered with, so that its repeat is answered alike."""

    __tablename__ = "idempotency_keys"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    request: Mapped[dict[str, str]] = mapped_column(JSON)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    waiter: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(16))
    made_at: Mapped[float] = mapped_column(Float, index=True)


class WebhookRow(Base):
    """A message about a job's end, delivered or due; `due_at` is 0 once nothing is left to do."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    url: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[float] = mapped_column(Float, index=True)
    delivered_at: Mapped[float] = mapped_column(Float, default=0.0)
    found: Mapped[str] = mapped_column(Text, default="")


class FileRow(Base):
    """A file that a channel shows: a wheel or an sdist. A file name in a channel never changes its bytes."""

    __tablename__ = "files"
    __table_args__ = (
        Index("files_by_project", "channel", "project"),
        Index("files_by_build_key", "build_key", "channel"),
        Index("files_by_digest", "digest"),
    )
    channel: Mapped[str] = mapped_column(String(64), primary_key=True)
    filename: Mapped[str] = mapped_column(String(300), primary_key=True)
    project: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(8), default="wheel")
    origin: Mapped[str] = mapped_column(String(10), default="built")
    digest: Mapped[str] = mapped_column(String(71))
    size: Mapped[int] = mapped_column(BigInteger)
    requires_python: Mapped[str] = mapped_column(String(200), default="")
    metadata_digest: Mapped[str] = mapped_column(String(71), default="")
    build_key: Mapped[str] = mapped_column(String(64), default="")
    uploader: Mapped[str] = mapped_column(String(200), default="")
    provenance: Mapped[str] = mapped_column(String(71), default="")
    yanked: Mapped[str | None] = mapped_column(Text, default=None)
    published_at: Mapped[float] = mapped_column(Float)
    used_at: Mapped[float] = mapped_column(Float, default=0.0)


class ChannelRow(Base):
    """A named index: on what it builds, and what it takes from upstream.

    `version` counts what changes its pages; triggers on `files` and `projects` raise it (migration 0003).
    """

    __tablename__ = "channels"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    base: Mapped[str] = mapped_column(String(64), default="")
    upstream: Mapped[str] = mapped_column(String(10), default="off")
    upstream_kinds: Mapped[str] = mapped_column(String(10), default="both")
    upstream_projects: Mapped[list[str]] = mapped_column(JSON, default=list)
    min_age: Mapped[int] = mapped_column(BigInteger, default=0)
    made_at: Mapped[float] = mapped_column(Float)
    version: Mapped[int] = mapped_column(BigInteger, default=0)


class ProjectRow(Base):
    """What the team says of a project, in every channel: that it owns the name, and its status (PEP 792).

    `owned` is null where nobody said; `wheelyard.projects.Projects` then looks for uploads.
    """

    __tablename__ = "projects"
    project: Mapped[str] = mapped_column(String(200), primary_key=True)
    owned: Mapped[bool | None] = mapped_column(default=None)
    status: Mapped[str] = mapped_column(String(16), default="active")
    reason: Mapped[str] = mapped_column(Text, default="")


class UpstreamPageRow(Base):
    """The last page that the upstream index gave of a project; empty `page` says that it had none."""

    __tablename__ = "upstream_pages"
    project: Mapped[str] = mapped_column(String(200), primary_key=True)
    page: Mapped[str] = mapped_column(String(71), default="")
    etag: Mapped[str] = mapped_column(Text, default="")
    asked_at: Mapped[float] = mapped_column(Float)


class UpstreamFileRow(Base):
    """A file of the upstream index that is kept in the store, because somebody asked for it.

    The metadata of a wheel has a row of its own, whose file name ends in `.metadata`.
    """

    __tablename__ = "upstream_files"
    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
    project: Mapped[str] = mapped_column(String(200), index=True)
    filename: Mapped[str] = mapped_column(String(300))
    size: Mapped[int] = mapped_column(BigInteger)
    metadata_digest: Mapped[str] = mapped_column(String(71), default="")
    fetched_at: Mapped[float] = mapped_column(Float)
    used_at: Mapped[float] = mapped_column(Float, default=0.0)


class TokenRow(Base):
    """An access token, by the SHA-256 of its secret. Times are epoch seconds; 0 means never."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(JSON)
    channels: Mapped[list[str]] = mapped_column(JSON)
    subject: Mapped[str] = mapped_column(Text, default="")
    exchanged: Mapped[str | None] = mapped_column(String(64), unique=True, default=None)
    made_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float, default=0.0)
    used_at: Mapped[float] = mapped_column(Float, default=0.0)
    revoked_at: Mapped[float] = mapped_column(Float, default=0.0)


class ToolchainRow(Base):
    """The image that a toolchain's name stands for now; older records stay in the store."""

    __tablename__ = "toolchains"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    image: Mapped[str] = mapped_column(String(71))
    made_at: Mapped[float] = mapped_column(Float)


class CompilerCacheRow(Base):
    """The newest compiler cache of a project under a toolchain's name."""

    __tablename__ = "compiler_caches"
    project: Mapped[str] = mapped_column(String(200), primary_key=True)
    toolchain: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))
    size: Mapped[int] = mapped_column(BigInteger)
    saved_at: Mapped[float] = mapped_column(Float)


class BuildLockRow(Base):
    """The locked build environment of one sdist under one toolchain image and recipe: once made, it holds."""

    __tablename__ = "build_locks"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    lock: Mapped[str] = mapped_column(String(71))
    made_at: Mapped[float] = mapped_column(Float)


class ImageRow(Base):
    """A runtime image that was made here, so that lists need not read every record. Sizes in bytes."""

    __tablename__ = "images"
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(71), index=True)
    image_id: Mapped[str] = mapped_column(String(71), index=True)
    title: Mapped[str] = mapped_column(String(500))
    toolchain: Mapped[str] = mapped_column(String(64))
    size: Mapped[int] = mapped_column(BigInteger)
    unpacked: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[float] = mapped_column(Float, index=True)


class ImageTagRow(Base):
    """The manifest that a tag of a repository stands for now."""

    __tablename__ = "image_tags"
    __table_args__ = (Index("image_tags_by_digest", "digest"),)
    repository: Mapped[str] = mapped_column(_BYTEWISE, primary_key=True)
    tag: Mapped[str] = mapped_column(_BYTEWISE, primary_key=True)
    digest: Mapped[str] = mapped_column(String(71))
    media_type: Mapped[str] = mapped_column(String(200))
    image_key: Mapped[str] = mapped_column(String(64), default="")
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))


class ImageTagMoveRow(Base):
    """What a tag stood for from some time on, and who said so; an empty digest says that it was removed.

    The id is that of the change in the store, so that a rebuilt database has the same rows.
    """

    __tablename__ = "image_tag_moves"
    __table_args__ = (Index("image_tag_moves_by_tag", "repository", "tag", "at"),)
    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    repository: Mapped[str] = mapped_column(_BYTEWISE)
    tag: Mapped[str] = mapped_column(_BYTEWISE)
    digest: Mapped[str] = mapped_column(String(71))
    image_key: Mapped[str] = mapped_column(String(64), default="")
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))


class ImageManifestRow(Base):
    """A manifest that a repository of the registry has.

    :param subject: the manifest that it is about; empty for none.
    """

    __tablename__ = "image_manifests"
    __table_args__ = (
        Index("image_manifests_by_subject", "repository", "subject"),
        Index("image_manifests_by_digest", "digest"),
    )
    repository: Mapped[str] = mapped_column(_BYTEWISE, primary_key=True)
    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
    media_type: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(BigInteger)
    subject: Mapped[str] = mapped_column(String(71), default="")
    artifact_type: Mapped[str] = mapped_column(Text, default="")
    annotations: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))


class ImageBlobRow(Base):
    """A blob that a repository has, because a manifest of it names it; or because it was pushed lately.

    :param manifest: which one; empty for what was pushed, and is yet to be named by one.
    """

    __tablename__ = "image_blobs"
    __table_args__ = (Index("image_blobs_by_manifest", "repository", "manifest"),)
    repository: Mapped[str] = mapped_column(_BYTEWISE, primary_key=True)
    digest: Mapped[str] = mapped_column(String(71), primary_key=True)
    manifest: Mapped[str] = mapped_column(String(71), primary_key=True, default="")
    at: Mapped[float] = mapped_column(Float)


class ImageUploadRow(Base):
    """A blob that is being pushed to a repository, and how much of it is here, in bytes."""

    __tablename__ = "image_uploads"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    repository: Mapped[str] = mapped_column(_BYTEWISE)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    actor: Mapped[str] = mapped_column(String(200))
    at: Mapped[float] = mapped_column(Float, index=True)


class ImageUploadPartRow(Base):
    """One part of a blob that is being pushed: a blob of the store by itself, until the whole is there."""

    __tablename__ = "image_upload_parts"
    upload: Mapped[str] = mapped_column(String(32), primary_key=True)
    begins: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(71))
