"""The commands that keep the cache: cache rebuild-db, cache verify, cache gc, cache export."""

# ruff: noqa: D301 - \b keeps the lines of an example apart in the help; it must not be raw.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wheelyard.cli.exits import DONE, INFRASTRUCTURE, exit_codes_help
from wheelyard.cli.extras import server_extra
from wheelyard.cli.progress.json_lines import write_json_line
from wheelyard.cli.session import session_of
from wheelyard.cli.step_progress import step_progress
from wheelyard.cli.tables import write_json, write_line, write_table
from wheelyard.errors import InputError
from wheelyard.sizes import size_text

if TYPE_CHECKING:
    from wheelyard.jobs.database import Database
    from wheelyard.keeping.collection import Collected
    from wheelyard.keeping.rebuilding import Rebuilt
    from wheelyard.settings import Settings
    from wheelyard.store.contract import Store

AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]
_SERVER = (
    "Runs on the server: it works on the store and the database of this machine's own settings, not over "
    "HTTP (WHEELYARD_STORE_URL, WHEELYARD_DATABASE_URL; else those of the stack in WHEELYARD_DATA_DIR)."
)


@contextmanager
def _opened(context: typer.Context, *, migrated: bool = False) -> Iterator[tuple[Settings, Store, Database]]:
    """Settings, store and database of the server that this machine is."""
    settings = session_of(context).settings()
    with server_extra():
        from wheelyard.jobs.database import Database
        from wheelyard.jobs.migrate import migrate
        from wheelyard.stack.own_settings import with_own_servers
        from wheelyard.store.open import open_store
    settings = with_own_servers(settings)
    store = open_store(settings)
    if migrated:
        if not settings.database_url:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        migrate(settings.effective_database_url)
    database = Database(settings.effective_database_url)
    try:
        database.check()
        yield settings, store, database
    finally:
        database.close()


def rebuild_db(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the index in the database again from the bucket alone.

    Files, yanks, channels, projects, toolchains and build environments; on a filled database it adds what is
    missing and mends what differs, and run again it finds nothing to do. Tokens, jobs and last uses are not
    in the bucket: make new tokens after a loss. An empty database gets its tables first.

    SERVER

    \b
    Examples:
      wheelyard cache rebuild-db --dry-run
      wheelyard cache rebuild-db
    """
    with _opened(context, migrated=True) as (_settings, store, database):
        from wheelyard.keeping.rebuilding import Rebuilding

        with step_progress() as progress:
            rebuilt = Rebuilding(store, database).run(dry_run=dry_run, progress=progress)
    if as_json:
        write_json(
            {
                "dry_run": dry_run,
                "rows": {f"{table} {what}": count for (table, what), count in sorted(rebuilt.done.items())},
                "notes": rebuilt.notes,
                "problems": rebuilt.problems,
            }
        )
    else:
        _write_rebuilt(rebuilt, dry_run=dry_run)
    raise typer.Exit(INFRASTRUCTURE if rebuilt.problems else DONE)


def _write_rebuilt(rebuilt: Rebuilt, *, dry_run: bool) -> None:
    for note in rebuilt.notes:
        write_line(note)
    whats = ("added", "mended", "removed", "kept", "same")
    tables = sorted({table for table, _what in rebuilt.done})
    rows = [(table, *(str(rebuilt.done[table, what]) for what in whats)) for table in tables]
    write_table(("TABLE", *(what.upper() for what in whats)), rows, right=range(1, 6))
    for problem in rebuilt.problems:
        write_line(f"problem: {problem}")
    if dry_run and rebuilt.differences:
        write_line(f"{rebuilt.differences} rows differ; nothing was changed")


def verify(
    context: typer.Context,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Remove damaged bytes, and build lost wheels again from their records."
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="With --repair: wait until those builds ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read every object of the store back, and say which are damaged or lost.

    Finds a flipped byte, a blob that is gone, a record without its wheel, a damaged record. With --repair the
    damaged bytes go, and each wheel among them is built again from its record; a worker must run. It must
    come out as the very same bytes; else its job says so, and the file's name stays bound to what was lost.
    Ends with 3 where something is not whole.

    SERVER

    \b
    Examples:
      wheelyard cache verify
      wheelyard cache verify --repair --wait
    """
    from wheelyard.cli.verify_report import FaultReport, mend, write_verified

    with _opened(context) as (settings, store, database):
        from wheelyard.keeping.verification import Verification

        with step_progress() as progress:
            verified = Verification(store, database).run(progress=progress)
        report = FaultReport(verified=verified)
        if repair and verified.faults:
            mend(report, settings, store, database, wait=wait)
    write_verified(report, as_json=as_json)
    raise typer.Exit(DONE if report.is_whole else INFRASTRUCTURE)


def gc(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and why.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it.")] = False,
    older_than: Annotated[
        str, typer.Option(help="Files must have been published as long ago: 90d, 12w.", metavar="TIME")
    ] = "",
    unused_for: Annotated[
        str,
        typer.Option(help="Files must not have been taken for as long; else 30d.", metavar="TIME"),
    ] = "",
    keep_size: Annotated[
        str,
        typer.Option(help="Only so many files go that a channel keeps this much: 50G.", metavar="SIZE"),
    ] = "",
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", "-c", help="Only files of this one; may be repeated.", metavar="NAME"),
    ] = None,
    logs_older_than: Annotated[
        str, typer.Option(help="Logs of what ended as long ago may go.", metavar="TIME")
    ] = "",
    keep_compiler_caches: Annotated[
        str,
        typer.Option(help="Only those that were used last stay, up to this size: 20G.", metavar="SIZE"),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON for each object, and one of the sums.")
    ] = False,
) -> None:
    """Forget what nobody needs, and say of each byte why it stays or goes.

    Without a rule only bytes go that nothing needs any more. With --older-than, --unused-for or --keep-size
    files of channels go, too: those that a newer file of the same kind replaces, or that are yanked, and that
    nobody used. The newest of each kind stays, and so does what a live lock, an active or recent job, or a
    published image needs, and everything that was written or needed in the last 24 hours. A name that goes
    from a channel stays bound to its bytes.

    SERVER

    \b
    Examples:
      wheelyard cache gc --dry-run
      wheelyard cache gc --dry-run --older-than 90d --unused-for 30d
      wheelyard cache gc --delete --keep-size 50G --channel nightly
    """
    if dry_run == delete:
        raise InputError("say either --dry-run or --delete", do="begin with --dry-run")
    from wheelyard.catalogue import check_channel
    from wheelyard.cli.gc_report import blob_line, file_line, rule_seconds, rule_size

    with _opened(context) as (_settings, store, database):
        from wheelyard.keeping.collection import Collection
        from wheelyard.keeping.file_rules import Rules

        rules = Rules(
            older_than=rule_seconds("--older-than", older_than),
            unused_for=rule_seconds("--unused-for", unused_for),
            keep_size=rule_size("--keep-size", keep_size),
            channels=frozenset(map(check_channel, channel or ())),
            logs_older_than=rule_seconds("--logs-older-than", logs_older_than),
            keep_compiler_caches=rule_size("--keep-compiler-caches", keep_compiler_caches),
        )
        with step_progress() as progress:
            collected = Collection(store, database, rules).run(
                remove=delete,
                told_blob=(lambda verdict: write_json_line(blob_line(verdict))) if as_json else _say_nothing,
                told_file=(lambda verdict: write_json_line(file_line(verdict))) if as_json else _say_nothing,
                progress=progress,
            )
    _write_collected(collected, as_json=as_json, delete=delete)


