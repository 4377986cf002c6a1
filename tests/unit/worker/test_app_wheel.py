"""The application's own wheel: verified as what comes from outside, and what it requires."""

import base64
import hashlib
import io
import zipfile

import pytest

from wheelyard.build_request import BuildRequest
from wheelyard.digests import Digest
from wheelyard.errors import InputError, WheelyardError
from wheelyard.image_request import ImageRequest
from wheelyard.store.folder import FolderStore
from wheelyard.toolchains import get_toolchain
from worker.app_wheel import app_pin, read_app_wheel

TOOLCHAIN = get_toolchain("debian12-cp311")
NAME = "app-1.0-py3-none-any.whl"


def wheel(*headers, name="app", lie=False):
    info = "app-1.0.dist-info"
    files = {
        "app.py": b"print(1)\n",
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *headers, ""]
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b'=').decode()},{len(body)}"
        for path, body in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
    if lie:
        files["app.py"] = b"print(2)\n"
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as pack:
        for path, content in files.items():
            pack.writestr(path, content)
    return body.getvalue()


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
        wheel(
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
    assert read(wheel()).requires == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (wheel(lie=True), "app.py"),
        (wheel(name="other"), "other"),
        (wheel("Requires-Dist: demo @ https://example.org/demo.whl"), "demo"),
        (wheel("Requires-Dist: demo @ git+https://example.org/demo.git@main"), "demo"),
        (wheel("Requires-Dist: -r /etc/passwd"), "Requires-Dist"),
        (wheel("Requires-Python: >=3.13"), "Python"),
        (wheel("Requires-Python: maybe"), "Requires-Python"),
        (b"no zip", NAME),
    ],
)
def test_one_that_lies_or_asks_for_what_no_index_has_is_refused(read, body, words):
    with pytest.raises(WheelyardError) as caught:
        read(body)
    assert words in str(caught.value)


def test_one_for_another_platform_is_refused(read):
    with pytest.raises(InputError, match="does not run"):
        read(wheel(), "app-1.0-cp312-cp312-win_amd64.whl")
