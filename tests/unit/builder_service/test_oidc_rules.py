"""Rules of the OIDC exchange: what can be written down, and whom a rule is for."""

from __future__ import annotations

import json

import pytest

from builder_service.issuer_address import is_safe_address
from builder_service.oidc_rules import read_oidc_rules
from wheelyard.errors import InputError

GITHUB = """
[[issuers]]
kind = "github"
issuer = "https://token.actions.example"
audience = "wheelyard"

[[issuers.rules]]
name = "release"
repository = "Acme/app"
tag = "v*"
environment = "release"
workflow = "release.yml"
repository_owner_id = "42"
scopes = ["publish"]
channels = ["default", "team"]

[[issuers.rules]]
repository = "acme/*"
scopes = ["build"]
"""
RELEASE = {
    "repository": "acme/App",
    "repository_owner_id": "42",
    "ref": "refs/tags/v1.0",
    "environment": "release",
    "job_workflow_ref": "acme/app/.github/workflows/release.yml@refs/tags/v1.0",
}


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "oidc.toml"
    path.write_text(GITHUB)
    return read_oidc_rules(str(path)).issuer("https://token.actions.example").rules


def test_a_job_fits_a_rule_whose_every_condition_it_meets(rules):
    assert [rule.faults(RELEASE) for rule in rules] == [[], []]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"repository": "acme/app2"}, "repository"),
        ({"repository_owner_id": "43"}, "repository_owner_id"),
        ({"repository_owner_id": None}, "repository_owner_id"),
        ({"ref": "refs/heads/v1.0"}, "tag"),
        ({"environment": "staging"}, "environment"),
        ({"environment": None}, "environment"),
        ({"job_workflow_ref": "acme/app/.github/workflows/other.yml@refs/tags/v1.0"}, "workflow"),
        ({"job_workflow_ref": "evil/x/.github/workflows/release.yml@refs/tags/v1.0"}, "workflow"),
        ({"job_workflow_ref": "acme/app/.github/workflows/release.yml.bak@x"}, "workflow"),
    ],
)
def test_each_condition_counts(rules, change, fault):
    assert fault in rules[0].faults({**RELEASE, **change})


def test_a_pattern_of_repositories_does_not_leave_its_owner(rules):
    assert rules[1].faults({"repository": "acme/tools"}) == []
    for other in ("evil/acme/tools", "acme-evil/tools", "acme", "", None):
        assert rules[1].faults({"repository": other}) == ["repository"]


def test_rules_can_stand_in_the_variable_itself():
    rule = {"project_path": "acme/app", "ref": "main", "ref_protected": True, "scopes": ["publish"]}
    issuer = {"kind": "gitlab", "issuer": "https://gitlab.example", "audience": "w", "rules": [rule]}
    (read,) = read_oidc_rules(json.dumps({"issuers": [issuer]})).issuer("https://gitlab.example").rules
    assert read.faults({"project_path": "acme/app", "ref": "main", "ref_protected": "true"}) == []
    assert read.faults({"project_path": "acme/app", "ref": "main", "ref_protected": "false"}) != []
    assert read.faults({"project_path": "acme/app", "ref": "main"}) != []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('repository = "acme/*"', 'repository = "*/*"', "repository"),
        ('repository = "acme/*"', 'repository = "acme"', "repository"),
        ('repository = "acme/*"', "", "repository"),
        ('scopes = ["build"]', 'scopes = ["root"]', "scopes"),
        ('scopes = ["build"]', "scopes = []", "scopes"),
        ('scopes = ["build"]', 'scopes = ["admin"]\nchannels = ["team"]', "admin"),
        ('scopes = ["build"]', 'scopes = ["build"]\nchannels = ["../x"]', "channel"),
        ('scopes = ["build"]', 'scopes = ["build"]\nbrunch = "main"', "brunch"),
        ("https://token", "http://token", "https"),
        ('audience = "wheelyard"', "", "audience"),
        ('kind = "github"', 'kind = "gitea"', "kind"),
        ("[[issuers]]", "[[issuers", "TOML"),
    ],
)
def test_refuses_rules_that_can_not_be_meant(tmp_path, before, after, words):
    path = tmp_path / "oidc.toml"
    assert before in GITHUB
    path.write_text(GITHUB.replace(before, after))
    with pytest.raises(InputError, match="WHEELYARD_OIDC_RULES") as refused:
        read_oidc_rules(str(path))
    assert words in refused.value.found


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError) as refused:
        read_oidc_rules(str(tmp_path / "nowhere.toml"))
    assert "nowhere.toml" in refused.value.found


@pytest.mark.parametrize(
    "address", ["https://gitlab.example/path", "http://127.0.0.1:81", "http://[::1]:81/x", "http://localhost"]
)
def test_keys_are_asked_for_over_https_or_on_this_machine(address):
    assert is_safe_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://gitlab.example", "http://127.0.0.1.evil.example", "http://127.evil.example", "ftp://127.0.0.1",
        "https://user@gitlab.example", "https://gitlab.example?x", "https://", "https://[", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_and_nowhere_else(address):
    assert not is_safe_address(address)
