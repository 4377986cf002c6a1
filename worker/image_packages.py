"""Debian packages of an image: locked by apt's own solver over the base, their files in the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runtime_images.deb_index import index_of
from runtime_images.library_search import default_folders
from runtime_images.machines import machine_of
from runtime_images.package_layer import Packages
from wheelyard.errors import InfrastructureError, InputError
from wheelyard.package_lock import PackageLock, image_lock_name, keep_lock_at, load_lock_at, parse_package
from worker.context import Work
from worker.debian.contents import DebianContents
from worker.debian.deb_layer import merge_status
from worker.debian.mirror import find_mirror
from worker.debian.private_apt import Deb, PrivateApt
from worker.image_ground import Ground, status_of
from worker.recipe_packages import bring_into_store
from worker.toolchain_job import ReadyToolchain

_MOST_NAMED = 3


def lock_image_packages(
    work: Work, ready: ReadyToolchain, ground: Ground, asked: Sequence[str], whole: Sequence[str]
) -> Packages:
    """The packages of an image, and all that they need beyond the base, each by version and digest.

    The first answer for the same names over the same base holds.

    :param asked: names; sliced to what loads.
    :param whole: names; with all their files.
    :raises InputError: the base is no Debian's, its release has no such package, or it can't be added.
    :raises InfrastructureError: the mirror does not answer.
    """
    if not asked and not whole:
        return Packages()
    names = sorted({*asked, *whole})
    debs = _lock(work, ready, ground, {"names": names}, names)
    return Packages(asked=tuple(sorted(set(asked))), whole=tuple(sorted(set(whole))), debs=debs)


def bring_packages(work: Work, ground: Ground, packages: Mapping[str, str]) -> None:
    """Bring packages' files into the store, as far as they are not there.

    :raises InfrastructureError: the mirror has one of them no more, or does not answer.
    """
    parsed = {name: parse_package(entry) for name, entry in packages.items()}
    debs = [Deb(name=name, version=version, digest=digest) for name, (version, digest) in parsed.items()]
    lost = [deb for deb in debs if work.services.store.blob_size(deb.digest) is None]
    if lost:
        bring_into_store(work, image_apt(work, ground.suite), lost)


class DebianLibraries:
    """Libraries out of the Debian release of an image's base; see `LibrarySource`."""

    def __init__(self, work: Work, ready: ReadyToolchain, ground: Ground, packages: Packages) -> None:
        self._work = work
        self._ready = ready
        self._ground = ground
        self._packages = packages
        self._candidates: dict[str, tuple[str, ...]] = {}

    @property
    def base_packages(self) -> Mapping[str, str]:
        """Name to version, of the Debian packages of the base."""
        return self._ground.packages

    def find(self, sonames: Sequence[str]) -> Packages:
        """The packages that have libraries: those at hand first, then those of the release.

        :raises InfrastructureError: the mirror does not answer.
        """
        wanted = tuple(sorted(set(sonames)))
        if not self._ground.suite:
            return Packages(sonames=wanted)
        asked = {"sonames": list(wanted), "packages": dict(self._packages.debs)}
        place = image_lock_name(self._ready.record.image, _ids(self._ground), asked)
        known = load_lock_at(self._work.services.store, place)
        debs = dict(known.packages) if known is not None else self._solve(place, wanted)
        return Packages(sonames=wanted, debs=debs)

    def bring(self, packages: Packages) -> None:
        """Bring the files of packages into the store, as far as they are not there."""
        bring_packages(self._work, self._ground, packages.debs)

    def packages_with(self, soname: str) -> tuple[str, ...]:
        """Names of the release's packages that have a library, at most three."""
        try:
            return self._look_up([soname]).get(soname, ())[:_MOST_NAMED]
        except InfrastructureError:
            return ()

    def _solve(self, place: str, wanted: Sequence[str]) -> dict[str, str]:
        at_hand = self._at_hand(wanted)
        names = sorted(
            {found[0] for found in self._look_up([n for n in wanted if n not in at_hand]).values()}
        )
        debs = _ask(self._work, self._ground, names) if names else {}
        # What is asked for in the same image is taken in the same version.
        debs |= {name: entry for name, entry in self._packages.debs.items() if name in debs or at_hand}
        lock = PackageLock(
            toolchain=self._ready.record.image,
            suite=self._ground.suite,
            names=tuple(sorted({*names, *at_hand.values()})),
            packages=debs,
        )
        return dict(keep_lock_at(self._work.services.store, place, lock).packages)

    def _at_hand(self, wanted: Sequence[str]) -> dict[str, str]:
        """Soname to package, of those that the image's own packages have (deb-shlibs(5))."""
        store, found = self._work.services.store, {}
        bring_packages(self._work, self._ground, self._packages.debs)
        folders = default_folders(machine_of(self._ready.record.policy))
        for name, entry in self._packages.debs.items():
            index = index_of(store, parse_package(entry)[1], self._work.scratch)
            for soname in wanted:
                there = any(f"{folder}/{soname}" in index.contents.entries for folder in folders)
                if there or index.shlibs.get(soname) == name:
                    found[soname] = name
        return found

    def _look_up(self, sonames: Sequence[str]) -> dict[str, tuple[str, ...]]:
        new = [soname for soname in sonames if soname not in self._candidates]
        if new and self._ground.suite:
            settings = self._work.services.settings
            self._work.log.line(f"asking Debian {self._ground.suite} for {', '.join(new)}")
            contents = DebianContents(
                find_mirror(settings).main, self._ground.suite, settings.data_dir / "contents"
            )
            self._candidates |= dict.fromkeys(new, ()) | contents.library_packages(set(new))
        return {soname: found for soname in sonames if (found := self._candidates.get(soname))}


