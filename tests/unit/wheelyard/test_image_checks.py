"""What no image can be asked to be is refused before anything is built for it."""

from dataclasses import replace

import pytest

from wheelyard.build_request import BuildRequest
from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck
from wheelyard.image_checks import check_image_request
from wheelyard.image_request import ImageRequest
from wheelyard.image_size import parse_image_size
from wheelyard.run_settings import normal_ports

DIGEST = "sha256:" + "a" * 64
PLAIN = ImageRequest(build=BuildRequest(requirements=("numpy",), toolchain="debian12-cp311"))
PROBE = HealthCheck(test=("python3", "probe.py"))
WHEEL = "app-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"base": "debug"},
        {"base": f"python:3.12-slim@{DIGEST}"},
        {"base": f"registry.example:5000/team/python@{DIGEST}"},
        {"user": "0:0", "allow_root": True},
        {"app_wheel": DIGEST, "app_wheel_name": WHEEL},
        {"build": BuildRequest(requirements=(), toolchain="t"), "packages": ("ffmpeg",)},
        {"healthcheck": PROBE, "format": "docker"},
        {"compression": "zstd", "layer_limit": 120},
        {"entrypoint": ("bin/run",), "check": "import numpy\nassert numpy"},
        {"tags": ("team/app:1.2",), "labels": {"a": "é ü"}},
    ],
)
def test_takes_what_can_be(fields):
    check_image_request(replace(PLAIN, **fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"user": "0"}, "root"),
        ({"user": "0:1000"}, "root"),
        ({"user": "00"}, "root"),
        ({"user": "root"}, "user can't be used"),
        ({"user": "1000:4294967295"}, "user can't be used"),
        ({"base": "python:3.12-slim"}, "base can't be used"),
        ({"base": f"python@{DIGEST[:-1]}"}, "base can't be used"),
        ({"base": f"../x@{DIGEST}"}, "base can't be used"),
        ({"labels": {"a": "b\nc"}}, "label"),
        ({"labels": {"a\r": "b"}}, "label"),
        ({"environment": {"A=B": "c"}}, "variable"),
        ({"entrypoint": ("../../bin/x",)}, "leads out"),
        ({"entrypoint": ("/app/../../x",)}, "leads out"),
        ({"command": ("../x",)}, "leads out"),
        ({"entrypoint": ("",)}, "empty"),
        ({"workdir": "/a/../../b"}, "working folder"),
        ({"workdir": "app"}, "working folder"),
        ({"ports": ("0",)}, "port"),
        ({"ports": ("80/icmp",)}, "port"),
        ({"ports": ("65536",)}, "port"),
        ({"layer_limit": 200}, "layer limit"),
        ({"layer_limit": 0}, "layer limit"),
        ({"size_budget": 0}, "size budget"),
        ({"format": "tar"}, "format"),
        ({"format": "docker", "compression": "zstd"}, "no zstd"),
        ({"tags": ("app",)}, "name of an image"),
        ({"tags": ("App:1",)}, "repository"),
        ({"tags": ("app:-1",)}, "tag"),
        ({"packages": ("ffmpeg; rm",)}, "packages"),
        ({"packages": ("-o",)}, "packages"),
        ({"natives": ("../x",)}, "natives"),
        ({"optional_libraries": ("lib/x.so",)}, "optional_libraries"),
        ({"app_wheel": DIGEST}, "half there"),
        ({"app_wheel": DIGEST, "app_wheel_name": "../app-1.0-py3-none-any.whl"}, "file name"),
        ({"app_wheel": DIGEST, "app_wheel_name": "app.zip"}, "file name"),
        ({"app_wheel": DIGEST, "app_wheel_name": "app-1.0-py3-none-any./../../x.whl"}, "file name"),
        ({"healthcheck": replace(PROBE, test=())}, "health check"),
        ({"healthcheck": replace(PROBE, interval=0)}, "interval"),
        ({"healthcheck": replace(PROBE, timeout=float("nan"))}, "timeout"),
        ({"healthcheck": replace(PROBE, retries=0)}, "retries"),
        ({"check": "def"}, "not Python"),
        ({"check": "(" * 5000}, "not Python"),
        ({"build": BuildRequest(requirements=(), toolchain="t")}, "nothing but its base"),
    ],
)
def test_refuses_what_can_not_be(fields, words):
    with pytest.raises(InputError) as caught:
        check_image_request(replace(PLAIN, **fields))
    assert words in caught.value.failed


def test_ports_are_written_in_one_way_and_order():
    assert normal_ports(["8080", "53/udp", "8080/tcp", "443"]) == ("53/udp", "443/tcp", "8080/tcp")


@pytest.mark.parametrize(
    ("text", "size"),
    [("12", 12), ("250 MB", 250_000_000), ("160MiB", 160 << 20), ("1.5 gb", 1_500_000_000), ("7kB", 7000)],
)
def test_a_size_is_read_as_it_is_written(text, size):
    assert parse_image_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "1 XB", "-1", "1e3", "12iB", "1_000", "9" * 400])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="250 MB"):
        parse_image_size(text)


def test_an_older_document_lacks_the_newer_fields():
    document = PLAIN.to_document()
    old = {name: document[name] for name in ("build", "app", "entrypoint", "command", "environment")}
    assert ImageRequest.from_document(old) == PLAIN
