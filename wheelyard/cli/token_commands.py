"""The commands about access tokens: token create, list, revoke."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import typer

from wheelyard.access_token import Scope
from wheelyard.cli.exits import exit_codes_help
from wheelyard.cli.foreign_text import clean
from wheelyard.cli.session import session_of
from wheelyard.cli.tables import age_text, moment_text, write_json, write_line, write_table

token_app = typer.Typer(
    help="Access tokens: what CI jobs and people may do. They ask for an administrator's token.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


@token_app.command("create", epilog=exit_codes_help())
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="Whom it is for; named in what it does.", metavar="NAME")],
    scope: Annotated[
        list[Scope],
        typer.Option(help="What it may do; once for each. build and publish may read, admin may do all."),
    ],
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", "-c", help="A channel that it is for; else every one.", metavar="NAME"),
    ] = None,
    expires: Annotated[
        str, typer.Option(help="When it ends by itself: 90d, 12h, 30m or never.", metavar="WHEN")
    ] = "90d",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing beside the token.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown this once, on standard output; what is told about it is on standard error.

    \b
    Examples:
      wheelyard token create --name "CI of the app" --scope build --expires 90d
      TOKEN=$(wheelyard token create --name release --scope publish --channel default --quiet)
    """
    request = {"name": name, "scopes": [one.value for one in scope], "channels": channel or []}
    with session_of(context).client() as client:
        made = client.create_token({**request, "expires": expires})
    if as_json:
        write_json(made)
        return
    write_line(str(made.get("secret", "")))
    if not quiet:
        rights, places = ", ".join(made.get("scopes", [])), ", ".join(made.get("channels", []))
        _say(f"token {made.get('id')} ({made.get('name')}): {rights} in {places or 'every channel'}")
        _say(f"it ends: {moment_text(made['expires_at']) if made.get('expires_at') else 'never'}")
        _say("it is not shown again; pip, uv and twine take it as the password of the user __token__")


@token_app.command("list", epilog=exit_codes_help())
def list_tokens(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Revoked and expired ones, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the tokens: their rights and their last use, never their secrets.

    \b
    Examples:
      wheelyard token list
      wheelyard token list --all --json
    """
    with session_of(context).client() as client:
        found = client.tokens(ended=every)
    if as_json:
        write_json(found)
        return
    if not found:
        write_line("no tokens yet" if every else "no tokens")
        return
    rows = [
        (
            str(token.get("id", "")),
            str(token.get("name", "")),
            ",".join(token.get("scopes", [])),
            ",".join(token.get("channels", [])) or "all",
            _end_text(token),
            age_text(token.get("used_at", 0.0)),
        )
        for token in found
    ]
    write_table(("ID", "NAME", "SCOPES", "CHANNELS", "ENDS", "USED"), rows)


@token_app.command("revoke", epilog=exit_codes_help())
def revoke_token(
    context: typer.Context,
    token_id: Annotated[str, typer.Argument(help="Its id, as `token list` prints it.", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """End a token. It holds within five seconds on every process of the service.

    \b
    Examples:
      wheelyard token revoke 3f9a1c07b2de
    """
    with session_of(context).client() as client:
        revoked = client.revoke_token(token_id)
    if as_json:
        write_json(revoked)
        return
    write_line(f"{revoked.get('id')} ({revoked.get('name')}) is revoked")


def _say(text: str) -> None:
    sys.stderr.write(clean(text) + "\n")


def _end_text(token: dict[str, Any]) -> str:
    if token.get("revoked_at"):
        return f"revoked {moment_text(token['revoked_at'])}"
    ends = token.get("expires_at", 0.0)
    if not ends:
        return "never"
    return f"expired {moment_text(ends)}" if ends <= time.time() else moment_text(ends)