def _lock(
    work: Work, ready: ReadyToolchain, ground: Ground, asked: Mapping[str, Any], names: Sequence[str]
) -> dict[str, str]:
    if not ground.suite:
        raise InputError(
            f"packages can't be added to the image: {', '.join(names)}",
            expected="slim, debug, or a base that is made of Debian packages and says which release",
            found="a base whose /etc/os-release names no Debian release",
            do="take another base, or one that has the packages already",
        )
    store, place = work.services.store, image_lock_name(ready.record.image, _ids(ground), asked)
    known = load_lock_at(store, place)
    if known is None:
        lock = PackageLock(
            toolchain=ready.record.image,
            suite=ground.suite,
            names=tuple(names),
            packages=_ask(work, ground, names),
        )
        known = keep_lock_at(store, place, lock)
    return dict(known.packages)


def _ask(work: Work, ground: Ground, names: Sequence[str]) -> dict[str, str]:
    """Ask apt what must be added; the base's own part of a package that is asked for does not count."""
    work.log.line(f"asking Debian {ground.suite} for {', '.join(names)}")
    status = status_of(work.services.store, ground, work.scratch / "status")
    kept = "\n\n".join(
        stanza
        for stanza in status.split("\n\n")
        if not stanza.startswith(tuple(f"Package: {n}\n" for n in names))
    )
    debs = image_apt(work, ground.suite).solve(names, merge_status(kept, ()))
    size = sum(deb.size for deb in debs)
    work.log.line(f"{len(debs)} packages of {size >> 20} MiB have what is asked for and all that it needs")
    return {deb.name: f"{deb.version} {deb.digest}" for deb in sorted(debs, key=lambda deb: deb.name)}


def image_apt(work: Work, suite: str) -> PrivateApt:
    """The apt of a release, in this worker's own folder."""
    settings = work.services.settings
    return PrivateApt(suite, find_mirror(settings), settings.data_dir / "apt" / suite, work.check)


def _ids(ground: Ground) -> list[str]:
    return [str(layer.diff_id) for layer in ground.layers]
