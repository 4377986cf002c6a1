"""The data folder of a stack."""

from __future__ import annotations

import json
import os
import stat

import pytest

from wheelyard.errors import Conflict, InputError
from wheelyard.stack.stack_folder import Secrets, StackFolder


@pytest.fixture
def folder(tmp_path):
    made = StackFolder(tmp_path / "data")
    made.prepare()
    return made


def test_secrets_are_drawn_once_and_only_the_owner_may_read_them(folder):
    drawn = folder.secrets()
    assert folder.secrets() == drawn
    assert stat.S_IMODE((folder.root / "secrets.json").stat().st_mode) == 0o600
    assert drawn != Secrets.draw()
    assert len(drawn.token) == 43


def test_a_secret_is_not_shown(folder):
    drawn = folder.secrets()
    for secret in (drawn.token, drawn.s3_secret_key, drawn.redis_password):
        assert secret not in repr(drawn)


def test_unreadable_secrets_say_what_to_do(folder):
    (folder.root / "secrets.json").write_text("{")
    with pytest.raises(InputError, match="delete it"):
        folder.secrets()


def test_ports_stay_the_same_while_they_are_free(folder):
    assert folder.ports() == folder.ports()


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="WHEELYARD_DATA_DIR"):
        StackFolder(tmp_path / "file").prepare()


def test_the_lock_is_exclusive_and_says_who_holds_it(folder):
    with folder.locked():
        holder = folder.holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        with pytest.raises(Conflict, match=f"process {os.getpid()}"), folder.locked():
            pass
        assert folder.holder() == holder
    assert folder.holder() is None
    with folder.locked():
        pass


def test_a_lock_file_that_a_dead_process_left_holds_nothing(folder):
    folder.lock_file.write_text(json.dumps({"pid": os.getpid(), "start": 1, "boot": "another"}))
    assert folder.holder() is None
    with folder.locked():
        assert folder.holder() is not None
