"""The Dockerfile of an image over HTTP, and in a folder of the client with what it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.builder_service.conftest import TOKEN
from tests.integration.builder_service.registry_images import make_record
from wheelyard.answers import ImageAnswer
from wheelyard.cli.dockerfile_output import check_dockerfile, write_dockerfile
from wheelyard.cli.progress.display import ProgressStyle
from wheelyard.client import Client
from wheelyard.digests import Digest, canonical_json
from wheelyard.dockerfile_parts import DockerfileParts, LayerFile, dockerfile_document
from wheelyard.errors import InputError
from wheelyard.image_record import ImageRecord, WheelPin

WHEEL = b"the bytes of a wheel"
PIN = WheelPin(project="demo", version="1.0", filename="demo-1.0-py3-none-any.whl", digest=Digest.of(WHEEL))


def published(front_door, content: bytes, *tags: str, **change) -> ImageRecord:
    """An image, and what its Dockerfile is made of."""
    store = front_door.services.store
    record = make_record(front_door.services, content, tags=tags)
    store.put_blob(WHEEL, PIN.digest)
    parts = {
        "image": record.manifest_digest,
        "toolchain": "debian12-cp311",
        "python": "3.11",
        "policy": "manylinux_2_36_x86_64",
        "wheels": (PIN,),
        "above": (LayerFile(title="application", digest=record.layers[0].digest),),
        "workdir": "/app",
        "user": "1000:1000",
        "entrypoint": ("python3",),
        **change,
    }
    document = canonical_json(DockerfileParts(**parts).to_document())
    store.put_document(dockerfile_document(record.key), document)
    return record


def test_it_is_answered_as_text_with_the_files_beside_it_named(front_door):
    record = published(front_door, b"of a Dockerfile", "n/dockerfile:1")
    for name in ("n/dockerfile:1", str(record.manifest_digest)):
        answer = front_door.guest.get(f"/v1/images/{name}/dockerfile")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/plain")
        assert f"--hash={PIN.digest}" in answer.text
    context = front_door.guest.get("/v1/images/n/dockerfile:1/dockerfile?form=context").json()["context"]
    assert {file["path"].rpartition("/")[2]: file["digest"] for file in context} == {
        PIN.filename: str(PIN.digest),
        f"{record.layers[0].digest.hex[:16]}.tar.gz": str(record.layers[0].digest),
    }
    for file in context:
        assert front_door.guest.get(f"/v1/blobs/{file['digest']}").status_code == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [({"environment": {"A": "b\nc"}}, "the variable 'A'"), ({"labels": {"a=b": "c"}}, "a=b")],
)
def test_what_it_can_not_say_is_a_problem_of_the_request(front_door, change, words):
    record = published(front_door, words.encode(), **change)
    answer = front_door.guest.get(f"/v1/images/{record.manifest_digest}/dockerfile")
    assert answer.status_code == 422
    assert words in answer.json()["detail"]


def test_an_image_of_an_earlier_version_has_none(front_door):
    record = make_record(front_door.services, b"without parts")
    assert front_door.guest.get(f"/v1/images/{record.manifest_digest}/dockerfile").status_code == 404


def test_the_command_writes_it_with_what_it_takes_and_without_what_another_one_took(
    front_door, tmp_path, capsys
):
    record = published(front_door, b"written by the command")
    answer = ImageAnswer.from_document(record.to_document())
    place = tmp_path / "Dockerfile"
    wheels = tmp_path / "wheelyard" / "wheels"
    wheels.mkdir(parents=True)
    (wheels / "old-1.0-py3-none-any.whl").write_bytes(b"of another one")
    check_dockerfile(place, detach=False)
    with Client(front_door.url, TOKEN) as client:
        for _ in range(2):
            write_dockerfile(client, answer, place, ProgressStyle.PLAIN)
        assert (wheels / PIN.filename).read_bytes() == WHEEL
        assert [path.name for path in wheels.iterdir()] == [PIN.filename]
        assert len(list((tmp_path / "wheelyard" / "layers").iterdir())) == 1
        assert "pip install --no-index --require-hashes" in place.read_text()
        capsys.readouterr()
        write_dockerfile(client, answer, Path("-"), ProgressStyle.PLAIN)
    # The service's own log may be in it, since it runs in this process.
    assert capsys.readouterr().out.endswith(place.read_text())


def test_a_place_that_can_not_be_is_said_before_anything_is_built(tmp_path):
    (tmp_path / "wheelyard").write_text("a file")
    for place in (tmp_path, tmp_path / "nowhere" / "Dockerfile", tmp_path / "Dockerfile"):
        with pytest.raises(InputError):
            check_dockerfile(place, detach=False)
    with pytest.raises(InputError):
        check_dockerfile(tmp_path / "other", detach=True)
    check_dockerfile(None, detach=True)
