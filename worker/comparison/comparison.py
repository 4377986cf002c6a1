"""The comparison itself: each image made, run on the same input, measured, and made again after a change."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from wheelyard.comparison.figures import Comparison, ImageFigures, differences
from wheelyard.comparison.order import REQUIREMENTS, ComparisonOrder, changed_requirements
from wheelyard.errors import BuildFailed, InputError
from wheelyard.index_address import index_url
from wheelyard.settings import Settings
from wheelyard.toolchains import get_toolchain
from wheelyard.upstream.pip_index import PipIndex, configured_index
from worker.comparison.base_image import ensure_base
from worker.comparison.build_secrets import write_secrets
from worker.comparison.contestant import Contestant, DockerfileImage, OurImage
from worker.comparison.engine_images import EngineImages
from worker.comparison.saved_image import SavedImage, SavedLayer, read_saved
from worker.comparison.trial import Statement, run_application
from worker.comparison.workplace import clear_leftovers, open_workplace
from worker.debian.mirror import find_mirror
from worker.engine.command import CommandEngine

Say = Callable[[str], None]


def compare(order: ComparisonOrder, settings: Settings, engine: CommandEngine, say: Say) -> Comparison:
    """Make all images of an order one after the other, and measure them; nothing stays but what is kept.

    :param say: is told of each step.
    :raises BuildFailed: an image does not run, or gives another result than the first one.
    :raises WheelyardError: an image can't be made.
    """
    place = settings.data_dir / "comparisons"

    def clear(run: str) -> bool:
        say(f"an earlier comparison was killed: its images are removed ({run})")
        return EngineImages(engine, run, place / run).remove_all()

    clear_leftovers(place, clear)
    with ExitStack() as ending:
        work = ending.enter_context(open_workplace(place))
        images = EngineImages(engine, work.run, work.folder)
        if not order.keep:
            ending.callback(images.remove_all)
        first, second = _lay_applications(order, work.folder)
        base, contestants = _contestants(order, settings, images, work.folder, say)
        shared = work.folder / "shared"
        shared.mkdir()
        shared.chmod(0o1777)
        table = _Table(images, shared, work.folder, order, say)
        for contestant in contestants:
            with _named(contestant, images, work.run, keep=order.keep) as tags:
                table.measure(contestant, first, second, tags)
    return Comparison(
        app=order.app.resolve().name,
        change=order.change,
        engine=engine.version(),
        cores=os.cpu_count() or 1,
        base=base,
        wheels=order.wheels,
        made_on=datetime.now(UTC).date().isoformat(),
        same=len(table.rows) > 1,
        images=tuple(table.rows),
    )


def _lay_applications(order: ComparisonOrder, folder: Path) -> tuple[Path, Path | None]:
    """The application as it is, and with one requirement changed."""
    name = order.app.resolve().name
    first, second = folder / "first" / name, folder / "second" / name
    for place in (first, second) if order.change else (first,):
        try:
            # Links stay links: what they lead to outside is no part of an image either.
            shutil.copytree(
                order.app, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".git")
            )
        except (OSError, shutil.Error) as error:
            raise InputError(f"{order.app} can't be copied", found=str(error)[:500]) from error
    if not order.change:
        return first, None
    requirements = second / REQUIREMENTS
    requirements.write_text(changed_requirements(requirements.read_text("utf-8"), order.change), "utf-8")
    return first, second


def _contestants(
    order: ComparisonOrder, settings: Settings, images: EngineImages, folder: Path, say: Say
) -> tuple[str, Sequence[Contestant]]:
    """The name of what the Dockerfiles begin from, and everybody in their order."""
    found: list[Contestant] = []
    base = ""
    if order.dockerfiles:
        toolchain = get_toolchain(order.toolchain, settings.toolchains_dir)
        base = order.base or ensure_base(images, toolchain, find_mirror(settings), folder, say)
        if not images.has(base):
            images.pull(base)
        secrets = write_secrets(_index(order, settings), folder / "secrets")
        for name, dockerfile in order.dockerfiles.items():
            inside = _below(dockerfile, order.app)
            found.append(DockerfileImage(name, inside, images, base, secrets))
    if order.ours:
        engine = images.engine.traits.name
        found.append(OurImage(_below(order.spec, order.app), engine, order.toolchain, order.channel))
    return base, found


def _index(order: ComparisonOrder, settings: Settings) -> PipIndex:
    if order.wheels == "index":
        return configured_index(settings.index_url)
    address, token = settings.url, settings.token.get_secret_value()
    if token:
        scheme, _, rest = address.partition("://")
        address = f"{scheme}://__token__:{token}@{rest}"
    return PipIndex(url=index_url(address, order.channel))


def _below(place: Path, folder: Path) -> Path:
    """A path below the application's folder, so that it is the copy's; a file elsewhere stays where it is."""
    whole, root = place.resolve(), folder.resolve()
    return whole.relative_to(root) if whole.is_relative_to(root) else whole


@contextmanager
def _named(
    contestant: Contestant, images: EngineImages, run: str, *, keep: bool
) -> Iterator[tuple[str, str]]:
    """Tags of a contestant's two images; the images go with the names, unless they are kept."""
    tags = ("latest", "changed") if keep else (run, f"{run}-changed")
    try:
        yield tags
    finally:
        if not keep:
            images.remove(contestant.name, tags)


