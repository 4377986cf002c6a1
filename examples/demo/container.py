"""The finished image in the container engine: run as production would, and looked into from outside."""

from __future__ import annotations

import fnmatch
import io
import json
import resource
import shutil
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from examples.demo.commands import keep
from examples.demo.failure import DemoFailed

RUN_SECONDS = 300
LOOKED_FOR = {
    "gcc": ("gcc", "*-gcc", "gcc-[0-9]*", "cc"),
    "g++": ("g++", "*-g++", "g++-[0-9]*", "c++"),
    "ld": ("ld", "ld.bfd", "ld.gold"),
    "make": ("make", "cmake", "ninja"),
    "git": ("git", "git-*"),
    "pip": ("pip", "pip3", "pip3.*"),
    "package manager": ("apt", "apt-get", "dpkg", "rpm", "apk"),
    "shell": ("sh", "bash", "dash", "busybox"),
}


@dataclass(frozen=True, slots=True)
class Engine:
    """The docker or podman command with what it needs on this machine."""

    command: tuple[str, ...]
    run_options: tuple[str, ...] = ()

    @classmethod
    def find(cls) -> Engine:
        """Podman if it is there, else docker: the order in which Wheelyard itself looks."""
        if not shutil.which("podman"):
            if not shutil.which("docker"):
                raise DemoFailed("there is neither podman nor docker", status=3)
            return cls(("docker",))
        version = json.loads(keep(["podman", "info", "--format", "json"], seconds=60).stdout)["host"]
        # crun can't work on cgroup v1, and podman asks for more open files than some roots may give.
        runc = version.get("cgroupVersion") == "v1" and shutil.which("runc")
        command = ("podman", "--runtime", "runc") if runc else ("podman",)
        files = min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        processes = 4096 if processes == resource.RLIM_INFINITY else min(4096, processes)
        limits = ("--ulimit", f"nofile={files}:{files}", "--ulimit", f"nproc={processes}:{processes}")
        return cls(command, limits)

    def run(self, image: str) -> dict[str, Any]:
        """Run the image's own entry point, as closed as can be; returns the JSON that it prints."""
        done = keep(
            [
                *self.command,
                "run",
                "--rm",
                *("--network", "none", "--read-only", "--cap-drop", "all"),
                *("--security-opt", "no-new-privileges", "--pids-limit", "256", "--memory", "1g"),
                *("--tmpfs", "/tmp:size=64m,mode=1777"),  # noqa: S108 - a path inside the container
                *self.run_options,
                image,
            ],
            seconds=RUN_SECONDS,
            refuse=False,
        )
        try:
            document: dict[str, Any] = json.loads(done.stdout)
        except ValueError as error:
            last = done.stderr.decode(errors="replace")[-4000:]
            raise DemoFailed(f"the image ended with status {done.returncode}", last) from error
        return document

    def programs(self, image: str) -> list[PurePosixPath]:
        """Every executable file and link in the image, and pip as a package, as the engine exports it."""
        made = keep([*self.command, "create", *self.run_options, image], seconds=RUN_SECONDS)
        container = made.stdout.decode().split()[-1]
        try:
            exported = keep([*self.command, "export", container], seconds=RUN_SECONDS).stdout
        finally:
            keep([*self.command, "rm", container], seconds=RUN_SECONDS)
        with tarfile.open(fileobj=io.BytesIO(exported), mode="r|") as tar:
            return [
                PurePosixPath("/", member.name)
                for member in tar
                if member.issym()
                or (member.isfile() and (member.mode & 0o111 or member.name.endswith("/pip/__init__.py")))
            ]

    def image_id(self, tag: str) -> str:
        """The id of the image that a tag stands for, 64 hexadecimal digits."""
        answer = keep([*self.command, "image", "inspect", "--format", "{{.Id}}", tag], seconds=60)
        return answer.stdout.decode().strip().removeprefix("sha256:")


def look_for_tools(paths: Sequence[PurePosixPath]) -> dict[str, list[str]]:
    """Where each build tool lies in an image; an empty list means that it is not inside."""
    found = {
        tool: [str(path) for path in paths if any(fnmatch.fnmatch(path.name, name) for name in names)]
        for tool, names in LOOKED_FOR.items()
    }
    found["pip"] += [str(path) for path in paths if path.parts[-2:] == ("pip", "__init__.py")]
    return found


def run_here(python: Path, application: Path) -> dict[str, Any]:
    """Run an application with an interpreter of this machine; returns the JSON that it prints."""
    done = keep([str(python), "-I", str(application)], seconds=RUN_SECONDS, refuse=False)
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.decode(errors="replace")[-4000:]
        raise DemoFailed(f"{application.name} ended with status {done.returncode}", last) from error
    return document
