"""How a plan's node becomes the request for a wheel job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wheelyard.build_key import BuildInputs
from wheelyard.build_limits import limits_of_build
from wheelyard.build_request import BuildRequest
from wheelyard.plan import PlanNode, Role
from wheelyard.requests import Caller
from worker.context import Work


def submit_wheel(
    work: Work, request: BuildRequest, node: PlanNode, *, image: str, runtime: Sequence[str]
) -> str:
    """Submit the wheel job of a node; gives the job's id. The same node again gives the same one.

    :param image: of the toolchain, `sha256:…`.
    :param runtime: build keys of all that the wheel needs beside it when it is checked.
    """
    services, job = work.services, work.claim.job
    inputs = BuildInputs.from_document(node.inputs)
    document: dict[str, Any] = {
        "inputs": node.inputs,
        "image": image,
        "runtime": list(runtime),
        "limits": limits_of_build(services.settings, request.toolchain, inputs, request.limits).to_document(),
    }
    if not node.is_checked:
        document["test"] = False
    if node.role is Role.BOOTSTRAP:
        # It has the name of the wheel that is built with its help, which is the one to be had.
        document["show"] = False
    bootstrap = " (bootstrap)" if node.role is Role.BOOTSTRAP else ""
    submission = services.requests.wheel(
        node.key, spec=document, title=f"{node.project} {node.version}{bootstrap}", subject=node.project,
        toolchain=job.toolchain, channel=job.channel, caller=Caller.of_job(job, services.owner),
    )  # fmt: skip
    return submission.job.id
