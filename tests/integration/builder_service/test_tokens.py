"""Access tokens over HTTP: who may do what, what a refusal says, and what no answer and no log shows."""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from builder_service.app import create_app
from wheelyard.access_token import Scope
from wheelyard.digests import Digest
from wheelyard.errors import InputError

ROOT = Path(__file__).parents[3]
BUILD = {"requirements": ["six"]}
# What is read where reads are open; everything else asks for a scope of its own.
OPEN = {"/healthz", "/readyz", "/metrics", "/problems/{kind}", "/v1/oidc/token"}
# They look at the token themselves: clients of the registry learn there how to say who they are.
OPEN |= {"/v2", "/v2/", "/v2/token"}


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def made(front_door):
    """Makes a token over HTTP."""

    def make(*scopes, channels=(), expires="90d", name="CI"):
        body = {"name": name, "scopes": list(scopes), "channels": list(channels), "expires": expires}
        answer = front_door.http.post("/v1/tokens", json=body)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    return make


def test_a_token_is_shown_once_and_then_only_what_is_known_of_it(front_door, made):
    token = made("build", channels=["default"], expires="12h")
    assert re.fullmatch(r"wy_[A-Za-z0-9_-]{43}", token["secret"])
    assert abs(token["expires_at"] - token["made_at"] - 12 * 3600) < 1
    listed = front_door.http.get("/v1/tokens")
    assert [one["id"] for one in listed.json()["tokens"]] == [token["id"]]
    assert token["secret"] not in listed.text
    assert Digest.of(token["secret"].encode()).hex not in listed.text


def test_each_scope_gives_its_rights_and_no_others(front_door, made):
    for scope, statuses in (
        ("read", (403, 403, 403, 403, 403)),
        ("build", (202, 403, 201, 404, 403)),
        ("publish", (403, 403, 403, 403, 403)),
        ("admin", (202, 202, 201, 404, 200)),
    ):
        headers = bearer(made(scope)["secret"])
        found = (
            front_door.guest.post("/v1/builds", json=BUILD, headers=headers).status_code,
            front_door.guest.post("/v1/toolchains/debian12-cp311/builds", headers=headers).status_code,
            front_door.guest.put(f"/v1/blobs/{Digest.of(b'x')}", content=b"x", headers=headers).status_code,
            front_door.guest.delete(f"/v1/jobs/{'0' * 32}", headers=headers).status_code,
            front_door.guest.get("/v1/tokens", headers=headers).status_code,
        )
        assert (scope, found) == (scope, statuses)


def test_a_missing_scope_is_named(front_door, made):
    answer = front_door.guest.post("/v1/builds", json=BUILD, headers=bearer(made("publish")["secret"]))
    assert (answer.status_code, answer.json()["kind"]) == (403, "forbidden")
    assert answer.json()["expected"] == "the scope build"
    assert answer.json()["found"] == "publish, read"
    assert 'error="insufficient_scope", scope="build"' in answer.headers["www-authenticate"]


def test_a_token_of_some_channels_is_for_those_only(front_door, made):
    headers = bearer(made("build", channels=["team"])["secret"])
    answer = front_door.guest.post("/v1/builds", json=BUILD, headers=headers)
    assert answer.status_code == 403
    assert "not for the channel default" in answer.json()["detail"]
    job = front_door.http.post("/v1/builds", json=BUILD).json()
    assert front_door.guest.delete(f"/v1/jobs/{job['id']}", headers=headers).status_code == 403
    front_door.http.put("/v1/channels/team", json={}).raise_for_status()
    team = {**BUILD, "channel": "team"}
    assert front_door.guest.post("/v1/builds", json=team, headers=headers).status_code == 202


def test_bearer_and_basic_are_taken_in_any_spelling_of_their_names(front_door, made):
    secret = made("build")["secret"]
    basic = base64.b64encode(f"__token__:{secret}".encode()).decode()
    for value in (f"Bearer {secret}", f"bearer  {secret}", f"Basic {basic}", f"basic {basic}"):
        answer = front_door.guest.post("/v1/builds", json=BUILD, headers={"authorization": value})
        assert answer.status_code == 202, value.partition(" ")[0]


