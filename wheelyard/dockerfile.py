"""A Dockerfile that makes what an image holds out of the cache, with one offline `pip install`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wheelyard.dockerfile_parts import CONTEXT, DockerfileParts, LayerFile
from wheelyard.dockerfile_words import word, words
from wheelyard.errors import InputError
from wheelyard.health_check import HealthCheck
from wheelyard.oci import MEDIA_LAYER_ZSTD


def dockerfile_text(parts: DockerfileParts) -> str:
    """The Dockerfile, for `docker build` (20.10 or newer, any builder) and `podman build` (4.0 or newer).

    Nothing in it reaches for a network or holds a secret: it takes files that lie beside it. Each wheel is
    checked against its hash by pip.

    :raises InputError: a value of the image can't be said in a Dockerfile, or a builder can't unpack a layer.
    """
    _check_layers(parts)
    return "\n".join((*_head(parts), *_wheel_stage(parts), *_image_stage(parts), ""))


def _check_layers(parts: DockerfileParts) -> None:
    if any(layer.media_type == MEDIA_LAYER_ZSTD for layer in (*parts.below, *parts.above)):
        raise InputError(
            "a Dockerfile can't take this image's layers",
            expected="gzip layers, which every builder unpacks",
            found="zstd layers",
            do='ask for the image with --compression gzip (compression = "gzip")',
        )


def _head(parts: DockerfileParts) -> Iterator[str]:
    yield f"# The content of the image {parts.image},"
    yield f"# which Wheelyard made with the toolchain {parts.toolchain}. All that it takes is in {CONTEXT}/."
    yield "#"
    yield "#     podman build --build-arg BASE=IMAGE --file Dockerfile ."
    yield "#     docker build --build-arg BASE=IMAGE --file Dockerfile ."
    yield "#"
    yield f"# BASE has Python {parts.python} as python3, and a libc that takes {parts.policy}."
    yield "# PIP_IMAGE is like it and has pip and a shell; nothing else of it gets into the image."
    if parts.healthcheck is not None:
        yield "# Only docker's image format knows health checks: `podman build` needs --format docker."
    yield f"ARG BASE={parts.base}" if parts.base else "ARG BASE"
    yield "ARG PIP_IMAGE=${BASE}"


def _wheel_stage(parts: DockerfileParts) -> Iterator[str]:
    if not parts.wheels:
        return
    yield ""
    yield "FROM ${PIP_IMAGE} AS wheels"
    yield "USER 0:0"
    yield f"COPY {CONTEXT}/wheels/ /wheels/"
    yield "RUN printf '%s\\n' \\"
    for pin in sorted(parts.wheels):
        yield f"        '{pin.project}=={pin.version} --hash={pin.digest}' \\"
    yield "        > /wheels/requirements.txt && \\"
    compiled = "" if parts.bytecode else " --no-compile"
    yield "    python3 -m pip install --no-index --require-hashes --no-deps --no-cache-dir \\"
    yield f"        --no-warn-script-location --ignore-installed{compiled} --root /installed \\"
    yield "        --find-links /wheels --requirement /wheels/requirements.txt"


def _image_stage(parts: DockerfileParts) -> Iterator[str]:
    yield ""
    yield "FROM ${BASE}"
    for layer in parts.below:
        yield from _add(layer)
    if parts.wheels:
        yield "COPY --from=wheels /installed/ /"
    for layer in parts.above:
        yield from _add(layer)
    yield from _pairs("ENV", parts.environment, "the variable")
    yield from _pairs("LABEL", parts.labels, "the label")
    if parts.ports:
        yield f"EXPOSE {' '.join(parts.ports)}"
    yield f"WORKDIR {word(parts.workdir, 'the working folder')}"
    yield f"USER {parts.user}"
    if parts.healthcheck is not None:
        yield from _health(parts.healthcheck)
    yield f"ENTRYPOINT {words(parts.entrypoint)}"
    yield f"CMD {words(parts.command)}"


def _pairs(instruction: str, pairs: Mapping[str, str], what: str) -> Iterator[str]:
    """All of them in one instruction: each one is a layer, or at least a commit."""
    said = []
    for name, value in sorted(pairs.items()):
        named = f"{what} {name[:80]!r}"
        if "=" in name:
            raise InputError(f"{named} can't be written in a Dockerfile", expected="a name without `=`")
        said.append(f"{word(name, named)}={word(value, named)}")
    if said:
        yield f"{instruction} " + " \\\n    ".join(said)


def _add(layer: LayerFile) -> Sequence[str]:
    return (f"# {_one_line(layer.title)}", f"ADD {layer.path} /")


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200]


def _health(check: HealthCheck) -> Iterator[str]:
    times = {"interval": check.interval, "timeout": check.timeout, "start-period": check.start_period}
    options = [f"--{name}={_duration(seconds)}" for name, seconds in times.items() if seconds]
    yield f"HEALTHCHECK {' '.join(options)} --retries={check.retries} \\"
    yield f"    CMD {words(check.test)}"


def _duration(seconds: float) -> str:
    """Seconds as Go reads them; docker takes whole milliseconds at the least."""
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
