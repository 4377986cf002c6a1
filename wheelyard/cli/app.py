"""The `wheelyard` command: its tree of commands, its global options, and the one place where it ends."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from wheelyard.cli.build_command import build
from wheelyard.cli.cache_commands import cache_app
from wheelyard.cli.channel_commands import channel_app
from wheelyard.cli.compare_command import compare
from wheelyard.cli.error_text import write_error
from wheelyard.cli.exits import DONE, as_known_error, exit_code_of, exit_codes_help
from wheelyard.cli.image_group import image_app
from wheelyard.cli.job_commands import cancel, job, jobs
from wheelyard.cli.keeping_commands import add_to as add_keeping
from wheelyard.cli.lock_command import lock
from wheelyard.cli.log_command import logs
from wheelyard.cli.plan_command import plan
from wheelyard.cli.project_commands import project_app
from wheelyard.cli.recipe_commands import recipe_app
from wheelyard.cli.session import Session
from wheelyard.cli.stack_commands import doctor, down, up, version
from wheelyard.cli.token_commands import token_app
from wheelyard.cli.toolchain_commands import toolchain_app
from wheelyard.cli.verify_command import verify
from wheelyard.cli.wait_command import wait
from wheelyard.cli.why_command import why
from wheelyard.cli.worker_commands import workers
from wheelyard.cli.yank_command import yank
from wheelyard.errors import Cancelled, InputError

_HELP = """Wheels from source, a cache that a team installs from, and slim runtime images.

\b
First steps on one machine:
  wheelyard doctor                      what this machine can and can't do
  wheelyard up                          the whole stack, in the foreground
  wheelyard build numpy                 in another terminal
  wheelyard image numpy --load          a runtime image in podman or docker

The service is the one of --url, else of the variable WHEELYARD_URL, else the one that `wheelyard up` wrote
down; the token that of --token, else of WHEELYARD_TOKEN. A token on the command line can be read by every
user of the machine: prefer the variable.
"""


class _ReaderGone(Exception):
    """Who read our standard output went away, as `head` does."""


class _Commands(TyperGroup):
    """Lets our own one place see what typer would turn into exit codes of its own."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Cancelled("interrupted") from error
        except BrokenPipeError as error:
            raise _ReaderGone from error


app = typer.Typer(
    name="wheelyard",
    cls=_Commands,
    help=_HELP,
    epilog=exit_codes_help(),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def root(
    context: typer.Context,
    url: Annotated[str, typer.Option(help="Address of the service, http://HOST:PORT.", metavar="URL")] = "",
    token: Annotated[str, typer.Option(help="Token that the service asks for.", metavar="TOKEN")] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Take the global options."""
    context.obj = Session(url=url, token=token, debug=debug)


app.add_typer(toolchain_app, name="toolchain")
app.add_typer(image_app, name="image")
app.add_typer(recipe_app, name="recipe")
add_keeping(cache_app)
app.add_typer(cache_app, name="cache")
app.add_typer(token_app, name="token")
cache_app.command("yank", epilog=exit_codes_help())(yank)
app.add_typer(channel_app, name="channel")
app.add_typer(project_app, name="project")
_COMMANDS: tuple[Callable[..., None], ...] = (
    up, down, doctor, version, build, plan, lock, wait, why, verify, compare, jobs, job, logs, cancel,
    workers,
)  # fmt: skip
for _command in _COMMANDS:
    app.command(epilog=exit_codes_help())(_command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; every error ends here, as text or as JSON.

    :param arguments: without the program's own name.
    """
    as_json, debug = _wants_json(arguments), "--debug" in arguments
    try:
        code = app(list(arguments), prog_name="wheelyard", standalone_mode=False)
        sys.stdout.flush()
    except (_ReaderGone, BrokenPipeError):
        # Python would complain when it flushes at its end.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except TyperException as error:
        if as_json:
            write_error(InputError(error.format_message()), as_json=True)
        elif error.format_message():
            _show_usage_error(error)
        return exit_code_of(error)
    except (KeyboardInterrupt, typer.Abort) as error:
        write_error(Cancelled("interrupted"), as_json=as_json)
        return exit_code_of(error)
    except Exception as error:  # noqa: BLE001 - this is where every error ends
        if debug:
            traceback.print_exc()
        known = as_known_error(error)
        write_error(known, as_json=as_json)
        return exit_code_of(known)
    return code if isinstance(code, int) else DONE


def _show_usage_error(error: TyperException) -> None:
    # Typer's own one prints the usage above the message; the class that has it is not public.
    show = getattr(error, "show", None)
    if callable(show):
        show()
    else:
        write_error(InputError(error.format_message()), as_json=False)


def _wants_json(arguments: Sequence[str]) -> bool:
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        argument in ("--json", "--progress=json") or (argument, following) == ("--progress", "json")
        for argument, following in pairs
    )


def main() -> None:
    """Entry point of the `wheelyard` program."""
    sys.exit(run(sys.argv[1:]))
