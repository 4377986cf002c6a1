import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from wheelyard.app_archive import write_app_archive
from wheelyard.digests import Digest
from wheelyard.errors import InputError


def archive_of(folder):
    target = io.BytesIO()
    archive = write_app_archive(folder, target)
    assert archive.digest == Digest.of(target.getvalue())
    assert archive.size == len(target.getvalue())
    with tarfile.open(fileobj=io.BytesIO(target.getvalue())) as tar:
        return archive, tar.getmembers()


def names_of(folder):
    return [member.name for member in archive_of(folder)[1]]


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "app"
    (folder / "pkg").mkdir(parents=True)
    (folder / "main.py").write_text("print(1)\n")
    (folder / "pkg" / "b.py").write_text("b\n")
    (folder / "pkg" / "a.py").write_text("a\n")
    return folder


def test_the_same_files_are_the_same_bytes_whatever_their_times_and_modes(app):
    first, _ = archive_of(app)
    for path in app.rglob("*"):
        os.utime(path, (1, 1))
    (app / "main.py").chmod(0o600)
    second, _ = archive_of(app)
    assert first == second


def test_members_are_sorted_and_belong_to_root(app):
    _, members = archive_of(app)
    assert [member.name for member in members] == ["main.py", "pkg", "pkg/a.py", "pkg/b.py"]
    assert {(m.uid, m.gid, m.uname, m.mtime) for m in members} == {(0, 0, "", 0)}


def test_an_executable_file_stays_one(app):
    (app / "main.py").chmod(0o700)
    _, members = archive_of(app)
    assert [member.mode for member in members] == [0o755, 0o755, 0o644, 0o644]


def test_links_inside_stay_links(app):
    (app / "pkg" / "link").symlink_to("../main.py")
    _, members = archive_of(app)
    assert members[-1].linkname == "../main.py"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "pkg/../../outside", "sneaky/x"])
def test_refuses_a_link_that_leads_out(app, target):
    (app.parent / "outside").mkdir()
    if target.startswith("sneaky"):
        (app / "a-sneaky").mkdir()
        (app / "sneaky").symlink_to(app.parent / "outside")
    (app / "link").symlink_to(target)
    with pytest.raises(InputError) as raised:
        archive_of(app)
    assert "outside the folder" in raised.value.found


def test_refuses_a_socket_and_a_pipe(app):
    os.mkfifo(app / "pipe")
    with pytest.raises(InputError, match="pipe") as raised:
        archive_of(app)
    assert raised.value.found == "a named pipe"
    (app / "pipe").unlink()
    here = Path.cwd()
    os.chdir(app)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("sock")
            with pytest.raises(InputError) as raised:
                archive_of(app)
    finally:
        os.chdir(here)
    assert raised.value.found == "a socket"


def test_a_refused_thing_that_is_ignored_is_no_trouble(app):
    os.mkfifo(app / "pipe")
    (app / ".dockerignore").write_text("pipe\n")
    assert "pipe" not in names_of(app)


def test_follows_the_ignore_file_and_leaves_caches_out_by_itself(app):
    (app / "__pycache__").mkdir()
    (app / "__pycache__" / "main.pyc").write_bytes(b"x")
    (app / ".git").mkdir()
    (app / ".git" / "HEAD").write_text("x")
    (app / ".dockerignore").write_text("pkg\n!pkg/a.py\n")
    assert names_of(app) == ["main.py", "pkg", "pkg/a.py"]


def test_what_is_left_out_by_itself_can_be_asked_for(app):
    (app / "x.pyc").write_bytes(b"x")
    (app / ".dockerignore").write_text("!*.pyc\n")
    assert "x.pyc" in names_of(app)


def test_refuses_a_name_that_is_not_utf8(app):
    (app / os.fsdecode(b"bad-\xff")).write_text("x")
    with pytest.raises(InputError, match="UTF-8"):
        archive_of(app)


def test_long_and_foreign_names_come_through(app):
    name = "ä" * 100
    (app / name).mkdir()
    (app / name / ("x" * 200)).write_text("x")
    assert f"{name}/{'x' * 200}" in names_of(app)


def test_refuses_what_is_no_folder(app):
    with pytest.raises(InputError, match="not a folder"):
        archive_of(app / "main.py")


class _GrowingTarget(io.BytesIO):
    """Lets a file grow or shrink as soon as its header was written."""

    def __init__(self, path, text):
        super().__init__()
        self.path, self.text = path, text

    def write(self, chunk):
        self.path.write_text(self.text)
        return super().write(chunk)


@pytest.mark.parametrize(("text", "word"), [("", "shrank"), ("x" * 3_000_000, "grew")])
def test_a_file_that_changes_meanwhile_is_an_error(app, text, word):
    path = app / "zz"
    path.write_text("y" * 2_000_000)
    with pytest.raises(InputError, match=word):
        write_app_archive(app, _GrowingTarget(path, text))