def test_what_is_wrong_with_a_token_is_said(front_door, made):
    revoked = made("build", name="old one")
    assert front_door.http.delete(f"/v1/tokens/{revoked['id']}").json()["revoked_at"] > 0
    short, expired = front_door.services.tokens.create("short one", [Scope.BUILD], lifetime=0.0)
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(short.expires_at))
    for secret, words, found in (
        (revoked["secret"], "the token 'old one' is revoked", "it was revoked at "),
        (expired, "the token 'short one' is expired", f"it expired at {when}"),
        ("wy_" + secrets.token_urlsafe(32), "not known to this service", ""),
        ("another", "not known to this service", ""),
    ):
        answer = front_door.guest.post("/v1/builds", json=BUILD, headers=bearer(secret))
        assert (answer.status_code, answer.json()["kind"]) == (401, "unauthorized")
        assert words in answer.json()["detail"]
        assert found in answer.json()["found"]
        challenges = answer.headers.get_list("www-authenticate")
        assert challenges[0].startswith("Basic ")
        assert challenges[1] == 'Bearer realm="wheelyard", error="invalid_token"'
    missing = front_door.guest.post("/v1/builds", json=BUILD)
    assert missing.json()["detail"] == "the token is missing"
    assert missing.headers.get_list("www-authenticate")[1] == 'Bearer realm="wheelyard"'


def test_a_jobs_client_is_its_token_where_it_says_nothing(front_door, made):
    headers = bearer(made("build", name="nightly of the app")["secret"])
    job = front_door.guest.post("/v1/builds", json=BUILD, headers=headers).json()
    assert job["client"] == "nightly of the app"
    named = {"requirements": ["idna"], "client": "ada@workstation"}
    assert (
        front_door.guest.post("/v1/builds", json=named, headers=headers).json()["client"] == "ada@workstation"
    )


def test_an_idempotency_key_is_its_tokens_own(front_door, made):
    one, other = (bearer(made("build", name="same")["secret"]) for _ in range(2))

    def waiter(headers):
        key = {"idempotency-key": '"once"'}
        return front_door.guest.post("/v1/builds", json=BUILD, headers={**headers, **key}).json()["waiter"]

    assert waiter(one) == waiter(one) != waiter(other)


def test_nobody_but_an_administrator_makes_tokens(front_door, made):
    body = {"name": "mine", "scopes": ["admin"]}
    for scope in ("build", "publish", "read"):
        answer = front_door.guest.post("/v1/tokens", json=body, headers=bearer(made(scope)["secret"]))
        assert answer.status_code == 403
    admin = bearer(made("admin")["secret"])
    assert front_door.guest.post("/v1/tokens", json=body, headers=admin).status_code == 201


def test_refuses_a_token_that_makes_no_sense(front_door):
    for change in (
        {"scopes": []}, {"scopes": ["root"]}, {"name": ""}, {"expires": "tomorrow"}, {"expires": "0d"},
        {"channels": ["../up"]}, {"scopes": ["admin"], "channels": ["default"]}, {"surprise": 1},
    ):  # fmt: skip
        body = {"name": "CI", "scopes": ["read"], **change}
        assert (change, front_door.http.post("/v1/tokens", json=body).status_code) == (change, 422)
    assert front_door.services.tokens.list(ended=True) == []


def test_a_service_that_asks_for_no_token_makes_none(settings_with, redis_url, serve):
    door = serve(settings_with(redis_url=redis_url, token=""))
    assert door.guest.post("/v1/tokens", json={"name": "CI", "scopes": ["read"]}).status_code == 409


def test_reads_can_not_be_private_without_a_token(settings_with, redis_url, serve):
    with pytest.raises(InputError, match="WHEELYARD_PUBLIC_READS"):
        serve(settings_with(redis_url=redis_url, token="", public_reads=False))


def scope_of(route):
    """The highest right that an endpoint asks for; None where it asks for none."""
    waiting, found = [route.dependant], None
    while waiting:
        dependant = waiting.pop()
        waiting += dependant.dependencies
        if getattr(dependant.call, "__name__", "") == "_may_read":
            found = found or Scope.READ
        found = getattr(dependant.call, "scope", found) or found
    return found


def test_every_endpoint_asks_for_the_scope_that_it_should(front_door):
    app = create_app(front_door.services.settings, services=front_door.services)
    found = {}
    for included in app.routes:
        for route in getattr(included, "effective_route_contexts", list)():
            for method in route.methods:
                found[f"{method} {route.path}"] = scope_of(route)
    writes = {
        place: scope.value if scope else None
        for place, scope in found.items()
        if not place.startswith(("GET ", "HEAD "))
    }
    expected = {
        "POST /v1/builds": "build", "POST /v1/images": "build", "PUT /v1/blobs/{digest}": "build",
        "DELETE /v1/builds/{job_id}": "build", "DELETE /v1/images/{job_id}": "build",
        "DELETE /v1/jobs/{job_id}": "build", "POST /v1/toolchains/{name}/builds": "admin",
        "POST /v1/tokens": "admin", "DELETE /v1/tokens/{token_id}": "admin", "POST /v1/oidc/token": None,
    }  # fmt: skip
    assert {place: writes[place] for place in expected} == expected
    assert [place for place, scope in writes.items() if scope == "read"] == []
    unasked = {place.partition(" ")[2] for place, scope in found.items() if scope is None}
    assert unasked <= OPEN
    assert len(found) > 40


