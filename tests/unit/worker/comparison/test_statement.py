"""What an application says at its end, what a build is told of servers, and the base's files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from wheelyard.errors import BuildFailed
from wheelyard.upstream.pip_index import PipIndex
from worker.comparison.base_image import write_base
from worker.comparison.build_secrets import pip_conf
from worker.comparison.trial import read_statement


def test_the_last_line_counts_whatever_was_said_before() -> None:
    said = 'warming up\n{"result": {"frames": 3}, "tolerance": 2, "versions": {"numpy": "2.0"}}\n'
    statement = read_statement("ours", said)
    assert (statement.result, statement.tolerance, statement.versions) == ({"frames": 3}, 2, {"numpy": "2.0"})


def test_a_result_may_be_of_any_kind() -> None:
    assert read_statement("ours", '{"result": [1, 2]}').result == {"result": [1, 2]}


@pytest.mark.parametrize(
    "said", ["", "done\n", "[1]\n", '{"frames": 3}\n', '{"result": 1, "versions": []}\n']
)
def test_refuses_an_application_that_does_not_say_what_it_did(said: str) -> None:
    with pytest.raises(BuildFailed, match="does not say what it did"):
        read_statement("ours", said)


def test_pip_is_told_of_one_index_and_of_what_it_is_to_trust() -> None:
    index = PipIndex(url="https://u:p%40ss@index.example/simple/", proxy="http://proxy.example:3128")
    lines = pip_conf(index, "/run/secrets/ca.crt").splitlines()
    assert lines[0] == "[global]"
    # configparser takes a single percent sign for the start of a reference.
    assert "index-url = https://u:p%%40ss@index.example/simple/" in lines
    assert "cert = /run/secrets/ca.crt" in lines
    assert "proxy = http://proxy.example:3128" in lines


def test_the_base_lets_pip_install_and_has_no_bytecode_and_no_devices(tmp_path: Path) -> None:
    raw, target = tmp_path / "raw.tar", tmp_path / "base.tar"
    with tarfile.open(raw, mode="w") as tar:
        for path in (
            "./usr/lib/python3.11/os.py", "./usr/lib/python3.11/EXTERNALLY-MANAGED",
            "./usr/lib/python3.11/__pycache__/os.cpython-311.pyc", "./dev/null",
        ):  # fmt: skip
            member = tarfile.TarInfo(path)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    write_base(raw, target)
    with tarfile.open(target) as tar:
        assert tar.getnames() == ["./usr/lib/python3.11/os.py", "./usr/local/bin/python"]
