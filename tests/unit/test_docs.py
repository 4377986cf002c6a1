"""The documentation: its links lead somewhere, its commands exist, its reference is the code's."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from wheelyard.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s$(;])(wheelyard (?!:).+)$")
FENCE = re.compile(r"^ {4,}(.*)$")
INLINE = re.compile(r"`(wheelyard [^`]+)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def slug(heading: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).strip().replace(" ", "-")


def dead_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists():
            yield target
        elif anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            if anchor not in {slug(heading) for heading in headings}:
                yield target


def examples(page: Path) -> Iterator[list[str]]:
    """Each `wheelyard …` in code as its words, without the program and what the shell does after it."""
    text = page.read_text("utf-8")
    lines = [match.group(1) for line in text.splitlines() if (match := FENCE.match(line))]
    found = [match.group(1) for line in lines if (match := COMMAND.search(line))] + INLINE.findall(text)
    for command in found:
        cut = re.split(r"\s{2,}|\s#|\s[|>;]|;|&&|\)(?:;|$)", command)[0]
        try:
            yield shlex.split(cut)[1:]
        except ValueError as error:
            yield [f"{cut}: {error}"]


def mistake(words: list[str]) -> str:
    """What is wrong with an example; empty where nothing is."""
    command = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest:
        word = rest.pop(0)
        if word in {"--url", "--token"}:
            rest[:1] = []
            continue
        if word.startswith("-") and word != "-" and word in options_of(command):
            continue
        if word not in command.commands and getattr(command, "default_command", ""):
            rest.insert(0, word)
            word = command.default_command
        if word not in command.commands:
            return f"there is no command {word!r} in {' '.join(words)!r}"
        command = command.commands[word]
    for word in rest:
        if word.startswith("-") and word != "-" and word.partition("=")[0] not in options_of(command):
            return f"there is no option {word!r} in {' '.join(words)!r}"
    return ""


def options_of(command) -> set[str]:
    names = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    return names | {"-h", "--help"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    assert list(dead_links(page)) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_example_names_a_command_and_options_that_exist(page):
    assert [wrong for words in examples(page) if (wrong := mistake(words))] == []


def test_examples_are_found_at_all_and_a_wrong_one_is_seen():
    assert sum(len(list(examples(page))) for page in PAGES) > 40
    assert "no command 'biuld'" in mistake(["biuld", "numpy"])
    assert "no option '--lod'" in mistake(["image", "numpy", "--lod"])


def test_the_reference_is_what_the_code_says(monkeypatch):
    for variable in [key for key in os.environ if key.startswith("WHEELYARD_")]:
        monkeypatch.delenv(variable)
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = generate
    spec.loader.exec_module(generate)
    assert generate.stale_pages() == [], "run `make docs`"


def test_every_page_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = [target.partition("#")[0] for target in LINK.findall(page.read_text("utf-8"))]
        waiting += [page.parent / one for one in targets if one and not re.match(r"[a-z]+:", one)]
    assert [name(page) for page in PAGES if page.resolve() not in reached] == []
