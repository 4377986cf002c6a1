"""ID tokens of CI jobs for access tokens: with an issuer that the test starts, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

from builder_service.oidc import Exchange
from builder_service.oidc_rules import read_oidc_rules
from tests.integration.builder_service.oidc_issuer import AUDIENCE, REPOSITORY, Issuer
from wheelyard.errors import Forbidden

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"


@pytest.fixture
def issuer():
    with Issuer() as running:
        yield running


def rules_of(issuer, *rules, kind="github"):
    usual = {"repository": REPOSITORY, "branch": "main", "scopes": ["publish"], "channels": ["default"]}
    document = {"kind": kind, "issuer": issuer.url, "audience": AUDIENCE, "rules": rules or [usual]}
    return json.dumps({"issuers": [document]})


@pytest.fixture
def door(settings_with, redis_url, serve, issuer):
    return serve(settings_with(redis_url=redis_url, oidc_rules=rules_of(issuer)))


@pytest.fixture
def exchange(door):
    def ask(token, **fields):
        body = {"grant_type": GRANT, "subject_token": token, "subject_token_type": ID_TOKEN, **fields}
        return door.guest.post("/v1/oidc/token", data=body)

    return ask


def test_a_jobs_id_token_becomes_an_access_token_of_a_quarter_of_an_hour(door, exchange, issuer):
    answer = exchange(issuer.token())
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "publish")
    assert body["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert answer.headers["cache-control"] == "no-store"
    (made,) = door.services.tokens.list()
    assert (made.name, made.channels) == ("acme/app@refs/heads/main", ("default",))
    assert issuer.url in made.subject
    assert abs(made.expires_at - time.time() - 900) < 30
    bearer = {"authorization": f"Bearer {body['access_token']}"}
    assert door.guest.post("/v1/builds", json={"requirements": ["numpy"]}, headers=bearer).status_code == 403


def test_json_is_taken_as_well_as_a_form(door, issuer):
    body = {"grant_type": GRANT, "subject_token": issuer.token(), "subject_token_type": ID_TOKEN}
    assert door.guest.post("/v1/oidc/token", json=body).status_code == 200


def test_an_id_token_is_exchanged_once_only_and_by_one_of_many(exchange, issuer):
    token = issuer.token()
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(exchange, [token] * 12))
    assert statuses == [200] + [409] * 11
    assert exchange(token).status_code == 409


def unsigned(claims, header):
    parts = (json.dumps(part).encode() for part in (header, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def with_no_algorithm(issuer):
    return unsigned(issuer.claims(), {"alg": "none", "typ": "JWT", "kid": issuer.key_id}) + "."


def with_the_public_key_as_a_shared_secret(issuer):
    text = unsigned(issuer.claims(), {"alg": "HS256", "typ": "JWT", "kid": issuer.key_id})
    mac = hmac.new(issuer.public_pem(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def with_other_claims_than_were_signed(issuer):
    header, _claims, signature = issuer.token(repository="evil/app").split(".")
    forged = base64.urlsafe_b64encode(json.dumps(issuer.claims()).encode()).rstrip(b"=").decode()
    return f"{header}.{forged}.{signature}"


def of_another_issuer_with_the_same_key_id(issuer):
    with Issuer() as other:
        return jwt.encode(issuer.claims(), other.keys[other.key_id], "RS256", headers={"kid": issuer.key_id})


REFUSED = {
    "wrong audience": (lambda issuer: issuer.token(aud="pypi"), "another audience"),
    "one of two audiences": (lambda issuer: issuer.token(aud=[AUDIENCE, "pypi"]), "another audience"),
    "expired": (
        lambda issuer: issuer.token(iat=int(time.time()) - 900, exp=int(time.time()) - 300), "expired",
    ),
    "not yet": (lambda issuer: issuer.token(nbf=int(time.time()) + 600), "only later"),
    "for a month": (lambda issuer: issuer.token(exp=int(time.time()) + 30 * 86400), "too long"),
    "without jti": (lambda issuer: issuer.token(jti=None), "lacks a claim"),
    "without exp": (lambda issuer: issuer.token(exp=None), "lacks a claim"),
    "unknown issuer": (lambda issuer: issuer.token(iss="https://evil.example"), "not known here"),
    "issuer with a slash": (lambda issuer: issuer.token(iss=issuer.url + "/"), "not known here"),
    "alg none": (with_no_algorithm, "not signed in a way"),
    "HS256 with the public key": (with_the_public_key_as_a_shared_secret, "not signed in a way"),
    "other claims": (with_other_claims_than_were_signed, "signature is wrong"),
    "another's key": (of_another_issuer_with_the_same_key_id, "signature is wrong"),
    "unknown key": (lambda issuer: issuer.sign(issuer.claims(), kid="nobody's"), "no key of its issuer"),
    "no JWT": (lambda _issuer: "not-a-token", "can't be read"),
    "huge": (lambda _issuer: "a" * 20000, "too long"),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared_issuer():
    with Issuer() as running:
        yield running


def test_refuses_whatever_is_not_a_genuine_token_for_this_service(
    settings_with, redis_url, serve, shared_issuer
):
    door = serve(settings_with(redis_url=redis_url, oidc_rules=rules_of(shared_issuer)))
    for name, (make, words) in REFUSED.items():
        body = {"grant_type": GRANT, "subject_token": make(shared_issuer), "subject_token_type": ID_TOKEN}
        answer = door.guest.post("/v1/oidc/token", data=body)
        assert (answer.status_code, words in answer.json()["detail"]) == (400, True), (name, answer.text)
        assert answer.json()["kind"] == "id-token-refused"
        assert body["subject_token"] not in answer.text
    assert door.services.tokens.list(ended=True) == []


def test_a_wrong_repository_or_branch_is_told_what_does_not_fit(exchange, issuer):
    for changes, fault in (
        ({"repository": "acme/other"}, "repository"),
        ({"repository": "acme/app-evil"}, "repository"),
        ({"repository": "evil/acme/app"}, "repository"),
        ({"ref": "refs/heads/main2"}, "branch"),
        ({"ref": "refs/tags/main"}, "branch"),
        ({"ref": "refs/pull/1/merge"}, "branch"),
    ):
        answer = exchange(issuer.token(**changes))
        assert answer.status_code == 403, changes
        assert answer.json()["found"] == f"rule 1: other {fault}"


def test_keys_change_and_the_new_one_is_fetched_once(exchange, issuer):
    assert exchange(issuer.token()).status_code == 200
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    old = issuer.token()
    issuer.rotate("EC")
    assert exchange(issuer.token()).status_code == 200
    assert len(issuer.asked) == 4
    assert exchange(old).status_code == 400
    for _ in range(5):
        assert exchange(issuer.sign(issuer.claims(), kid="nobody's")).status_code == 400
    assert len(issuer.asked) == 4


def test_an_issuer_that_does_not_answer_is_an_outage_and_no_refusal(exchange, issuer):
    issuer.broken = True
    answer = exchange(issuer.token())
    assert (answer.status_code, answer.json()["kind"]) == (503, "issuer-unavailable")
    issuer.broken = False
    issuer.discovery = {"issuer": issuer.url + "/"}
    assert exchange(issuer.token()).status_code == 503
    issuer.discovery = {"jwks_uri": "http://192.0.2.1/keys"}
    assert exchange(issuer.token()).status_code == 503
    issuer.discovery = {}
    assert exchange(issuer.token()).status_code == 200


def test_scopes_can_be_fewer_but_not_more_than_the_rule_gives(exchange, issuer):
    assert exchange(issuer.token(), scope="read").json()["scope"] == "read"
    assert exchange(issuer.token(), scope="publish admin").status_code == 403
    assert exchange(issuer.token(), scope="root").status_code == 422


def test_a_request_that_is_none_says_which_parameter(door, issuer):
    token = issuer.token()
    for body in (
        {"grant_type": "password", "subject_token": token, "subject_token_type": ID_TOKEN},
        {"grant_type": GRANT, "subject_token": token},
        {"grant_type": GRANT, "subject_token": token, "subject_token_type": "saml2"},
        {token: token},
    ):
        answer = door.guest.post("/v1/oidc/token", data=body)
        assert answer.status_code == 422
        assert token not in answer.text
    assert door.guest.post("/v1/oidc/token", content=b"\xff\xfe").status_code == 422


def test_gitlab_jobs_are_told_apart_by_project_ref_and_protection(front_door, issuer):
    rule = {
        "project_path": "acme/*",
        "ref": "v*",
        "ref_type": "tag",
        "ref_protected": True,
        "scopes": ["build"],
    }
    doer = Exchange(read_oidc_rules(rules_of(issuer, rule, kind="gitlab")), front_door.services.tokens)
    fits = {"project_path": "acme/video/app", "ref": "v1.2", "ref_type": "tag", "ref_protected": "true"}
    made, _secret = doer.exchange(issuer.token(**fits), frozenset())
    assert made.name == "acme/video/app@v1.2"
    for change in (
        {"project_path": "evil/app"}, {"ref": "main"}, {"ref_type": "branch"}, {"ref_protected": "false"},
    ):  # fmt: skip
        with pytest.raises(Forbidden) as refused:
            doer.exchange(issuer.token(**{**fits, **change}), frozenset())
        assert next(iter(change)) in refused.value.found


def test_a_service_without_rules_takes_no_id_token(front_door):
    body = {"grant_type": GRANT, "subject_token": "a.b.c", "subject_token_type": ID_TOKEN}
    assert front_door.guest.post("/v1/oidc/token", data=body).status_code == 404
