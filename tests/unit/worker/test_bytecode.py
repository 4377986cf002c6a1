"""A file's bytecode is its own: whatever was compiled before it, in whatever process."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from worker.inside import fill_wheel_layer
from worker.inside.fill_wheel_layer import bytecode_of, compile_sources

FIRST = b"""
def zebra_stripes(quagga_colour, okapi=('savanna', 3, 2.5)):
    return {'zebra_stripes': quagga_colour, okapi: frozenset({'zebra_stripes', 'quagga_colour', None, 1})}
"""
SECOND = b"""
class Herd:
    quagga_colour = 'zebra_stripes'
    def okapi(self, savanna='savanna'):
        return [lambda savanna: (savanna, self.quagga_colour, 'okapi', 2.5) for _ in savanna]
"""
SNIPPET = """
import sys; sys.path.insert(0, {root!r})
from worker.inside.fill_wheel_layer import bytecode_of
first, second = {first!r}, {second!r}
kept = [compile(first, 'x', 'exec'), compile(second, 'x', 'exec')] if {pollute} else []
order = [('/b.py', second), ('/a.py', first)] if {backwards} else [('/a.py', first), ('/b.py', second)]
made = {{path: bytecode_of(source, path) for path, source in order}}
print(made['/a.py'].hex(), made['/b.py'].hex())
"""


def made(*, backwards: bool, pollute: bool) -> str:
    root = str(Path(fill_wheel_layer.__file__).parents[2])
    code = SNIPPET.format(root=root, first=FIRST, second=SECOND, backwards=backwards, pollute=pollute)
    # Another hash seed each time is what a container does not even have.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_two_orders_and_a_used_process_give_the_same_bytes():
    fresh = made(backwards=False, pollute=False)
    assert made(backwards=True, pollute=False) == fresh
    assert made(backwards=False, pollute=True) == fresh
    assert made(backwards=True, pollute=True) == fresh


def test_the_bytecode_is_valid_without_a_look_at_the_source_and_runs(tmp_path):
    place = tmp_path / "demo.py"
    place.write_bytes(FIRST)
    compile_sources(tmp_path)
    cached = Path(importlib.util.cache_from_source(str(place)))
    # Flags 1: a hash that is not checked (PEP 552).
    assert cached.read_bytes()[4:8] == b"\1\0\0\0"
    assert cached.read_bytes()[8:16] == importlib.util.source_hash(FIRST)
    place.write_bytes(b"raise SystemError('the source was read')")
    spec = importlib.util.spec_from_file_location("demo", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.zebra_stripes(1, 2)["zebra_stripes"] == 1
    # Where it will lie, and not where it was made.
    assert b"/demo.py" in cached.read_bytes()
    assert str(tmp_path).encode() not in cached.read_bytes()


def test_many_sources_on_several_processors_are_the_same_as_one_by_one(tmp_path):
    for number in range(120):
        (tmp_path / f"m{number}.py").write_bytes(FIRST + b"x = %d\n" % number)
    compile_sources(tmp_path)
    for number in range(120):
        cached = Path(importlib.util.cache_from_source(str(tmp_path / f"m{number}.py")))
        assert cached.read_bytes() == bytecode_of(FIRST + b"x = %d\n" % number, f"/m{number}.py")


@pytest.mark.parametrize("source", [b"print 'Python 2'", b"\0", b"# -*- coding: nonsense -*-", b"\xff = 1"])
def test_a_source_that_this_python_can_not_read_has_none(source):
    assert bytecode_of(source, "/x.py") is None


def test_a_base_with_another_scheme_gets_files_and_shebangs_where_it_looks(tmp_path):
    old = tmp_path / "usr/local/lib/python3.11/dist-packages"
    (old / "demo-1.0.dist-info").mkdir(parents=True)
    (old / "demo-1.0.dist-info/RECORD").write_text("")
    (old / "demo.py").write_text("x = 1\n")
    scripts = tmp_path / "usr/local/bin"
    scripts.mkdir()
    (scripts / "demo").write_text(f"#!{sys.executable}\nimport demo\n")
    (scripts / "other").write_text("#!/bin/sh\n")
    fill_wheel_layer.move_to_scheme(tmp_path, "/opt/py/bin/python3", "/opt/py/lib/python3.11/site-packages")
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    site = "opt/py/lib/python3.11/site-packages"
    assert files == [
        "opt/py/bin/demo",
        "opt/py/bin/other",
        f"{site}/demo-1.0.dist-info/RECORD",
        f"{site}/demo.py",
    ]
    assert (tmp_path / "opt/py/bin/demo").read_text() == "#!/opt/py/bin/python3\nimport demo\n"
    assert (tmp_path / "opt/py/bin/other").read_text() == "#!/bin/sh\n"
