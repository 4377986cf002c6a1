"""One run of `wheelyard plan`: a job's plan as it stands, a request's plan, or what a change of it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wheelyard.cli.exits import BUILD_FAILED, DONE
from wheelyard.cli.follow_job import follow_to_end, report_end
from wheelyard.cli.plan_change import changed_request, cost_document, write_cost
from wheelyard.cli.plan_text import write_plan
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.tables import write_json
from wheelyard.client import Client
from wheelyard.plan import Standing
from wheelyard.plan_answer import PlanAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRun:
    """How plans are asked for and shown. Each of its ways gives the command's exit code.

    :param workers: builds at a time that the end is reckoned for; 0 for what the live ones can do.
    :param tree: each node below what needs it, and not a table.
    :param svg: where the picture goes, too; None for nowhere.
    :param as_json: one JSON document at the end, and nothing else.
    """

    client: Client
    style: ProgressStyle
    workers: int
    tree: bool
    svg: Path | None
    as_json: bool

    def look(self, job_id: str) -> int:
        """Show the plan of a job as it stands."""
        self._show(self.client.plan_of(job_id, workers=self.workers))
        return DONE

    def run(self, request: Mapping[str, Any]) -> int:
        """Plan a request, and show that."""
        answer, code = self._planned(request)
        if answer is not None:
            self._show(answer)
        return code

    def compare(self, request: Mapping[str, Any], changes: Sequence[str]) -> int:
        """Plan a request with and without changes, and say what they cost.

        :raises InputError: a change is none that can be made.
        """
        changed = changed_request(request, changes)
        now, code = self._planned(request)
        if now is None:
            return code
        then, code = self._planned(changed)
        if then is None:
            return code
        if self.as_json or self.style is ProgressStyle.JSON:
            self._write(cost_document(now, then, changes))
        else:
            write_cost(now, then, changes)
        return code

    def _planned(self, request: Mapping[str, Any]) -> tuple[PlanAnswer | None, int]:
        """The plan of a request and the exit code that it means; no plan where its job ended badly."""
        quiet = ProgressStyle.QUIET if self.as_json else self.style
        ended = follow_to_end(self.client, self.client.plan(request), quiet)
        if not ended.succeeded:
            style = ProgressStyle.JSON if self.as_json else self.style
            return None, report_end(ended, style, self.client.url)
        answer = self.client.plan_of(ended.id, workers=self.workers, inputs=True)
        lost = [node for node in answer.plan or () if node.standing in (Standing.BLOCKED, Standing.FAILED)]
        return answer, BUILD_FAILED if lost else DONE

    def _show(self, answer: PlanAnswer) -> None:
        if self.svg is not None:
            self.svg.write_text(self.client.plan_picture(answer.job.id), encoding="utf-8")
        if self.as_json or self.style is ProgressStyle.JSON:
            self._write(answer.document)
        else:
            write_plan(answer, tree=self.tree)

    def _write(self, document: Mapping[str, Any]) -> None:
        """One document for whoever asked for one, else one more line behind those of the events."""
        if self.as_json:
            write_json(document)
        else:
            write_json_line({"type": "plan", **document})
