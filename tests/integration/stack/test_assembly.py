"""What a stack consists of."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from wheelyard.errors import InputError
from wheelyard.settings import Settings, read_settings
from wheelyard.stack.assembly import assemble
from wheelyard.stack.stack_folder import StackFolder


@pytest.fixture
def folder(tmp_path):
    made = StackFolder(tmp_path / "data")
    made.prepare()
    return made


def test_fills_in_what_the_settings_leave_open(folder):
    assembly = assemble(Settings(), folder)
    settings = assembly.settings
    assert settings.store_url == "s3://wheelyard"
    assert settings.s3_endpoint == f"http://127.0.0.1:{assembly.ports.s3}"
    assert settings.redis_url.endswith(f"@127.0.0.1:{assembly.ports.redis}/0")
    assert settings.database_url == f"sqlite:///{folder.root}/wheelyard.db"
    assert settings.token.get_secret_value() == folder.secrets().token
    assert [server.name for server in assembly.servers] == ["s3", "redis"]


def test_the_programs_read_the_same_settings(folder, monkeypatch):
    assembly = assemble(Settings(compile_slots=3, token=SecretStr("given"), port=4242), folder)
    for name, value in assembly.environment.items():
        if name.startswith("WHEELYARD_"):
            monkeypatch.setenv(name, value)
    assert read_settings() == assembly.settings


def test_what_is_given_is_not_started(folder):
    given = {"store_url": "file:///s", "redis_url": "redis://r", "database_url": "postgresql://d"}
    assembly = assemble(Settings.model_validate(given), folder)
    assert assembly.servers == ()
    assert {name: getattr(assembly.settings, name) for name in given} == given


def test_an_s3_server_without_a_bucket_is_refused(folder):
    with pytest.raises(InputError, match="WHEELYARD_STORE_URL"):
        assemble(Settings(s3_endpoint="http://s3"), folder)


def test_no_secret_stands_in_a_command_line(folder):
    assembly = assemble(Settings(), folder)
    drawn = folder.secrets()
    for program in (*assembly.servers, assembly.migration, *assembly.rooms):
        for secret in (drawn.token, drawn.s3_secret_key, drawn.redis_password):
            assert secret not in " ".join(program.argv)


def test_the_compile_worker_gets_its_slots(folder):
    rooms = {room.name: room.argv for room in assemble(Settings(compile_slots=3), folder).rooms}
    assert rooms["compile"][-4:] == ("--queues", "compile", "--concurrency", "3")
    assert list(rooms) == ["api", "plans", "compile", "relay"]
