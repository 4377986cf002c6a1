"""`wheelyard up` and `down` with real servers and stand-ins for the rooms."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import stat
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from wheelyard.digests import Digest
from wheelyard.errors import InfrastructureError, StoreUnavailable, TimedOut
from wheelyard.settings import Settings
from wheelyard.stack import stop_stack, wait_ready
from wheelyard.stack.ports import free_ports, has_free_pair, is_free
from wheelyard.stack.stack_folder import StackFolder
from wheelyard.store.open import open_store


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(up) -> list[int]:
    document = json.loads((up.settings.data_dir / "run" / "children.json").read_text())
    return [child["pid"] for child in document["children"]]


def answers(store) -> bool:
    try:
        store.check()
    except StoreUnavailable:
        return False
    return True


def sockets(up) -> list[Path]:
    """What SeaweedFS left in /tmp."""
    ports = json.loads((up.settings.data_dir / "run" / "ports.json").read_text())
    # By name and port: another stack on this machine may have had the same port for another of its servers.
    paths = [Path("/tmp") / f"seaweedfs-{name}-grpc-{port + 10000}.sock" for name, port in ports.items()]
    return [path for path in paths if path.exists()]


def assert_nothing_started(up) -> None:
    assert list((up.settings.data_dir / "log").iterdir()) == []


def store_of(up):
    """The store of a running stack, opened with the keys that it drew."""
    folder = StackFolder(up.settings.data_dir)
    drawn = folder.secrets()
    ports = json.loads((folder.run / "ports.json").read_text())
    return open_store(
        Settings(
            store_url="s3://wheelyard",
            s3_endpoint=f"http://127.0.0.1:{ports['s3']}",
            s3_access_key=drawn.s3_access_key,
            s3_secret_key=drawn.s3_secret_key,
        )
    )


def test_runs_until_ctrl_c_and_leaves_nothing(ups, until):
    up = ups().start()
    running = up.ready()
    data = up.settings.data_dir
    assert running.url == f"http://127.0.0.1:{up.settings.port}"
    assert running.pid == up.pid
    until(lambda: "end    Ctrl-C" in up.output())
    shown = up.output()
    assert running.token in shown
    assert len(running.token) >= 43
    assert f"pip install --index-url {running.url}/simple/" in shown
    assert f"uv pip install --default-index {running.url}/simple/" in shown
    for secret in ("run/client.json", "run/s3.json", "run/redis.conf", "secrets.json"):
        assert stat.S_IMODE((data / secret).stat().st_mode) == 0o600, secret
    for folder in ("s3", "redis", "log", "run"):
        assert stat.S_IMODE((data / folder).stat().st_mode) == 0o700, folder
    store_of(up).check()
    ports = json.loads((data / "run" / "ports.json").read_text())
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=ports["redis"], retry=Retry(NoBackoff(), 0)).ping()
    started = children(up)
    assert len(started) == 6
    up.signal(signal.SIGINT)
    assert up.ended() == 0
    assert "did not end in time" not in up.output()
    assert not any(map(is_alive, started))
    assert all(map(is_free, ports.values()))
    assert not (data / "run" / "client.json").exists()
    assert not (data / "run" / "children.json").exists()
    assert sockets(up) == []


def test_a_second_up_starts_again_with_the_same_token_and_what_was_stored(ups):
    content = secrets.token_bytes(100_000)
    up = ups().start()
    token = up.ready().token
    store_of(up).put_blob(content, Digest.of(content))
    up.signal(signal.SIGTERM)
    assert up.ended() == 0
    again = ups().start()
    assert again.ready().token == token
    with store_of(again).open_blob(Digest.of(content)) as stream:
        assert stream.read() == content


def test_a_kill_of_the_supervisor_ends_its_programs_and_the_next_up_starts(ups, until):
    content = secrets.token_bytes(3 << 20)
    up = ups().start("relay=grandchild")
    token = up.ready().token
    store_of(up).put_blob(content, Digest.of(content))
    started = children(up)
    log = (up.settings.data_dir / "log" / "relay.log").read_text()
    grandchild = int(log.split("grandchild ")[1].split()[0])
    up.signal(signal.SIGKILL)
    up.ended()
    until(lambda: not any(map(is_alive, started)))
    assert is_alive(grandchild)
    again = ups().start()
    assert again.ready().token == token
    assert str(grandchild) in again.output()
    assert not is_alive(grandchild)
    with store_of(again).open_blob(Digest.of(content)) as stream:
        assert stream.read() == content


def test_what_was_stored_is_there_on_other_ports_too(ups, until):
    content = secrets.token_bytes(3 << 20)
    up = ups().start()
    up.ready()
    store_of(up).put_blob(content, Digest.of(content))
    store_of(up).put_document("records/kept.json", b"{}")
    up.signal(signal.SIGKILL)
    up.ended()
    ports = json.loads((up.settings.data_dir / "run" / "ports.json").read_text())
    until(lambda: all(map(has_free_pair, ports.values())))
    with socket.create_server(("127.0.0.1", ports["master"] + 10000)):
        again = ups().start()
        again.ready()
        assert json.loads((up.settings.data_dir / "run" / "ports.json").read_text()) != ports
        assert store_of(again).get_document("records/kept.json") == b"{}"
        more = secrets.token_bytes(3 << 20)
        store_of(again).put_blob(more, Digest.of(more))
        for body in (content, more):
            with store_of(again).open_blob(Digest.of(body)) as stream:
                assert stream.read() == body


def test_a_second_up_on_the_same_folder_says_which_process_runs_there(ups):
    up = ups().start()
    up.ready()
    second = ups().start()
    assert second.ended() == 2
    assert f"process {up.pid}" in second.output()
    assert "wheelyard down" in second.output()
    assert up.ready().pid == up.pid


def test_a_taken_port_is_said_before_anything_starts(ups):
    up = ups()
    with socket.create_server(("127.0.0.1", up.settings.port)):
        up.start()
        assert up.ended() == 3
    assert f"port {up.settings.port}" in up.output()
    assert f"process {os.getpid()} (" in up.output()
    assert "WHEELYARD_PORT" in up.output()
    assert_nothing_started(up)


def test_a_missing_engine_is_said_before_anything_starts(ups, tmp_path):
    up = ups().start(PATH=str(tmp_path))
    assert up.ended() == 3
    assert "there is no container engine" in up.output()
    assert not up.settings.data_dir.exists()


def test_too_little_disk_is_said_before_anything_starts(ups):
    up = ups().start(WHEELYARD_MIN_FREE_DISK=str(1 << 60))
    assert up.ended() == 3
    assert "there is too little room" in up.output()
    assert "WHEELYARD_MIN_FREE_DISK" in up.output()
    assert_nothing_started(up)


def test_a_data_folder_that_cannot_be_written_is_said(ups, tmp_path):
    (tmp_path / "file").touch()
    up = ups().start(WHEELYARD_DATA_DIR=str(tmp_path / "file" / "data"))
    assert up.ended() == 2
    assert "can't be written" in up.output()
    assert "WHEELYARD_DATA_DIR" in up.output()


def test_a_given_redis_that_is_down_is_said_before_anything_starts(ups):
    port = free_ports(1)[0]
    up = ups().start(WHEELYARD_REDIS_URL=f"redis://127.0.0.1:{port}/0")
    assert up.ended() == 3
    assert "Redis does not answer" in up.output()
    assert_nothing_started(up)


def test_a_given_s3_that_is_down_is_said_before_anything_starts(ups):
    port = free_ports(1)[0]
    up = ups().start(
        WHEELYARD_STORE_URL="s3://wheelyard",
        WHEELYARD_S3_ENDPOINT=f"http://127.0.0.1:{port}",
        WHEELYARD_S3_ACCESS_KEY="a",
        WHEELYARD_S3_SECRET_KEY="b",
    )
    assert up.ended() == 3
    assert f"127.0.0.1:{port}" in up.output()
    assert_nothing_started(up)


def test_an_s3_server_without_a_bucket_is_a_wrong_setting(ups):
    up = ups().start(WHEELYARD_S3_ENDPOINT="http://127.0.0.1:1")
    assert up.ended() == 2
    assert "WHEELYARD_STORE_URL" in up.output()


def test_servers_that_are_given_are_not_started(ups, redis_url, tmp_path):
    up = ups().start(WHEELYARD_REDIS_URL=redis_url, WHEELYARD_STORE_URL=f"file://{tmp_path}/bytes")
    up.ready()
    assert len(children(up)) == 4
    assert not (up.settings.data_dir / "log" / "s3.log").exists()
    assert not (up.settings.data_dir / "log" / "redis.log").exists()
    up.signal(signal.SIGTERM)
    assert up.ended() == 0


@pytest.mark.parametrize("name", ["plans", "s3"])
def test_a_program_that_dies_is_started_again_and_that_is_said(ups, until, name):
    up = ups().start()
    up.ready()
    before = children(up)
    victim = up.room_pid("plans") if name == "plans" else before[0]
    os.kill(victim, signal.SIGKILL)
    until(lambda: f"{name} is started again" in up.output())
    assert f"{name} ended with signal SIGKILL" in up.output()
    until(lambda: len(set(children(up)) - set(before)) == 1)
    if name == "s3":
        until(lambda: answers(store_of(up)), seconds=30)


def test_a_program_that_dies_at_once_again_and_again_ends_up_with_its_last_lines(ups):
    up = ups().start("compile=die")
    assert up.ended(60) == 3
    assert "compile ended with status 7 at once, 5 times" in up.output()
    assert "compile has had enough" in up.output()
    assert "compile.log" in up.output()
    assert not (up.settings.data_dir / "run" / "children.json").exists()


def test_a_program_that_does_not_end_is_killed_in_time(ups):
    up = ups().start("plans=stubborn", "api=stubborn", WHEELYARD_DRAIN_SECONDS="3")
    up.ready()
    stubborn = [up.room_pid("plans"), up.room_pid("api")]
    up.signal(signal.SIGTERM)
    assert up.ended() == 0
    assert "plans did not end in time and is killed" in up.output()
    assert not any(map(is_alive, stubborn))


def test_a_second_ctrl_c_ends_at_once(ups):
    up = ups().start("plans=stubborn", WHEELYARD_DRAIN_SECONDS="300")
    up.ready()
    up.signal(signal.SIGINT)
    time.sleep(1)
    up.signal(signal.SIGINT)
    assert up.ended() == 0


def test_ctrl_c_while_it_starts_ends_it(ups, until):
    up = ups().start("api=none")
    until(lambda: "redis ready" in up.output() or "s3 ready" in up.output(), seconds=60)
    started = children(up)
    up.signal(signal.SIGINT)
    assert up.ended() == 0
    assert not any(map(is_alive, started))


def test_down_ends_it_and_may_be_repeated(ups, capsys):
    up = ups().start()
    up.ready()
    assert stop_stack(up.settings) == 0
    assert up.ended() == 0
    assert stop_stack(up.settings) == 0
    assert "no stack runs" in capsys.readouterr().out


def test_down_ends_what_a_killed_up_left(ups):
    up = ups().start("relay=grandchild")
    up.ready()
    log = (up.settings.data_dir / "log" / "relay.log").read_text()
    grandchild = int(log.split("grandchild ")[1].split()[0])
    up.signal(signal.SIGKILL)
    up.ended()
    assert stop_stack(up.settings) == 0
    assert not is_alive(grandchild)
    assert not (up.settings.data_dir / "run" / "client.json").exists()
    assert sockets(up) == []


def test_waiting_for_an_up_that_ended_does_not_take_long(ups):
    up = ups().start(WHEELYARD_MIN_FREE_DISK=str(1 << 60))
    with pytest.raises(InfrastructureError, match="ended before it was ready"):
        wait_ready(up.settings, 60, up.pid)


def test_waiting_for_nothing_ends_in_time(tmp_path):
    with pytest.raises(TimedOut, match="no `wheelyard up`"):
        wait_ready(Settings(data_dir=tmp_path), 0.5)