@pytest.fixture
def private_door(settings_with, redis_url, serve):
    return serve(settings_with(redis_url=redis_url, public_reads=False))


def test_private_reads_ask_for_a_token_everywhere_but_where_machines_look(private_door, publish):
    door = private_door
    record = publish(door.services)
    file = f"/files/{record.digest.hex}/{record.filename}"
    job = door.http.post("/v1/builds", json=BUILD).json()["id"]
    places = [
        "/", "/simple/", "/simple/tiny-thing/", "/channels/default/simple/", file, f"{file}.metadata",
        f"/v1/jobs/{job}", f"/v1/jobs/{job}/log", f"/v1/jobs/{job}/events", "/v1/jobs", "/v1/wheels",
        f"/v1/wheels/{record.key}", f"/v1/blobs/{record.digest}", "/v1/toolchains", "/v1/workers",
    ]  # fmt: skip
    _token, secret = door.services.tokens.create("reader", [Scope.READ])
    for place in places:
        refused = door.guest.get(place)
        assert (place, refused.status_code) == (place, 401)
        # A browser asks for a password only where Basic begins a header of its own.
        assert refused.headers.get_list("www-authenticate")[0].startswith("Basic ")
        if not place.endswith("/events"):
            answer = door.guest.get(place, auth=("__token__", secret))
            assert (place, answer.status_code) == (place, 200)
            assert answer.headers["cache-control"].startswith("private"), place
            assert "public" not in answer.headers["cache-control"]
            assert "Authorization" in answer.headers["vary"]
    for place in ("/healthz", "/readyz", "/metrics", "/problems/unauthorized"):
        assert door.guest.get(place).status_code == 200


def test_private_reads_show_a_token_of_some_channels_those_only(private_door, publish):
    door = private_door
    door.http.put("/v1/channels/team", json={}).raise_for_status()
    own, other = publish(door.services, "own-thing", channel="team"), publish(door.services, "other-thing")
    mine = door.http.post("/v1/builds", json={**BUILD, "channel": "team"}).json()["id"]
    theirs = door.http.post("/v1/builds", json=BUILD).json()["id"]
    _token, secret = door.services.tokens.create("team", [Scope.READ], ["team"])

    def status(place):
        return door.guest.get(place, headers=bearer(secret)).status_code

    for place, expected in (
        ("/channels/team/simple/own-thing/", 200),
        ("/simple/other-thing/", 403),
        ("/simple/", 403),
        (f"/files/{own.digest.hex}/{own.filename}", 200),
        (f"/files/{other.digest.hex}/{other.filename}", 403),
        (f"/files/{other.digest.hex}/{other.filename}.metadata", 403),
        (f"/v1/blobs/{own.digest}", 200),
        (f"/v1/blobs/{other.digest}", 403),
        (f"/v1/wheels/{own.key}", 200),
        (f"/v1/wheels/{other.key}", 403),
        ("/v1/wheels?channel=default", 403),
        (f"/v1/jobs/{mine}", 200),
        (f"/v1/jobs/{theirs}", 403),
        (f"/v1/jobs/{theirs}/log", 403),
    ):
        assert (place, status(place)) == (place, expected)
    wheels = door.guest.get("/v1/wheels", headers=bearer(secret)).json()["wheels"]
    assert {wheel["project"] for wheel in wheels} == {"own-thing"}
    jobs = door.guest.get("/v1/jobs", headers=bearer(secret)).json()["jobs"]
    assert [job["id"] for job in jobs] == [mine]
    # What its channel builds on is its channel's, too.
    door.http.patch("/v1/channels/team", json={"base": "default"}).raise_for_status()
    assert status("/channels/team/simple/other-thing/") == 200
    assert status(f"/files/{other.digest.hex}/{other.filename}") == 200


def test_revocation_is_seen_by_the_next_request(private_door):
    token, secret = private_door.services.tokens.create("reader", [Scope.READ])
    assert private_door.guest.get("/simple/", headers=bearer(secret)).status_code == 200
    private_door.http.delete(f"/v1/tokens/{token.id}").raise_for_status()
    assert private_door.guest.get("/simple/", headers=bearer(secret)).status_code == 401


