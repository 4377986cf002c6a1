"""What must be true before anything starts."""

from __future__ import annotations

import importlib.util
import shutil
import socket

import pytest

from wheelyard.errors import DiskFull, EngineFailed, InfrastructureError, InputError
from wheelyard.settings import Settings
from wheelyard.stack import preflight, servers
from wheelyard.stack.stack_folder import StackFolder


def test_missing_extras_say_how_to_install_them(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "celery" else real(name))
    with pytest.raises(InputError, match=r"no celery[\s\S]*pip install 'wheelyard\[server\]'"):
        preflight.check_extras(Settings())


def test_missing_servers_say_how_to_install_them_unless_others_are_given(monkeypatch):
    monkeypatch.setattr(servers, "_installed", lambda *_: None)
    with pytest.raises(InputError, match=r"weed[\s\S]*wheelyard\[server\]"):
        preflight.check_extras(Settings())
    with pytest.raises(InputError, match=r"Redis[\s\S]*wheelyard\[server\]"):
        preflight.check_extras(Settings(store_url="file:///s"))
    preflight.check_extras(Settings(store_url="file:///s", redis_url="redis://127.0.0.1"))


@pytest.mark.parametrize(
    ("engine", "there", "found"),
    [
        ("auto", {"podman"}, True),
        ("auto", {"docker"}, True),
        ("auto", set(), False),
        ("docker", {"podman"}, False),
        ("podman", {"podman"}, True),
    ],
)
def test_looks_for_the_engine_that_was_asked_for(monkeypatch, engine, there, found):
    monkeypatch.setattr(shutil, "which", lambda name: name if name in there else None)
    settings = Settings(engine=engine)
    if found:
        preflight.check_engine(settings)
    else:
        with pytest.raises(EngineFailed, match="no container engine"):
            preflight.check_engine(settings)


def test_too_little_disk_says_how_much_is_missing(tmp_path):
    folder = StackFolder(tmp_path)
    preflight.check_disk(Settings(min_free_disk=0), folder)
    with pytest.raises(DiskFull, match=r"1073741824\.0 GiB free"):
        preflight.check_disk(Settings(min_free_disk=1 << 60), folder)


def test_a_taken_port_names_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InfrastructureError, match=r"found: process \d+"):
            preflight.check_port(Settings(port=port))
    preflight.check_port(Settings(port=port))
