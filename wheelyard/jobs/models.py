"""The tables: jobs, their children and transitions, and what was published. SQLite and PostgreSQL alike."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_ACTIVE = text("state IN ('queued', 'building', 'publishing')")


class Base(DeclarativeBase):
    """Root of the tables."""


class JobRow(Base):
    """One job; see `wheelyard.jobs.states.Job` for the columns' meaning. Times are epoch seconds."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("jobs_one_active_per_key", "key", unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index("jobs_by_state", "state", "priority", "created_at"),
        Index("jobs_by_key", "key", "ended_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    queue: Mapped[str] = mapped_column(String(100))
    toolchain: Mapped[str] = mapped_column(String(64))
    channel: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(500))
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    phase: Mapped[str] = mapped_column(String(100), default="")
    priority: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(String(200), default="")
    lease_until: Mapped[float] = mapped_column(Float, default=0.0)
    attempts: Mapped[int] = mapped_column(default=0)
    waiters: Mapped[int] = mapped_column(default=1)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    rung_at: Mapped[float] = mapped_column(Float, default=0.0)
    log: Mapped[str] = mapped_column(String(71), default="")
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float] = mapped_column(Float, default=0.0)
    ended_at: Mapped[float] = mapped_column(Float, default=0.0)


class JobChildRow(Base):
    """A job that another one waits for."""

    __tablename__ = "job_children"
    parent: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    child: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True, index=True)


class TransitionRow(Base):
    """Who moved a job from one state to another, when and why."""

    __tablename__ = "transitions"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(200))
    before: Mapped[str] = mapped_column(String(16))
    after: Mapped[str] = mapped_column(String(16))
    fence: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)


class WheelRow(Base):
    """A wheel that a channel shows. A file name in a channel never changes its bytes."""

    __tablename__ = "wheels"
    __table_args__ = (
        Index("wheels_by_project", "channel", "project"),
        Index("wheels_by_build_key", "build_key", "channel"),
        Index("wheels_by_digest", "digest"),
    )
    channel: Mapped[str] = mapped_column(String(64), primary_key=True)
    filename: Mapped[str] = mapped_column(String(300), primary_key=True)
    project: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(71))
    size: Mapped[int] = mapped_column(BigInteger)
    requires_python: Mapped[str] = mapped_column(String(200), default="")
    metadata_digest: Mapped[str] = mapped_column(String(71))
    build_key: Mapped[str] = mapped_column(String(64))
    published_at: Mapped[float] = mapped_column(Float)


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
