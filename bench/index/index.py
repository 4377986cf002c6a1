"""What the index costs beside devpi-server, pypiserver and proxpi, at 10,000 and 100,000 files.

`python -m bench.index.index [--files 10000 100000] [--only ours devpi pypiserver proxpi downloads]
[--seconds 10] [--devpi-files 100000]` fills each, starts one after the other in `.bench/`, and asks for
project pages and metadata over 1 and 32 connections. It needs wrk and curl, and a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.index import peers
from bench.index.corpus import Corpus
from bench.index.download_speeds import measure_downloads
from bench.index.figures import Figures, measure
from bench.index.ours import ROOT, fill_ours, our_server
from bench.index.served import started
from bench.index.verdicts import write_verdicts
from bench.real_servers import real_servers
from wheelyard.settings import Settings

_PARTS = ("ours", *peers.NAMES, "downloads")


def main() -> int:
    """Measure, print lines for people, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=list(_PARTS))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--devpi-files", type=int, default=100_000, help="devpi gets no more than that")
    options = parser.parse_args()
    folder = ROOT / ".bench" / "index"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found: dict[str, list[Figures]] = {}
    speeds: dict[str, float] = {}
    with real_servers(folder) as settings:
        for files in sorted(options.files):
            corpus = Corpus(files=files)
            print(f"\n{files} files of {len(corpus.projects)} projects")
            for name in options.only:
                if name != "downloads":
                    one = _measure(name, corpus, settings, folder / str(files), options)
                    found.setdefault(name, []).append(one)
        if "downloads" in options.only:
            print()
            speeds = measure_downloads(settings, folder / "downloads")
    print()
    verdicts = write_verdicts(found, speeds)
    print(json.dumps({"servers": _documents(found), "downloads": speeds, "verdicts": verdicts}))
    return 0


def _documents(found: dict[str, list[Figures]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [one.to_document() for one in figures] for name, figures in found.items()}


def _measure(
    name: str, corpus: Corpus, settings: Settings, folder: Path, options: argparse.Namespace
) -> Figures:
    folder.mkdir(parents=True, exist_ok=True)
    if name == "devpi" and corpus.files > options.devpi_files:
        corpus = Corpus(files=options.devpi_files)
    with ExitStack() as stack:
        if name == "ours":
            here = ours_in(settings, folder)
            server = our_server(here, corpus, fill_ours(here, corpus))
            version = "wheelyard, this tree"
        else:
            programs = peers.environment_of(name, ROOT / ".bench" / "peers")
            version = peers.versions_of(name, programs)
            if name == "proxpi":
                here = ours_in(settings, folder / "behind")
                behind = our_server(here, corpus, fill_ours(here, corpus))
                stack.enter_context(started(behind, corpus.hot[0], folder))
                server = peers.proxpi(programs, corpus, folder, f"{behind.base}/simple/")
            else:
                fill = {"devpi": peers.devpi, "pypiserver": peers.pypiserver}[name]
                server = fill(programs, corpus, folder)
        running_server = stack.enter_context(started(server, corpus.hot[0], folder))
        return measure(running_server, corpus, version, folder, options.seconds)


def ours_in(settings: Settings, folder: Path) -> Settings:
    """Settings with a database of their own in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "wheelyard.db"
    return settings.model_copy(update={"database_url": f"sqlite:///{place}", "data_dir": folder / "data"})


if __name__ == "__main__":
    sys.exit(main())