class _Table:
    """Fills one row after the other.

    :param shared: folder that all images see while they run.
    :param folder: for the archives, of which there is one at a time.
    """

    def __init__(
        self, images: EngineImages, shared: Path, folder: Path, order: ComparisonOrder, say: Say
    ) -> None:
        self.rows: list[ImageFigures] = []
        self._images = images
        self._shared = shared
        self._folder = folder
        self._order = order
        self._say = say
        self._stated: Statement | None = None

    def measure(
        self, contestant: Contestant, first: Path, second: Path | None, tags: tuple[str, str]
    ) -> None:
        """Measure one contestant.

        :param second: the application after the change; None where nothing changes.
        """
        self._say(f"{contestant.name}: made")
        began = time.monotonic()
        made = contestant.make(first, tags[0])
        seconds = time.monotonic() - began
        self._say(f"{contestant.name}: {seconds:.1f} s; run and measured")
        stated = self._run(contestant.name, made.image)
        saved = self._saved(made.image, ())
        changed_seconds, second_bytes = None, None
        if second is not None:
            self._say(f"{contestant.name}: made again with {self._order.change}")
            began = time.monotonic()
            changed = contestant.make(second, tags[1])
            changed_seconds = round(time.monotonic() - began, 2)
            self._say(f"{contestant.name}: {changed_seconds:.1f} s")
            second_bytes = self._saved(changed.image, saved.layers).pulled_after(saved)
        self.rows.append(
            ImageFigures(
                name=contestant.name,
                unpacked=saved.unpacked,
                compressed=saved.compressed,
                layers=len(saved.layers),
                debian_packages=saved.debian_packages,
                python_packages=saved.python_packages,
                setuid=saved.setuid,
                executables=saved.executables,
                build_tools=saved.build_tools,
                cold_seconds=round(seconds, 2),
                changed_seconds=changed_seconds,
                second_bytes=second_bytes,
                remark=made.remark,
                result=stated.result,
                versions=stated.versions,
            )
        )

    def _run(self, name: str, image: str) -> Statement:
        stated = run_application(self._images, name, image, self._shared, self._order.shared)
        if self._stated is None:
            self._stated = stated
        apart = differences(self._stated.result, stated.result, max(self._stated.tolerance, stated.tolerance))
        if apart:
            raise BuildFailed(
                f"the application gives another result in {name} than in {self.rows[0].name}",
                expected="the same, within its own tolerance",
                found=f"different at {', '.join(apart[:5])}",
                do="see both with --keep: the versions of what they are made of may differ too much",
            )
        return stated

    def _saved(self, image: str, known: Sequence[SavedLayer]) -> SavedImage:
        archive = self._folder / "saved.tar"
        self._images.save(image, archive)
        try:
            return read_saved(archive, known)
        finally:
            archive.unlink()