def _say_nothing(_verdict: object) -> None:
    """For people the sums are enough."""


def _write_collected(collected: Collected, *, as_json: bool, delete: bool) -> None:
    goes, stays = collected.size(goes=True), collected.size(goes=False)
    if as_json:
        write_json_line(
            {
                "type": "sums",
                "goes": goes,
                "stays": stays,
                "files": len(collected.files),
                "removed": collected.removed,
                "freed": collected.freed,
                "spared": collected.spared,
            }
        )
        return
    for verdict in collected.files:
        write_line(f"{verdict.file.channel}: {verdict.file.filename} goes: {verdict.reason}")
    rows = [
        ("goes" if going else "stays", str(count), size_text(collected.sizes[going, reason]), reason)
        for (going, reason), count in sorted(
            collected.counts.items(), key=lambda item: (not item[0][0], -collected.sizes[item[0]])
        )
    ]
    write_table(("WHAT", "OBJECTS", "SIZE", "WHY"), rows, right=(1, 2))
    if not delete:
        write_line(f"{size_text(goes)} would go, {size_text(stays)} stay")
        return
    spared = f"; {collected.spared} were needed meanwhile, and stay" if collected.spared else ""
    write_line(f"{collected.removed} objects are gone, {size_text(collected.freed)}{spared}")


def export(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="Folder to write to; made where it is missing.", metavar="DIR")
    ],
    channel: Annotated[str, typer.Option("--channel", "-c", help="The channel.", metavar="NAME")] = "default",
    as_json: AsJson = False,
) -> None:
    """Write a channel as a static index, which any web server can serve.

    Pages in HTML and JSON, the files and the metadata beside them, with relative links. Into the same folder
    again it copies only what is new, and removes what the channel shows no more. Upstream's files are not
    in it.

    SERVER

    \b
    Examples:
      wheelyard cache export /srv/wheels
      python -m pip install --index-url http://HOST/wheels/simple/ numpy
      python -m pip install --no-index --find-links /srv/wheels/files numpy
    """
    from wheelyard.catalogue import check_channel

    with _opened(context) as (_settings, store, database):
        from wheelyard.keeping.export import Export

        with step_progress() as progress:
            exported = Export(store, database, folder.absolute()).run(check_channel(channel), progress)
    if as_json:
        write_json(
            {
                "channel": channel, "projects": exported.projects, "copied": exported.copied,
                "bytes": exported.size, "same": exported.same, "removed": exported.removed,
                "problems": exported.problems,
            }
        )  # fmt: skip
    else:
        for problem in exported.problems:
            write_line(f"left out: {problem}")
        write_line(
            f"{exported.projects} projects in {folder}: {exported.copied} files written "
            f"({size_text(exported.size)}), {exported.same} were there, {exported.removed} removed"
        )
    raise typer.Exit(INFRASTRUCTURE if exported.problems else DONE)


def add_to(app: typer.Typer) -> None:
    """Put the commands into `wheelyard cache`."""
    for name, command in (("rebuild-db", rebuild_db), ("verify", verify), ("gc", gc), ("export", export)):
        command.__doc__ = (command.__doc__ or "").replace("SERVER", _SERVER)
        app.command(name, epilog=exit_codes_help())(command)
