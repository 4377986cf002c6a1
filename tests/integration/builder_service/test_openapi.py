"""The API's description: complete, true, and held by the service whatever is sent to it."""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from builder_service.app import create_app
from builder_service.bodies import BuildBody
from builder_service.image_body import ImageBody
from wheelyard.settings import Settings

CHECKS: Any = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
)
BUDGET_SECONDS = 25
EXAMPLES = 20


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    app = create_app(
        Settings(redis_url="redis://127.0.0.1:9/0", store_url=f"file://{folder}", data_dir=folder)
    )
    return app.openapi()


def operations(document):
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_operation_has_a_name_of_its_own_a_tag_and_a_summary(document):
    names = [operation["operationId"] for _method, _path, operation in operations(document)]
    assert len(set(names)) == len(names) > 30
    for method, path, operation in operations(document):
        assert re.fullmatch(r"[a-z_]+", operation["operationId"]), (method, path)
        assert operation["tags"], (method, path)
        assert operation["summary"], (method, path)


def test_every_tag_is_explained(document):
    used = {tag for _method, _path, operation in operations(document) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"] if tag["description"]}


def test_every_error_is_described_as_a_problem(document):
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400":
                # Uploaders show the body of a refusal as it is, and get text where they ask for it.
                forms = set(answer["content"]) - ({"text/plain"} if path.endswith("/legacy/") else set())
                assert forms == {"application/problem+json"}, (method, path, status)
                assert answer["content"]["application/problem+json"]["schema"] == {
                    "$ref": "#/components/schemas/Problem"
                }


def test_writes_ask_for_a_token_and_so_do_reads_of_tokens(document):
    for method, path, operation in operations(document):
        writes = method not in {"get", "head"} or path.startswith("/v1/tokens")
        # Whoever comes there has none yet.
        asks = writes and path != "/v1/oidc/token"
        assert ("security" in operation) == asks, (method, path)
        assert ("401" in operation["responses"]) == asks, (method, path)


@pytest.mark.parametrize("body", [BuildBody, ImageBody])
def test_the_examples_of_requests_are_requests(document, body):
    examples = document["components"]["schemas"][body.__name__]["examples"]
    assert examples
    for example in examples:
        body.model_validate(example)


def test_every_example_of_a_request_is_taken(front_door):
    document = front_door.guest.get("/openapi.json").json()
    for place, name in (("/v1/builds", "BuildBody"), ("/v1/images", "ImageBody")):
        for example in document["components"]["schemas"][name]["examples"]:
            assert front_door.http.post(place, json=example).status_code in (200, 202)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_sent_the_answer_is_one_that_is_described(front_door, publish, mode):
    """schemathesis over every operation but the endless streams, with a bound on its time."""
    publish(front_door.services)
    schema = schemathesis.openapi.from_url(f"{front_door.url}/openapi.json").exclude(path_regex="/events$")
    each = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    tried: dict[str, float] = {}

    def hold(case: Case[Any]) -> None:
        # Every operation has its share of the time, and one case at the least.
        if time.monotonic() > tried.setdefault(case.operation.label, time.monotonic() + share):
            return
        case.call_and_validate(
            headers={"authorization": "Bearer a-token-of-the-tests"}, checks=CHECKS, timeout=20
        )

    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    share = BUDGET_SECONDS / len(operations)
    for operation in operations:
        with contextlib.suppress(Unsatisfiable):
            # What takes no input has no wrong one.
            each(given(case=operation.as_strategy(generation_mode=mode))(hold))()
    assert len(tried) > 15
