"""Labels on the stages of a Dockerfile."""

from __future__ import annotations

from worker.comparison.marked_stages import mark_stages

GIVEN = """\
ARG BASE
FROM --platform=linux/amd64 ${BASE} AS builder
RUN psql -c "select * \\
  FROM table"
# FROM nowhere
from scratch
COPY --from=builder / /
"""
MARKED = """\
ARG BASE
FROM --platform=linux/amd64 ${BASE} AS builder
LABEL a=1 b=two
RUN psql -c "select * \\
  FROM table"
# FROM nowhere
from scratch
LABEL a=1 b=two
COPY --from=builder / /
"""


def test_each_stage_and_nothing_else_is_marked():
    assert mark_stages(GIVEN, {"a": "1", "b": "two"}) == MARKED


def test_a_last_line_without_its_end_is_whole():
    assert mark_stages("FROM base", {"a": "1"}) == "FROM base\nLABEL a=1\n"
