"""The rooms of the design: who may import whom, and what a file may not be called."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT = {
    "wheelyard": frozenset[str](),
    "runtime_images": frozenset({"wheelyard"}),
    "worker": frozenset({"wheelyard", "runtime_images"}),
    "builder_service": frozenset({"wheelyard"}),
    "infra": frozenset[str](),
}
NOT_NAMES = frozenset(
    {"manager", "helper", "helpers", "utils", "util", "handler", "handlers", "data", "info", "common", "misc"}
)
# What runs alone inside a container has only the standard library and the tools of the toolchain image.
INSIDE = ROOT / "worker" / "inside"
# One module per vendor: everybody else goes through the contract that it implements.
VENDORS = {
    "boto3": ("wheelyard/store/",),
    "botocore": ("wheelyard/store/",),
    # The worker names the transaction's type only: what it publishes lands in the ledger's own transaction.
    "sqlalchemy": (
        "wheelyard/jobs/",
        "wheelyard/catalogue.py",
        "wheelyard/channels.py",
        "wheelyard/image_catalogue.py",
        "wheelyard/image_repositories.py",
        "wheelyard/image_rows.py",
        "wheelyard/image_tags.py",
        "wheelyard/image_uploads.py",
        "wheelyard/project_page.py",
        "wheelyard/projects.py",
        "wheelyard/tokens.py",
        "wheelyard/yanks.py",
        "wheelyard/keeping/",
        "worker/",
    ),
    "alembic": ("wheelyard/jobs/",),
    "elftools": ("runtime_images/", "worker/"),
    "zstandard": ("runtime_images/layer_compression.py",),
}


def sources(room: str) -> list[Path]:
    return [path for path in sorted((ROOT / room).rglob("*.py")) if "__pycache__" not in path.parts]


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; relative imports by their full name."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield ".".join([*base, *([node.module] if node.module else [])])


def breaches(room: str) -> list[str]:
    found = []
    for path in sources(room):
        for name in imports(path):
            top = name.partition(".")[0]
            if top in {*MAY_IMPORT, "tests", "examples", "bench"} - {room} - MAY_IMPORT[room]:
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


# `wheelyard up` and `wheelyard doctor` start the other rooms' programs by name, in processes of their own.
@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room):
    assert breaches(room) == []


def test_service_and_worker_are_walked_at_all():
    assert all(
        len(sources(room)) > 3 for room in ("wheelyard", "runtime_images", "worker", "builder_service")
    )


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_no_file_is_named_after_nothing(room):
    bad = [
        str(path.relative_to(ROOT))
        for path in sources(room)
        if any(word in NOT_NAMES for word in path.stem.split("_"))
    ]
    assert bad == []


def test_what_runs_inside_a_container_imports_nothing_of_ours():
    bad = [
        f"{path.name} imports {name}"
        for path in sorted(INSIDE.glob("*.py"))
        for name in imports(path)
        if name.partition(".")[0] in MAY_IMPORT and not name.startswith("worker.inside")
    ]
    assert bad == []


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_a_vendor_is_imported_in_its_own_place_only(vendor):
    bad = [
        str(path.relative_to(ROOT))
        for room in MAY_IMPORT
        for path in sources(room)
        if vendor in {name.partition(".")[0] for name in imports(path)}
        and not str(path.relative_to(ROOT)).startswith(VENDORS[vendor])
    ]
    assert bad == []


def test_only_the_settings_read_the_environment():
    """`os.environ` may be passed on whole to programs that are started; only the settings look into it."""
    bad: list[str] = []
    for room in MAY_IMPORT:
        for path in sources(room):
            if path.is_relative_to(INSIDE) or path.name == "settings.py":
                continue
            bad += [
                f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if _reads_variable(node)
            ]
    assert bad == []


def _reads_variable(node: ast.AST) -> bool:
    if isinstance(node, ast.Subscript):
        return ast.unparse(node.value) == "os.environ" and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in {"os.environ.get", "os.getenv"}
    return False


def test_every_source_begins_with_a_sentence_about_itself():
    bad = [
        str(path.relative_to(ROOT))
        for room in MAY_IMPORT
        for path in sources(room)
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert bad == []


def test_a_breach_would_be_seen(tmp_path, monkeypatch):
    """The walk is tested on a file that does what none may do."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "bad.py").write_text("def late():\n    from builder_service import services\n")
    assert breaches("worker") == ["worker/bad.py imports builder_service"]
