"""What a container engine needs on this machine: found out once, in this one place."""

from __future__ import annotations

import json
import resource
import shutil
from dataclasses import dataclass
from typing import Any, Literal

from wheelyard.errors import EngineFailed
from wheelyard.process import run_command

ASK_TIMEOUT = 60.0
OPEN_FILES = 4096
PROCESSES_OF_USER = 32768

EngineName = Literal["podman", "docker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """One usable engine and what it needs on this machine.

    :param name: `podman` or `docker`.
    :param release: its version, for instance `4.3.1`.
    :param runtime: the OCI runtime below it, for instance `runc`.
    :param command: program and options that every call starts with.
    :param run_options: options that every container needs here, beside those that the sandbox asks for.
    :param tmpfs_options: mount options that every tmpfs needs here.
    :param loopback_pull_options: options for a pull from a registry on loopback.
    :param save_options: options that make `save` write a docker archive.
    :param label_template: what prints one label in a list of containers; `%s` stands for its name.
    """

    name: EngineName
    release: str
    runtime: str
    command: tuple[str, ...]
    run_options: tuple[str, ...] = ()
    tmpfs_options: tuple[str, ...] = ()
    loopback_pull_options: tuple[str, ...] = ()
    save_options: tuple[str, ...] = ()
    label_template: str = '{{.Label "%s"}}'


def _ulimits() -> tuple[str, ...]:
    # Podman asks for more than a root without CAP_SYS_RESOURCE may give; so the limits are spelled out.
    options = []
    for name, kind, wanted in (
        ("nofile", resource.RLIMIT_NOFILE, OPEN_FILES),
        ("nproc", resource.RLIMIT_NPROC, PROCESSES_OF_USER),
    ):
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        options += ["--ulimit", f"{name}={value}:{value}"]
    return tuple(options)


def podman_runtime(info: dict[str, Any], *, have_runc: bool) -> tuple[str, tuple[str, ...]]:
    """The OCI runtime that podman is to use, and the global options that say so.

    :param info: the document that `podman info` prints.
    :param have_runc: whether runc is installed.
    :raises EngineFailed: podman's own choice can't work here, and there is no other.
    """
    host = info["host"]
    runtime = str(host["ociRuntime"]["name"])
    if runtime != "crun" or host.get("cgroupVersion") != "v1":
        return runtime, ()
    if not have_runc:
        raise EngineFailed(
            "podman would use crun, which does not work with this machine's cgroups (version 1 or hybrid)",
            do="install runc",
        )
    return "runc", ("--runtime", "runc")


def detect_podman() -> EngineTraits:
    """What podman needs on this machine.

    :raises EngineFailed: it is not installed, or can't run containers here.
    """
    info = json.loads(
        run_command(["podman", "info", "--format", "json"], timeout=ASK_TIMEOUT, failure=EngineFailed)
    )
    runtime, chosen = podman_runtime(info, have_runc=shutil.which("runc") is not None)
    return EngineTraits(
        name="podman",
        release=str(info["version"]["Version"]),
        runtime=runtime,
        command=("podman", *chosen),
        # By itself podman would add writable tmpfs folders, the host's proxies and the image's volumes.
        run_options=("--read-only-tmpfs=false", "--http-proxy=false", "--image-volume=ignore", *_ulimits()),
        tmpfs_options=("notmpcopyup",),
        # Docker takes registries on loopback for plain HTTP by itself.
        loopback_pull_options=("--tls-verify=false",),
        save_options=("--format", "docker-archive"),
        # Podman 4 has no `.Label` there, docker's `.Labels` is one long text.
        label_template='{{index .Labels "%s"}}',
    )


def detect_docker() -> EngineTraits:
    """What docker needs on this machine.

    :raises EngineFailed: it is not installed, or its daemon does not answer.
    """
    answer = run_command(
        ["docker", "info", "--format", "{{json .}}"], timeout=ASK_TIMEOUT, failure=EngineFailed
    )
    info = json.loads(answer)
    if info.get("ServerErrors") or not info.get("ServerVersion"):
        raise EngineFailed(
            "the docker daemon does not answer",
            found="; ".join(info.get("ServerErrors") or ["no version"]),
            do="start dockerd, or install podman",
        )
    return EngineTraits(
        name="docker",
        release=str(info["ServerVersion"]),
        runtime=str(info.get("DefaultRuntime", "runc")),
        command=("docker",),
    )
