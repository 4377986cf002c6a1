"""The application's own wheel: verified as what comes from outside, and what it requires."""

import pytest

from tests.distributions import metadata_of, wheel_members, zipped
from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.errors import InputError, WheelyardError
from wheelyard.image_request import ImageRequest
from wheelyard.store.folder import FolderStore
from wheelyard.toolchains import get_toolchain
from worker.app_wheel import app_pin, read_app_wheel

TOOLCHAIN = get_toolchain("debian12-cp311")
NAME = "app-1.0-py3-none-any.whl"


def app_wheel(*headers, name="app", lie=False):
    more = "".join(f"{header}\n" for header in headers)
    members = wheel_members("app", metadata=metadata_of(name, "1.0", more))
    if lie:
        members["app/__init__.py"] = b"print(2)\n"
    return zipped(members.items())


@pytest.fixture
def read(tmp_path):
    store = FolderStore(tmp_path / "store")

    def read(body, filename=NAME):
        store.put_blob(body, digest := Digest.of(body))
        request = ImageRequest(
            build=BuildRequest(requirements=(), toolchain="debian12-cp311"),
            app_wheel=str(digest),
            app_wheel_name=filename,
        )
        pin = app_pin(request)
        assert pin is not None
        return read_app_wheel(pin, TOOLCHAIN, store, tmp_path, max_bytes=1 << 20)

    return read


def test_what_it_requires_is_read_without_what_only_extras_need(read):
    app = read(
        app_wheel(
            "Requires-Dist: NumPy>=2",
            'Requires-Dist: pytest ; extra == "test"',
            'Requires-Dist: tomli ; python_version < "3.11"',
            'Requires-Dist: six ; python_version >= "3.11"',
            "Requires-Python: >=3.11,<3.12",
        )
    )
    assert app.requires == ("numpy>=2", "six")
    assert app.pin.title == "app 1.0"


def test_one_may_require_nothing(read):
    assert read(app_wheel()).requires == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (app_wheel(lie=True), "app/__init__.py"),
        (app_wheel(name="other"), "other"),
        (app_wheel("Requires-Dist: demo @ https://example.org/demo.whl"), "demo"),
        (app_wheel("Requires-Dist: demo @ git+https://example.org/demo.git@main"), "demo"),
        (app_wheel("Requires-Dist: -r /etc/passwd"), "Requires-Dist"),
        (app_wheel('Requires-Dist: demo ; os_name ~= "x"'), "marker"),
        (app_wheel('Requires-Dist: demo ; "x" in extras'), "marker"),
        (app_wheel("Requires-Python: >=3.13"), "Python"),
        (app_wheel("Requires-Python: maybe"), "Requires-Python"),
        (b"no zip", NAME),
    ],
)
def test_one_that_lies_or_asks_for_what_no_index_has_is_refused(read, body, words):
    with pytest.raises(WheelyardError) as caught:
        read(body)
    assert words in str(caught.value)


def test_one_for_another_platform_is_refused(read):
    with pytest.raises(InputError, match="does not run"):
        read(app_wheel(), "app-1.0-cp312-cp312-win_amd64.whl")