def _everywhere(token):
    """Requests that carry a token in every place that there is, most of them a wrong one."""
    basic = base64.b64encode(f"__token__:{token}".encode()).decode()
    quoted = base64.b64encode(f"{token}:".encode()).decode()
    for value in (
        f"Bearer {token}", f"Basic {basic}", f"Basic {quoted}", token, f"Token {token}", f"Bearer {token}x",
        f"Basic {token}",
    ):  # fmt: skip
        yield "POST", "/v1/builds", {"json": BUILD, "headers": {"authorization": value}}
        yield "GET", "/simple/", {"headers": {"authorization": value}}
    for name in ("x-request-id", "user-agent", "cookie", "accept", "if-none-match", "idempotency-key"):
        yield "POST", "/v1/builds", {"json": BUILD, "headers": {name: token}}
        yield "GET", "/simple/", {"headers": {name: token}}
    for place in (
        f"/{token}", f"/simple/{token}/", f"/simple/{token}", f"/channels/{token}/simple/",
        f"/v1/jobs/{token}", f"/v1/jobs/{token}/log", f"/v1/toolchains/{token}",
        f"/v1/wheels/{token}", f"/v1/blobs/{token}", f"/files/{'0' * 64}/{token}",
        f"/problems/{token}", f"/simple/?token={token}",
        f"/v1/jobs?limit={token}", f"/v1/wheels?project={token}", f"/v1/wheels?channel={token}",
        f"/?access_token={token}",
    ):  # fmt: skip
        yield "GET", place, {}
        yield "DELETE", place, {}
    for body in (
        {token: token}, {"requirements": token}, {"requirements": [], "toolchain": token}, [token], token,
        {**BUILD, "toolchain": token}, {**BUILD, "channel": token}, {**BUILD, "priority": token},
        {**BUILD, "limits": {token: 1}}, {**BUILD, "webhook": f"https://{token}.example/{token}"},
        {"requirements": [f"six @ https://{token}@host/x"]},
    ):  # fmt: skip
        yield "POST", "/v1/builds", {"json": body, "own": True}
        yield "POST", "/v1/tokens", {"json": body, "own": True}
        yield "POST", "/v1/oidc/token", {"json": body}
    yield "POST", "/v1/builds", {"content": f'{{"{token}'.encode(), "own": True}
    yield "POST", "/v1/oidc/token", {"data": {"subject_token": token, "grant_type": token}}


@pytest.fixture
def program(settings_with, redis_url, tmp_path):
    """The front door as a process of its own, its address and its token."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    own = secrets.token_urlsafe(32)
    settings = settings_with(redis_url=redis_url, port=port, token=own)
    variables = {
        f"WHEELYARD_{name.upper()}": getattr(value, "get_secret_value", lambda value=value: str(value))()
        for name, value in settings
        if value is not None
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "builder_service"],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), **variables},
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path,
        )  # fmt: skip
    limit = time.monotonic() + 60
    while True:
        assert process.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < limit, "it does not listen"
        try:
            httpx2.get(f"http://127.0.0.1:{port}/healthz", trust_env=False)
            break
        except httpx2.TransportError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}", process, own, tmp_path / "log"
    process.kill()
    process.communicate(timeout=10)


def test_no_token_is_in_a_log_an_answer_or_a_number(program):
    """The real program, with its log as it is; tokens in every place that a request has."""
    base, process, own, log_file = program
    id_token = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9mLXRoZS10ZXN0"
    answers = []
    with httpx2.Client(base_url=base, trust_env=False, timeout=30) as http:
        body = {"name": "CI", "scopes": ["build"]}
        made = http.post("/v1/tokens", json=body, headers=bearer(own)).json()["secret"]
        tokens = (own, made, "wy_" + secrets.token_urlsafe(32), id_token)
        for token in tokens:
            for method, place, options in _everywhere(token):
                if options.pop("own", False):
                    options.setdefault("headers", {}).update(bearer(own))
                answer = http.request(method, place, **options)
                assert answer.status_code < 500, (method, place.replace(token, "TOKEN"), answer.text)
                answers.append(f"{method} {answer.text} {dict(answer.headers)}")
        places = ("/metrics", "/", "/v1/jobs?limit=500", "/openapi.json", "/v1/tokens")
        answers += [f"GET {http.get(place, headers=bearer(own)).text}" for place in places]
    process.terminate()
    out, _ = process.communicate(timeout=30)
    log = log_file.read_text()
    assert log.count('"event": "request"') > 300
    shown = []
    for token in tokens:
        forms = (token, base64.b64encode(f"__token__:{token}".encode()).decode(), f"{token}x")
        for form in forms:
            shown += [line for line in (out + log).splitlines() if form in line]
            shown += [text for text in answers if form in text.partition(" ")[2]]
    assert shown == []
