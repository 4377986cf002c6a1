"""Git sources: one commit over https, from a host that is allowed, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelyard.errors import InputError
from wheelyard.git_address import GitAddress, check_git_hosts
from wheelyard.requirements import normalise_requirements

COMMIT = "1f0e" * 10


def read(text):
    return normalise_requirements([text], git=True)


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        (f"Demo @ git+https://git.example.org/a/demo.git@{COMMIT}",
         f"demo@ git+https://git.example.org/a/demo.git@{COMMIT}"),
        (f"demo[x] @ git+https://GIT.example.org:8443/demo@{COMMIT}#subdirectory=/python/demo/",
         f"demo[x]@ git+https://git.example.org:8443/demo@{COMMIT}#subdirectory=python/demo"),
        (f"demo @ git+http://127.0.0.1:8000/demo.git@{COMMIT} ; python_version >= '3.9'",
         f'demo@ git+http://127.0.0.1:8000/demo.git@{COMMIT} ; python_version >= "3.9"'),
    ],
)  # fmt: skip
def test_a_commit_is_read_in_one_spelling(written, normalised):
    assert [text.replace(" @ ", "@ ") for text in read(written)] == [normalised]
    assert read(read(written)[0]) == read(written)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("git+https://git.example.org/demo.git", "whole hash"),
        ("git+https://git.example.org/demo.git@main", "whole hash"),
        ("git+https://git.example.org/demo.git@v1.0", "whole hash"),
        (f"git+https://git.example.org/demo.git@{COMMIT[:12]}", "whole hash"),
        (f"git+https://git.example.org/demo.git@{COMMIT.upper()}", "whole hash"),
        (f"git+ssh://git@git.example.org/demo.git@{COMMIT}", "user's name"),
        (f"git+ssh://git.example.org/demo.git@{COMMIT}", "not fetched over https"),
        (f"git+file:///srv/demo.git@{COMMIT}", "not fetched over https"),
        (f"git+http://git.example.org/demo.git@{COMMIT}", "not fetched over https"),
        (f"git+https://me:secret@git.example.org/demo.git@{COMMIT}", "user's name"),
        (f"git+https://git.example.org/../demo.git@{COMMIT}", "not a plain one"),
        (f"git+https://git.example.org/--upload-pack=x/demo@{COMMIT}", "not a plain one"),
        (f"git+https://git.example.org/demo.git@{COMMIT}?token=1", "not"),
        (f"git+https://git.example.org/demo.git?token=1@{COMMIT}", "not"),
        (f"git+https:///demo.git@{COMMIT}", "not a plain one"),
        (f"git+https://git.example.org/demo.git@{COMMIT}#subdirectory=../x", "no folder"),
        (f"git+https://git.example.org/demo.git@{COMMIT}#egg=demo", "no folder"),
        (f"hg+https://git.example.org/demo@{COMMIT}", "names an address"),
        ("https://example.org/demo-1.0.tar.gz", "names an address"),
        ("file:///etc/passwd", "names an address"),
    ],
)  # fmt: skip
def test_anything_but_a_commit_over_https_is_refused(address, words):
    with pytest.raises(InputError, match=words) as raised:
        read(f"demo @ {address}")
    assert "secret" not in str(raised.value)


def test_a_branch_is_refused_with_the_way_to_its_hash():
    with pytest.raises(InputError) as raised:
        read("demo @ git+https://git.example.org/a/demo.git@main")
    assert "git ls-remote https://git.example.org/a/demo.git" in raised.value.do


def test_a_commit_is_no_constraint_and_no_build_requirement():
    with pytest.raises(InputError, match="names an address"):
        normalise_requirements([f"demo @ git+https://git.example.org/demo.git@{COMMIT}"])


def test_hosts_are_allowed_by_their_patterns_only():
    requirements = read(f"demo @ git+https://git.example.org:8443/demo.git@{COMMIT}")
    for hosts in (("git.example.org",), ("*.example.org",), ("git.example.org:8443",), ("GIT.example.org",)):
        check_git_hosts(requirements, hosts)
    for hosts in ((), ("example.org",), ("git.example.org:443",), ("*.example.com", "x.example.org")):
        with pytest.raises(InputError, match="does not fetch from") as raised:
            check_git_hosts(requirements, hosts)
        assert "WHEELYARD_GIT_HOSTS" in raised.value.do
    check_git_hosts(["numpy>=2"], ())


def test_each_part_of_an_address_decides_its_sdist():
    one = GitAddress(url="https://git.example.org/a", commit=COMMIT)
    others = [
        one.key(image="sha256:1", recipe={}),
        one.key(image="sha256:2", recipe={}),
        one.key(image="sha256:1", recipe={"environment": {"X": "1"}}),
        GitAddress(url=one.url, commit="2" * 40).key(image="sha256:1", recipe={}),
        GitAddress(url=one.url, commit=COMMIT, subdirectory="x").key(image="sha256:1", recipe={}),
    ]
    assert len(set(others)) == len(others)


@given(st.text(), st.text())
def test_whatever_is_written_leads_to_a_listed_host_or_nowhere(host, rest):
    try:
        (text,) = read(f"demo @ git+https://{host}/{rest}@{COMMIT}")
        check_git_hosts([text], ["allowed.example.org"])
    except InputError:
        return
    assert text.split("//")[1].split("/")[0].split(":")[0] == "allowed.example.org"
