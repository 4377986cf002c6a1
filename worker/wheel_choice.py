"""Which of upstream's wheels a toolchain takes: of a build requirement, or as a seed."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.utils import parse_wheel_filename

from wheelyard.toolchains import Toolchain
from wheelyard.upstream.listing import ListedFile
from wheelyard.wheel_tags import ranked_tags


def best_wheel(files: Iterable[ListedFile], toolchain: Toolchain) -> ListedFile | None:
    """The wheel that pip would choose in a toolchain; None where none fits.

    By order of weight: not yanked (PEP 592), the nearest tag (PEP 425), the highest build number (PEP 427).

    :param files: of one version of a project.
    """
    ranks = ranked_tags(toolchain.python.tag, toolchain.policy)
    fitting = []
    for file in files:
        if file.kind == "wheel" and file.digest is not None and file.fits(toolchain.python.version):
            _name, _version, build, tags = parse_wheel_filename(file.filename)
            if known := tags & ranks.keys():
                rank = min(ranks[tag] for tag in known)
                fitting.append(((file.yanked is None, -rank, build, file.filename), file))
    return max(fitting, key=lambda found: found[0])[1] if fitting else None
