"""The command that pushes an image of the service into a registry of others."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from wheelyard.cli.build_command import Progress
from wheelyard.cli.progress.display import ProgressStyle, resolve_style
from wheelyard.cli.session import Session, session_of

if TYPE_CHECKING:
    from wheelyard.registry.known_places import KnownPlaces

PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Speak to the registry without TLS; on loopback it always is.")
]
Referrers = Annotated[
    bool,
    typer.Option("--referrers", help="With what is said of it beside it: SBOMs, provenance, the receipt."),
]
MountFrom = Annotated[
    list[str] | None,
    typer.Option(
        "--mount-from",
        help="Repository of the same registry that has some of the layers; may be repeated. Those that this "
        "machine pushed to are known.",
        metavar="REPOSITORY",
    ),
]


def image_push(
    context: typer.Context,
    image: Annotated[
        str, typer.Argument(help="Digest, id, or REPOSITORY:TAG of the service.", metavar="IMAGE")
    ],
    targets: Annotated[
        list[str], typer.Argument(help="Where it goes; may be repeated.", metavar="REGISTRY/REPOSITORY:TAG")
    ],
    referrers: Referrers = False,
    mount_from: MountFrom = None,
    plain_http: PlainHttp = False,
    progress: Progress = ProgressStyle.AUTO,
) -> None:
    """Push an image into a registry, with the logins of docker and podman.

    Layers that are there are not sent again, and those of another repository of the registry are mounted.
    Where the way breaks, an upload goes on where it was. The tag is moved when everything else is there.

    \b
    Examples:
      wheelyard image push team/app:1.2 registry.example.org/team/app:1.2
      wheelyard image push team/app:1.2 registry.example.org/team/app:1.2 --referrers
      wheelyard image push sha256:4f… localhost:5000/app:test --progress json
    """
    from wheelyard.cli.named_image import find_image
    from wheelyard.cli.pushing import push_to_all
    from wheelyard.registry.address import parse_target

    session = session_of(context)
    style = resolve_style(progress)
    parsed = [parse_target(target, plain_http=plain_http) for target in targets]
    with session.client() as client:
        push_to_all(
            find_image(client, image), parsed, style, known_places(session), mount_from or (),
            referrers=referrers,
        )  # fmt: skip


def known_places(session: Session) -> KnownPlaces:
    """Where this machine pushed blobs before."""
    from wheelyard.registry.known_places import KnownPlaces

    return KnownPlaces(session.settings().data_dir / "pushed.json")
