"""The sandbox as options, and what podman needs where."""

import pytest

from wheelyard.errors import EngineFailed, InputError
from worker.engine.contract import ContainerSpec
from worker.engine.options import exec_arguments, run_arguments
from worker.engine.traits import EngineTraits, podman_runtime

DOCKER = EngineTraits(name="docker", release="1", runtime="runc", command=("docker",))


def arguments(**fields):
    spec = ContainerSpec(**{"image": "sha256:x", "job": "j", "owner": "o", "memory": 1 << 28, **fields})
    return run_arguments(spec, "name", DOCKER)


def test_every_container_is_closed():
    words = " ".join(arguments())
    for option in (
        "--network none",
        "--cap-drop all",
        "--security-opt no-new-privileges",
        "--read-only",
        "--user 1000:1000",
        "--memory 268435456 --memory-swap 268435456",
        "--pids-limit 4096",
        "--ipc private",
        "--pull never",
        "--log-driver none",
        "--label wheelyard.job=j --label wheelyard.owner=o",
    ):
        assert option in words
    assert "--privileged" not in words
    assert "seccomp" not in words


def test_zero_cores_means_all():
    assert "--cpus" not in arguments()
    words = arguments(cpus=1.5)
    assert words[words.index("--cpus") + 1] == "1.5"


def test_tmp_is_always_writable_and_sized():
    words = arguments(tmpfs={"/build": 5})
    assert "/build:mode=1777,exec,nosuid,nodev,size=5" in words
    assert any(word.startswith("/tmp:") and word.endswith(f"size={64 << 20}") for word in words)


def test_mounts_are_read_only(tmp_path):
    assert f"type=bind,source={tmp_path},target=/in,readonly" in arguments(mounts={tmp_path: "/in"})


def test_a_path_can_not_smuggle_in_an_option(tmp_path):
    odd = tmp_path / "a,readonly=false"
    odd.mkdir()
    with pytest.raises(InputError):
        arguments(mounts={odd: "/in"})
    with pytest.raises(InputError):
        arguments(tmpfs={"/x:exec": 1})
    with pytest.raises(InputError):
        arguments(mounts={tmp_path / "missing": "/in"})


def test_a_command_is_passed_on_word_by_word():
    words = exec_arguments("id", ["echo", "$HOME; ls"], {"B": "2", "A": "x y"}, "/build")
    assert words[:7] == ["exec", "--env", "A=x y", "--env", "B=2", "--workdir", "/build"]
    assert words[-2:] == ["echo", "$HOME; ls"]


@pytest.mark.parametrize(
    ("runtime", "cgroups", "chosen"),
    [
        ("crun", "v2", ("crun", ())),
        ("runc", "v1", ("runc", ())),
        ("crun", "v1", ("runc", ("--runtime", "runc"))),
    ],
)
def test_crun_is_passed_over_where_it_can_not_work(runtime, cgroups, chosen):
    info = {"host": {"ociRuntime": {"name": runtime}, "cgroupVersion": cgroups}}
    assert podman_runtime(info, have_runc=True) == chosen


def test_says_what_to_install_where_only_crun_is_there():
    info = {"host": {"ociRuntime": {"name": "crun"}, "cgroupVersion": "v1"}}
    with pytest.raises(EngineFailed) as caught:
        podman_runtime(info, have_runc=False)
    assert caught.value.do == "install runc"
