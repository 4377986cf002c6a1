"""The registry that clients pull images from and push to: the OCI distribution API under `/v2/`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from builder_service import registry_access, registry_pushes, registry_reads
from builder_service.registry_access import PUBLISHER, READER
from builder_service.registry_errors import RegistryRoute, Unsupported

APART = registry_pushes.APART
router = APIRouter()
_rest = APIRouter(include_in_schema=False, route_class=RegistryRoute)


@_rest.api_route("/v2/{rest:path}", methods=["GET", "HEAD"], dependencies=READER)
@_rest.api_route("/v2/{rest:path}", methods=["POST", "PUT", "PATCH", "DELETE"], dependencies=PUBLISHER)
async def nothing(rest: str, request: Request) -> Response:
    """What the registry does not do, told as its clients expect it."""
    raise Unsupported(
        f"the registry does not answer {request.method} at this address",
        expected="an address of the OCI distribution specification",
        found=f"/v2/{rest[:200]}",
    )


for part in (registry_access.router, registry_reads.router, registry_pushes.router, _rest):
    router.include_router(part)
