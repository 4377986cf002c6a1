"""The text of a Dockerfile, as docker and as buildah read it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wheelyard.dockerfile_readers import READERS, listed
from wheelyard.digests import Digest
from wheelyard.dockerfile import dockerfile_text
from wheelyard.dockerfile_parts import DockerfileParts, LayerFile
from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck
from wheelyard.image_record import WheelPin
from wheelyard.oci import MEDIA_LAYER_ZSTD

PIN = WheelPin(project="demo", version="1.0", filename="demo-1.0-py3-none-any.whl", digest=Digest("a" * 64))
PARTS = DockerfileParts(
    image=Digest("1" * 64),
    toolchain="debian12-cp311",
    python="3.11",
    policy="manylinux_2_36_x86_64",
    wheels=(replace(PIN, project="zeta", filename="zeta-1.0-py3-none-any.whl", digest=Digest("b" * 64)), PIN),
    below=(LayerFile(title="system\nlibgl1", digest=Digest("c" * 64)),),
    above=(LayerFile(title="application", digest=Digest("d" * 64)),),
    environment={"PATH": "/usr/bin", "GREETING": 'say "$HOME" \\ now'},
    labels={"team": "video"},
    workdir="/app",
    user="1000:1000",
    ports=("8080/tcp",),
    healthcheck=HealthCheck(test=("python3", "-c", "x = 1\ny = 2"), interval=0.5, timeout=5),
    entrypoint=("python3", "main.py"),
)

GOLDEN = r"""
# The content of the image sha256:1111111111111111111111111111111111111111111111111111111111111111,
# which Wheelyard made with the toolchain debian12-cp311. All that it takes is in wheelyard/.
#
#     podman build --build-arg BASE=IMAGE --file Dockerfile .
#     docker build --build-arg BASE=IMAGE --file Dockerfile .
#
# BASE has Python 3.11 as python3, and a libc that takes manylinux_2_36_x86_64.
# PIP_IMAGE is like it and has pip and a shell; nothing else of it gets into the image.
# Only docker's image format knows health checks: `podman build` needs --format docker.
ARG BASE
ARG PIP_IMAGE=${BASE}

FROM ${PIP_IMAGE} AS wheels
USER 0:0
COPY wheelyard/wheels/ /wheels/
RUN printf '%s\n' \
        'demo==1.0 --hash=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' \
        'zeta==1.0 --hash=sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb' \
        > /wheels/requirements.txt && \
    python3 -m pip install --no-index --require-hashes --no-deps --no-cache-dir \
        --no-warn-script-location --ignore-installed --root /installed \
        --find-links /wheels --requirement /wheels/requirements.txt

FROM ${BASE}
# system libgl1
ADD wheelyard/layers/cccccccccccccccc.tar.gz /
COPY --from=wheels /installed/ /
# application
ADD wheelyard/layers/dddddddddddddddd.tar.gz /
ENV GREETING="say \"\$HOME\" "\\" now" \
    PATH=/usr/bin
LABEL team=video
EXPOSE 8080/tcp
WORKDIR /app
USER 1000:1000
HEALTHCHECK --interval=500ms --timeout=5s --retries=3 \
    CMD ["python3", "-c", "x = 1\ny = 2"]
ENTRYPOINT ["python3", "main.py"]
CMD []
""".removeprefix("\n")


def test_the_text_is_this_one():
    assert dockerfile_text(PARTS) == GOLDEN


def test_the_parts_come_back_from_their_document():
    document = json.loads(json.dumps(PARTS.to_document()))
    assert dockerfile_text(DockerfileParts.from_document(document)) == GOLDEN


def test_what_lies_beside_it_is_named_by_digest():
    assert {file.path: file.digest.hex[0] for file in PARTS.context} == {
        "wheelyard/wheels/demo-1.0-py3-none-any.whl": "a",
        "wheelyard/wheels/zeta-1.0-py3-none-any.whl": "b",
        "wheelyard/layers/cccccccccccccccc.tar.gz": "c",
        "wheelyard/layers/dddddddddddddddd.tar.gz": "d",
    }


def test_an_image_without_wheels_has_one_stage_and_a_named_base_is_the_default():
    base = f"python:3.11-slim@sha256:{'e' * 64}"
    text = dockerfile_text(replace(PARTS, wheels=(), base=base, healthcheck=None))
    assert text.count("FROM") == 1
    assert f"ARG BASE={base}\n" in text
    assert "pip install" not in text
    assert "HEALTHCHECK" not in text


def test_without_bytecode_pip_compiles_nothing():
    assert "--no-compile" in dockerfile_text(replace(PARTS, bytecode=False))


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\0"), max_size=40)
# Characters that mean something to a reader come far more often than chance would have them.
SHARP = st.text(alphabet=" \t\"'\\$#=`{}<[,a", max_size=12)
VALUES = TEXTS | SHARP
NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@pytest.mark.parametrize("reader", READERS)
@given(
    environment=st.dictionaries(NAMES, VALUES, max_size=4),
    labels=st.dictionaries(VALUES.map(lambda text: text.replace("=", "-")).filter(bool), VALUES, max_size=4),
    workdir=VALUES.map(lambda text: "/" + text),
    words=st.lists(TEXTS | SHARP | st.text(max_size=150), max_size=5),
)
def test_every_value_is_read_as_it_was(reader, environment, labels, workdir, words):
    parts = replace(
        PARTS,
        environment=environment,
        labels=labels,
        workdir=workdir,
        entrypoint=("python3", *words),
        command=tuple(words),
        healthcheck=HealthCheck(test=("python3", *words)),
    )
    lines = reader.instructions(dockerfile_text(parts))
    by_name = {name: rest for name, rest in lines if name not in ("FROM", "ADD", "COPY", "ARG")}
    assert reader.pairs(by_name.get("ENV", "")) == environment
    assert reader.pairs(by_name.get("LABEL", "")) == labels
    assert reader.value(by_name["WORKDIR"]) == workdir
    assert listed(by_name["ENTRYPOINT"]) == ["python3", *words]
    assert listed(by_name["CMD"]) == words
    assert listed(by_name["HEALTHCHECK"].partition(" CMD ")[2]) == ["python3", *words]
    assert [name for name, _ in lines].count("FROM") == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": {"A": "one\ntwo"}}, "the variable 'A'"),
        ({"labels": {"a": "one\rtwo"}}, "the label 'a'"),
        ({"labels": {"a=b": "c"}}, "the label 'a=b'"),
        ({"workdir": "/a\nRUN rm"}, "the working folder"),
        ({"above": (LayerFile(title="x", digest=Digest("e" * 64), media_type=MEDIA_LAYER_ZSTD),)}, "layers"),
    ],
)
def test_what_a_dockerfile_can_not_say_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        dockerfile_text(replace(PARTS, **change))


def test_no_line_is_longer_than_a_reader_takes():
    words = ("x" * 4000 + "\u2603" * 90,) * 30
    text = dockerfile_text(replace(PARTS, entrypoint=words, environment={"A": "y" * 4096}))
    assert max(len(line.encode()) for line in text.splitlines()) < 64 << 10
