"""Files of every kind, told apart by their name and their content, and what they ask for together."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from wheelyard.errors import InputError
from wheelyard.inputs.group_markers import Choice
from wheelyard.inputs.pylock import is_pylock_name, read_pylock
from wheelyard.inputs.pyproject import read_pyproject
from wheelyard.inputs.requirements_file import STANDARD_INPUT, read_requirements_file, read_text
from wheelyard.inputs.uv_lock import read_uv_lock
from wheelyard.inputs.wanted import Wanted, WantedLine
from wheelyard.requirements import parse_requirement

_TABLE = re.compile(r"^\[\[?[A-Za-z0-9_.\" -]+\]\]?\s*$", re.MULTILINE)
_FOREIGN = {
    "poetry.lock": "export it: `poetry export -o lock.txt` writes requirements with hashes",
    "pdm.lock": "export it: `pdm export --format pylock -o pylock.toml`",
    "pipfile.lock": "export it: `pipenv requirements --hash > lock.txt`",
    "pipfile": "export it: `pipenv requirements --hash > lock.txt`",
    "setup.py": "lock what it needs: `pip-compile --generate-hashes -o lock.txt setup.py`",
    "setup.cfg": "lock what it needs: `pip-compile --generate-hashes -o lock.txt setup.cfg`",
}
_Reader = Callable[[str, str, Choice], Wanted]


def read_inputs(
    requirements: Sequence[str],
    files: Sequence[Path],
    constraints: Sequence[Path] = (),
    choice: Choice | None = None,
) -> Wanted:
    """What arguments and files ask for together.

    :param requirements: PEP 508, or paths of files and projects (`.`, `./app/pyproject.toml`).
    :param files: requirements, locks and projects' files; `-` is requirements on standard input.
    :param constraints: files whose lines only limit versions.
    :param choice: extras and dependency groups of the files that know some.
    :raises InputError: one of them can't be read, or asks for nothing; the message says which and where.
    """
    choice = choice or Choice()
    paths = [*files, *(Path(text) for text in requirements if is_path(text))]
    parts = [_read_argument(text) for text in requirements if not is_path(text)]
    kinds = [_reader_of(path) for path in paths]
    if (choice.extras or choice.groups) and not any(kinds):
        raise InputError(
            "--extra and --group choose from a file that knows extras and groups",
            expected="pyproject.toml, pylock.toml or uv.lock",
            found=", ".join(map(str, paths)) or "no file",
            do="give the project's folder or file; or write NAME[EXTRA] for the extra of a requirement",
        )
    for path, reader in zip(paths, kinds, strict=True):
        if reader is None:
            parts.append(read_requirements_file(path))
        else:
            place = _file_of(path)
            parts.append(reader(read_text(place), str(place), choice))
    parts += [read_requirements_file(path, constraint=True) for path in constraints]
    wanted = Wanted.together(parts)
    if not wanted.requirements:
        raise InputError(
            "no requirement was given",
            do="name at least one project, for instance numpy, or a file with `-r FILE`",
        )
    return wanted


def is_path(text: str) -> bool:
    """Whether an argument is written as a path, and not as a requirement."""
    return text in {".", ".."} or text.startswith(("./", "../", "/", "~"))


def _read_argument(text: str) -> Wanted:
    if Path(text).suffix in {".txt", ".in", ".toml", ".lock"} and Path(text).is_file():
        raise InputError(
            f"{text} is a file", expected="a requirement such as numpy>=2", do=f"give it with `-r {text}`"
        )
    requirement = parse_requirement(text.strip(), git=True)
    return Wanted(requirements=(WantedLine(requirement=requirement, origin="the command line"),))


def _file_of(path: Path) -> Path:
    """The file itself, where a project's folder is named."""
    path = path.expanduser()
    if path.name.endswith((".tar.gz", ".zip", ".whl")):
        raise InputError(
            f"{path} is no file of requirements",
            expected="requirements, a lock, or a project's pyproject.toml",
            do="`wheelyard build ./NAME-VERSION.tar.gz` uploads an sdist that is there, and builds it",
        )
    if not path.is_dir():
        return path
    if not (path / "pyproject.toml").is_file():
        raise InputError(
            f"{path} is a folder without a pyproject.toml",
            expected="a project's folder, or a file of requirements",
            do="lock what it needs (`pip-compile --generate-hashes -o lock.txt setup.py`), and give the lock",
        )
    return path / "pyproject.toml"


def _reader_of(path: Path) -> _Reader | None:
    """Who reads a file that is TOML; None for requirements."""
    if path == STANDARD_INPUT:
        return None
    path = _file_of(path)
    name = path.name.lower()
    if name in _FOREIGN:
        raise InputError(
            f"{path} is a file that is not read here",
            expected="requirements, a lock of pip-tools or uv, pylock.toml, or pyproject.toml",
            do=_FOREIGN[name],
        )
    if is_pylock_name(name):
        return read_pylock
    if name == "uv.lock":
        return read_uv_lock
    if name == "pyproject.toml":
        return read_pyproject
    return _reader_by_content(path)


def _reader_by_content(path: Path) -> _Reader | None:
    if not path.is_file():
        # What comes through a pipe can be read once.
        return None
    text = read_text(path)
    tables = {match.group().strip().strip("[]").strip() for match in _TABLE.finditer(text)}
    if "packages" in tables and "lock-version" in text:
        return read_pylock
    if "package" in tables:
        return read_uv_lock
    if tables & {"project", "dependency-groups", "build-system"}:
        return read_pyproject
    return None
