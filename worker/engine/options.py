"""The sandbox as command-line options: the one place that says how every container is closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from wheelyard.errors import InputError
from worker.engine.contract import LABEL_JOB, LABEL_OWNER, ContainerSpec, ProgramSpec
from worker.engine.traits import EngineTraits

USER = "1000:1000"
HOME = "/tmp/home"  # noqa: S108 - a path inside containers
SMALL_TMP = 64 << 20

# The first process stays idle and takes in orphans; a plain `sleep` there would leave zombies, which count
# as processes. It ends at once on SIGTERM, so that a removal does not wait.
IDLE = "trap 'exit 0' TERM INT; while :; do /bin/sleep 60 & wait $!; done"

# Both streams become one inside the container, where their order is known; what the engine's own client then
# writes to its standard error is about the engine only.
COMMAND = '[ -d "$HOME" ] || mkdir -p "$HOME"; exec "$@" 2>&1'

# First a line with the file's type and size, then its bytes, if it is a regular file and not too long.
READ = (
    'found=$(stat -c "%f %s" -- "$1") || exit 1; echo "$found"; '
    '[ -f "$1" ] && [ ! -L "$1" ] && [ "${found#* }" -le "$2" ] || exit 0; exec cat -- "$1"'
)


def run_arguments(spec: ContainerSpec, name: str, traits: EngineTraits) -> list[str]:
    """The arguments of `run` for one sandboxed container.

    :param name: its name, given by us so that it can be removed even where `run` did not come back.
    :raises InputError: a path or a limit of the spec can't be had.
    """
    return [
        "run",
        "--detach",
        *_closed(spec, name, traits),
        *("--user", USER),
        *("--env", f"HOME={HOME}"),
        *("--workdir", "/"),
        *("--entrypoint", "/bin/sh"),
        spec.image,
        "-c",
        IDLE,
    ]


def program_arguments(spec: ProgramSpec, name: str, traits: EngineTraits) -> list[str]:
    """The arguments of `run` for one program of an image, as its own user and to its end.

    :param name: of its container.
    :raises InputError: a path or a limit of the spec can't be had.
    """
    program, *arguments = spec.argv
    return ["run", "--rm", *_closed(spec, name, traits), "--entrypoint", program, spec.image, *arguments]


def _closed(spec: ContainerSpec | ProgramSpec, name: str, traits: EngineTraits) -> list[str]:
    """What closes every container of ours."""
    return [
        *("--name", name),
        *("--label", f"{LABEL_JOB}={spec.job}", "--label", f"{LABEL_OWNER}={spec.owner}"),
        *("--pull", "never"),
        *("--network", "none"),
        *("--cap-drop", "all"),
        *("--security-opt", "no-new-privileges"),
        "--read-only",
        *("--ipc", "private"),
        *("--hostname", spec.hostname),
        *("--memory", str(spec.memory), "--memory-swap", str(spec.memory)),
        *(("--cpus", f"{spec.cpus:g}") if spec.cpus else ()),
        *("--pids-limit", str(spec.pids)),
        *("--log-driver", "none"),
        "--no-healthcheck",
        *traits.run_options,
        *_mounts(spec),
        *_tmpfs(spec, traits),
    ]


def _mounts(spec: ContainerSpec | ProgramSpec) -> Iterator[str]:
    for source, target in spec.mounts.items():
        if not source.exists():
            raise InputError(f"{source} can't be mounted", expected="a file or folder", found="nothing there")
        for path in (str(source), target):
            if any(sign in path for sign in ',"\n'):
                raise InputError(
                    "a path can't be mounted",
                    expected="no comma, quote or line break in it",
                    found=repr(path),
                )
        yield "--mount"
        yield f"type=bind,source={source.absolute()},target={_inside(target)},readonly"


def _tmpfs(spec: ContainerSpec | ProgramSpec, traits: EngineTraits) -> Iterator[str]:
    wanted = {"/tmp": SMALL_TMP, **spec.tmpfs}  # noqa: S108 - a path inside containers
    for target, size in sorted(wanted.items()):
        options = ("mode=1777", "exec", "nosuid", "nodev", f"size={size}", *traits.tmpfs_options)
        yield "--tmpfs"
        yield f"{_inside(target)}:{','.join(options)}"


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or ":" in path or pure == PurePosixPath("/"):
        raise InputError(
            "a path inside a container is wrong",
            expected="an absolute one without `..` and `:`",
            found=repr(path),
        )
    return path


def exec_arguments(container: str, argv: list[str], environment: dict[str, str], workdir: str) -> list[str]:
    """The arguments of `exec` for one command whose two output streams become one.

    :param container: id of the container.
    :param argv: the command, found on the image's PATH.
    """
    variables = [word for name, value in sorted(environment.items()) for word in ("--env", f"{name}={value}")]
    return ["exec", *variables, "--workdir", workdir, container, "/bin/sh", "-c", COMMAND, "sh", *argv]


def read_arguments(container: str, path: str, limit: int) -> list[str]:
    """The arguments of `exec` that write a file's mode in hexadecimal, its size, a line's end, and its bytes.

    :param limit: bytes; of a longer file, and of what is no regular file, the first line is all.
    """
    return ["exec", container, "/bin/sh", "-c", READ, "sh", path, str(limit)]
