"""Reading the core metadata out of a wheel, whatever the wheel is."""

import io
import zipfile

import pytest

from tests.index_site import make_wheel
from wheelyard.upstream.wheel_metadata import wheel_metadata

NAME = "demo-1.0-py3-none-any.whl"


def packed(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as pack:
        for path, text in members.items():
            pack.writestr(path.replace("__", "/"), text)
    return stream.getvalue()


def read(tmp_path, body, name=NAME):
    path = tmp_path / "file"
    path.write_bytes(body)
    return wheel_metadata(path, name)


def test_gives_the_bytes_of_the_metadata(tmp_path):
    found = read(tmp_path, make_wheel("demo", "1.0", requires=("other>=2",)))
    assert found == b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Dist: other>=2\n\n"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no zip",
        make_wheel("demo", "1.0")[:200],
        packed(demo="x"),
        make_wheel("demo", "2.0"),
        make_wheel("other", "1.0"),
        packed(**{"demo-1.0.dist-info__METADATA": "\x00\xff"}),
        packed(**{"a.dist-info__METADATA": "Name: demo", "b.dist-info__METADATA": "Name: demo"}),
    ],
)
def test_a_wheel_without_metadata_of_its_own_has_none(tmp_path, body):
    assert read(tmp_path, body) is None
