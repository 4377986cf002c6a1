import gzip
import io
import json
import os
import stat
import sys
import tarfile

import pytest

from tests import fake_registry
from tests.fake_registry import FakeRegistry
from wheelyard.digests import Digest
from wheelyard.oci import Runtime, compress_layer, make_image


def layer_of(title, name, body):
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as out:
        member = tarfile.TarInfo(name)
        member.size = len(body)
        out.addfile(member, io.BytesIO(body))
    tar.seek(0)
    packed = io.BytesIO()
    return compress_layer(tar, packed, title), packed.getvalue()


@pytest.fixture
def image(service):
    """An image in the service, and a worker that answers with it."""
    made = [
        layer_of("base debian12-cp311", "bin/sh", os.urandom(200_000)),
        layer_of("numpy 2.4.6", "numpy", b"n" * 50_000),
    ]
    for layer, packed in made:
        service.put_blob(str(layer.digest), packed)
    image = make_image([layer for layer, _ in made], Runtime(entrypoint=("python3",)))
    service.put_blob(str(image.id), image.config)
    service.put_blob(str(image.digest), image.manifest)
    report = {
        "image_id": str(image.id),
        "manifest_digest": str(image.digest),
        "size": sum(layer.size for layer in image.layers),
        "unpacked": sum(layer.unpacked for layer in image.layers),
        "layers": [layer.to_document() for layer in image.layers],
        "absent": ["gcc", "git", "pip"],
        "present": {"sh": ["/bin/sh"]},
    }
    service.worker = lambda service, job: service.succeed(job, {"image": report, "build": {}, "seconds": 0.3})
    return image


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A `podman` that keeps what it is given."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "podman"
    kept = tmp_path / "loaded.tar"
    program.write_text(f'#!/bin/sh\n[ "$1" = load ] || exit 9\ncat > {kept}\necho Loaded image\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program, kept


PULLING = """\
#!{python}
import hashlib, json, pathlib, sys, urllib.request
kept = pathlib.Path({kept!r})
with (kept / "said").open("a") as said:
    print(*sys.argv[1:], file=said)
if sys.argv[1] == "pull":
    host, _, rest = sys.argv[-1].partition("/")
    name, _, tag = rest.rpartition(":")
    def get(what):
        with urllib.request.urlopen(f"http://{{host}}/v2/{{name}}/{{what}}") as answer:
            return answer.read()
    manifest = json.loads(get(f"manifests/{{tag}}"))
    for part in [*manifest["layers"], manifest["config"]]:
        place = kept / part["digest"]
        if not place.exists():
            body = get("blobs/" + part["digest"])
            assert "sha256:" + hashlib.sha256(body).hexdigest() == part["digest"]
            place.write_bytes(body)
elif sys.argv[1] == "load":
    (kept / "archive").write_bytes(sys.stdin.buffer.read())
"""


@pytest.fixture
def pulling(tmp_path, monkeypatch):
    """A `podman` that pulls what it lacks; gives the folder of what it has."""
    folder, kept = tmp_path / "bin", tmp_path / "kept"
    folder.mkdir()
    kept.mkdir()
    program = folder / "podman"
    program.write_text(PULLING.format(python=sys.executable, kept=str(kept)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return kept


def read_archive(path):
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_shows_layers_and_what_is_not_inside(service, image, command):
    ended = command("image", "numpy")
    assert ended.code == 0
    assert "base debian12-cp311" in ended.out
    assert "not inside: gcc, git, pip" in ended.out
    assert "inside: sh (/bin/sh)" in ended.out
    assert str(image.id) in ended.out


def test_the_request_carries_what_was_asked_for(service, command):
    ended = command(
        "image", "numpy", "--entrypoint", "python3 -m 'my app'", "--cmd", "--fast", "-e", "A=b=c",
        "-l", "team=video", "--workdir", "/srv", "--user", "1:2", "--detach",
    )  # fmt: skip
    spec = service.jobs[ended.out.strip()].spec
    assert spec["entrypoint"] == ["python3", "-m", "my app"]
    assert spec["command"] == ["--fast"]
    assert (spec["environment"], spec["labels"]) == ({"A": "b=c"}, {"team": "video"})
    assert (spec["workdir"], spec["user"]) == ("/srv", "1:2")


def test_the_application_is_uploaded_once(service, image, command, tmp_path):
    app = tmp_path / "app"
    app.mkdir()
    (app / "main.py").write_text("print(1)\n")
    for _ in range(2):
        assert command("image", "numpy", "--app", str(app)).code == 0
    assert [method for method, path in service.requests if "blobs" in path] == ["HEAD", "PUT", "HEAD"]
    spec = next(iter(service.jobs.values())).spec
    with tarfile.open(fileobj=io.BytesIO(service.blobs[spec["app"]])) as tar:
        assert tar.getnames() == ["main.py"]


def test_an_application_without_a_file_is_wrong_input(service, image, command, tmp_path):
    (tmp_path / "empty").mkdir()
    assert command("image", "numpy", "--app", str(tmp_path / "empty")).code == 2


def test_writes_an_archive_that_docker_loads(service, image, command, tmp_path):
    path = tmp_path / "image.tar"
    ended = command("image", "numpy", "--output", str(path), "--tag", "app", "--tag", "team/app:1.2")
    assert ended.code == 0, ended.err
    files = read_archive(path)
    index = json.loads(files["manifest.json"])[0]
    assert index["RepoTags"] == ["app:latest", "team/app:1.2"]
    assert files[index["Config"]] == image.config
    for name, layer in zip(index["Layers"], image.layers, strict=True):
        assert Digest.of(gzip.decompress(files[name])) == layer.diff_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".part")] == []


def test_writes_an_oci_layout(service, image, command, tmp_path):
    folder = tmp_path / "layout"
    assert command("image", "numpy", "--oci", str(folder), "--tag", "app:1").code == 0
    entry = json.loads((folder / "index.json").read_text())["manifests"][0]
    assert entry["digest"] == str(image.digest)
    assert {path.name for path in (folder / "blobs" / "sha256").iterdir()} == {
        image.id.hex,
        image.digest.hex,
        *(layer.digest.hex for layer in image.layers),
    }


def test_loads_into_the_engine(service, image, command, engine):
    ended = command("image", "numpy", "--load", "--tag", "app:1")
    assert ended.code == 0, ended.err
    assert "loaded: app:1" in ended.out
    assert json.loads(read_archive(engine[1])["manifest.json"])[0]["RepoTags"] == ["app:1"]


def test_an_engine_that_has_the_layers_is_sent_the_documents(service, image, command, pulling):
    assert command("image", "numpy", "--load", "--tag", "app:1", "--tag", "app:2").code == 0
    for layer in image.layers:
        assert Digest.of((pulling / str(layer.digest)).read_bytes()) == layer.digest
    said = (pulling / "said").read_text().splitlines()
    assert [line.split()[0] for line in said] == ["pull", "tag", "tag", "untag"]
    assert [line.split()[-1] for line in said[1:3]] == ["app:1", "app:2"]
    assert said[3] == f"untag {image.id.hex} {said[0].split()[-1]}"
    asked = len(service.requests)
    ended = command("image", "numpy", "--load", "--progress", "json", "--tag", "app:3")
    sent = [json.loads(line) for line in ended.out.splitlines() if '"transfer"' in line]
    assert sent[-1]["bytes"] == 0
    layers = {f"/v1/blobs/{layer.digest}" for layer in image.layers}
    assert not layers & {path for _, path in service.requests[asked:]}
    assert not (pulling / "archive").exists()


def test_an_engine_that_pulls_gets_no_bytes_that_are_other_ones(service, image, command, pulling):
    digest = str(image.layers[0].digest)
    service.blobs[digest] = service.blobs[digest][:-1] + b"x"
    ended = command("image", "numpy", "--load", "--tag", "app:1")
    assert ended.code == 3
    assert "are not the ones that the image names" in ended.err
    assert not (pulling / digest).exists()
    assert not (pulling / "archive").exists()


def test_writes_an_oci_archive(service, image, command, tmp_path):
    path = tmp_path / "image.tar"
    assert command("image", "numpy", "--oci", str(path), "--tag", "app:1").code == 0
    files = read_archive(path)
    entry = json.loads(files["index.json"])["manifests"][0]
    assert entry["digest"] == str(image.digest)
    assert set(files) == {"oci-layout", "index.json"} | {
        f"blobs/sha256/{digest.hex}"
        for digest in (image.id, image.digest, *(layer.digest for layer in image.layers))
    }
    assert all(Digest.of(body).hex in name for name, body in files.items() if name.startswith("blobs"))


def test_an_image_is_pushed_where_it_is_made(service, image, command, tmp_path):
    with fake_registry.serving(FakeRegistry()) as registry:
        ended = command("image", "numpy", "--push", f"{registry.host}/team/app:1", "--progress", "json")
        assert ended.code == 0, ended.err
        assert registry.manifests["team/app 1"][0] == image.manifest
    last = json.loads(ended.out.splitlines()[-1])
    assert (last["type"], last["digest"]) == ("pushed", str(image.digest))


def test_a_push_that_can_not_be_is_refused_before_anything_is_built(service, command):
    for arguments in (("--push", "app:1"), ("--push", "localhost:1/app:1", "--detach")):
        assert command("image", "numpy", *arguments).code == 2
    assert not service.jobs


def test_an_engine_that_fails_says_why(service, image, command, engine):
    engine[0].write_text("#!/bin/sh\necho 'no space left on device' >&2\nexit 125\n")
    ended = command("image", "numpy", "--load")
    assert ended.code == 3
    assert "no space left on device" in ended.err
    assert "status 125" in ended.err


def test_bytes_that_are_other_ones_are_refused_and_nothing_is_left(service, image, command, tmp_path, engine):
    digest = str(image.layers[0].digest)
    body = bytearray(service.blobs[digest])
    body[5000] ^= 1
    service.blobs[digest] = bytes(body)
    for arguments in (("--output", str(tmp_path / "x.tar")), ("--oci", str(tmp_path / "x")), ("--load",)):
        ended = command("image", "numpy", *arguments)
        assert ended.code == 3, ended
        assert "are not the ones that the image names" in ended.err
    assert not (tmp_path / "x.tar").exists()
    assert not (tmp_path / "x" / "index.json").exists()


@pytest.mark.parametrize("document", ["config", "manifest"])
def test_a_config_or_manifest_with_other_bytes_is_refused(service, image, command, tmp_path, document):
    digest = image.id if document == "config" else image.digest
    service.blobs[str(digest)] = b"{}"
    ended = command("image", "numpy", "--output", str(tmp_path / "x.tar"))
    assert ended.code == 3
    assert "other bytes" in ended.err


def test_a_download_that_breaks_off_is_infrastructure(service, image, command, tmp_path):
    digest = str(image.layers[0].digest)
    service.blobs[digest] = service.blobs[digest][:1000]
    ended = command("image", "numpy", "--output", str(tmp_path / "x.tar"))
    assert ended.code == 3
    assert not (tmp_path / "x.tar").exists()


def test_no_engine_is_said_before_anything_is_built(service, image, command, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = command("image", "numpy", "--load")
    assert ended.code == 2
    assert "podman or docker" in ended.err
    assert not service.jobs


def test_json_says_where_the_image_went(service, image, command, tmp_path):
    ended = command("image", "numpy", "--output", str(tmp_path / "x.tar"), "--progress", "json")
    kinds = [json.loads(line)["type"] for line in ended.out.splitlines()]
    assert kinds[-3:] == ["result", "transfer", "output"]


SPEC = """
requirements = ["numpy"]
app = "src"
size_budget = "160MiB"
tags = ["team/app:1"]
[environment]
A = "1"
B = "1"
[healthcheck]
test = ["python3", "probe.py"]
"""


@pytest.fixture
def spec(tmp_path):
    """A spec file and the application beside it."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.py").write_text("print(1)\n")
    path = tmp_path / "image.toml"
    path.write_text(SPEC)
    return path


def test_a_spec_file_asks_for_what_is_in_it_and_options_go_before_it(service, command, spec):
    ended = command(
        "image", "--spec", str(spec), "--env", "B=2", "--port", "8080", "--health-interval", "10s",
        "--no-bytecode", "--tag", "app", "--build-deps", "source", "--detach",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    asked = service.jobs[ended.out.strip()].spec  # Nothing else is said there.
    assert (asked["requirements"], asked["build_deps"]) == (["numpy"], "source")
    assert asked["app"] in service.blobs
    assert asked["environment"] == {"A": "1", "B": "2"}
    assert (asked["size_budget"], asked["ports"], asked["bytecode"]) == (160 << 20, ["8080"], False)
    assert (asked["healthcheck"]["test"], asked["healthcheck"]["interval"]) == (["python3", "probe.py"], 10.0)
    assert asked["tags"] == ["app:latest"]


def test_a_wheel_as_application_is_uploaded_under_its_name(service, command, tmp_path):
    wheel = tmp_path / "app-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    (tmp_path / "limits.txt").write_text("six==1.17.0\n")
    ended = command("image", "--app", str(wheel), "--constraint", str(tmp_path / "limits.txt"), "--detach")
    asked = service.jobs[ended.out.strip()].spec
    assert service.blobs[asked["app_wheel"]] == b"a wheel"
    assert (asked["app_wheel_name"], asked["constraints"]) == (wheel.name, ["six==1.17.0"])
    assert "requirements" not in asked


def test_a_project_that_is_called_like_a_command_is_written_behind_two_dashes(service, command):
    ended = command("image", "--detach", "--", "push")
    assert service.jobs[ended.out.strip()].spec["requirements"] == ["push"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["numpy", "--user", "0:0"], "--allow-root"),
        (["numpy", "--label", "a=b\nc"], "label"),
        (["numpy", "--base", "python:3.12"], "pin it"),
        (["numpy", "--layer-limit", "200"], "from 1 to 120"),
        (["numpy", "--size-budget", "large"], "size_budget"),
        (["numpy", "--tag", "host:5000/app:1"], "names nothing"),
        (["--spec", "/nowhere.toml"], "can't be read"),
        ([], "Usage"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(service, command, arguments, words):
    ended = command("image", *arguments)
    assert ended.code == 2
    assert words in ended.err + ended.out
    assert [path for _method, path in service.requests if not path.startswith("/v1/health")] == []
