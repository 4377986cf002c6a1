"""`wheelyard image`: makes an image where no command of the group is named, else runs that command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.image_command import image
from wheelyard.cli.image_diff_command import image_diff
from wheelyard.cli.image_name_commands import image_list, image_tag
from wheelyard.cli.image_push_command import image_push
from wheelyard.cli.image_receipt_command import image_receipt
from wheelyard.cli.image_why_command import image_why

_DEFAULT = "make"
_HELP_NAMES = ("-h", "--help")


class _ImageGroup(TyperGroup):
    """Gives the line to the default command where its first word is none of the group's commands."""

    default_command = _DEFAULT

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Find the command; a project that is called like one is written with a version or after `--`."""
        if args and args[0] not in self.commands and args[0] not in _HELP_NAMES:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the default command, and the list of the others below it."""
        default = self.commands[_DEFAULT]
        own = type(ctx)(default, parent=ctx.parent, info_name=ctx.info_name)
        default.format_usage(own, formatter)
        formatter.write_usage(ctx.command_path, "COMMAND [ARGS]...", prefix="   or: ")
        default.format_help_text(own, formatter)
        default.format_options(own, formatter)
        self.format_commands(ctx, formatter)
        default.format_epilog(own, formatter)


class _DefaultCommand(TyperCommand):
    """Bears the group's name in usage and errors: nobody writes its own."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse its arguments as if it stood in the group's place."""
        if parent is None:
            return super().make_context(info_name, args, **extra)
        return super().make_context(parent.info_name, args, parent=parent.parent, **extra)


image_app = typer.Typer(
    cls=_ImageGroup,
    help="Make a slim runtime image of requirements, or look at images and move them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
image_app.command(_DEFAULT, cls=_DefaultCommand, hidden=True, epilog=exit_codes_help())(image)

# Each is a function in a file of its own, `wheelyard/cli/image_NAME_command.py`.
_COMMANDS: dict[str, Callable[..., None]] = {
    "diff": image_diff,
    "list": image_list,
    "push": image_push,
    "receipt": image_receipt,
    "tag": image_tag,
    "why": image_why,
}
for _name, _command in _COMMANDS.items():
    image_app.command(_name, epilog=exit_codes_help())(_command)
