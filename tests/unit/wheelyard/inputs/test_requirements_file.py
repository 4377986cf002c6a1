"""Files of requirements, as pip reads them: what they ask for, and where a fault in one stands."""

from __future__ import annotations

import io

import pytest

from wheelyard.digests import Digest
from wheelyard.errors import InputError
from wheelyard.inputs.requirements_file import STANDARD_INPUT, read_requirements_file

ONE, TWO = Digest.of(b"one"), Digest.of(b"two")


@pytest.fixture
def read(tmp_path):
    """Reads a file of that text, beside files of other texts."""

    def read_text(text, constraint=False, **others):
        for name, content in others.items():
            (tmp_path / f"{name}.txt").write_text(content)
        path = tmp_path / "requirements.txt"
        path.write_text(text)
        return read_requirements_file(path, constraint=constraint)

    return read_text


def texts(lines):
    return [str(line.requirement) for line in lines]


def test_reads_comments_continuations_and_markers(read):
    wanted = read('# why\nnumpy>=2  # because\n\npillow \\\n  >=11 ; \\\n  python_version >= "3.9"\n')
    assert texts(wanted.requirements) == ["numpy>=2", 'pillow>=11; python_version >= "3.9"']
    assert [line.origin.rpartition("/")[2] for line in wanted.requirements] == [
        "requirements.txt, line 2",
        "requirements.txt, line 4",
    ]


def test_reads_the_files_that_it_names_and_their_constraints(read):
    wanted = read(
        "-r base.txt\n--requirement=more.txt\n-c limits.txt\n",
        base="numpy\n--constraint other.txt\n", more="pillow\n", limits="numpy<3\n", other="pillow<12\n",
    )  # fmt: skip
    assert texts(wanted.requirements) == ["numpy", "pillow"]
    assert texts(wanted.constraints) == ["pillow<12", "numpy<3"]


def test_what_a_constraints_file_names_are_constraints(read):
    wanted = read("-r base.txt\n", constraint=True, base="numpy<3\n")
    assert (texts(wanted.requirements), texts(wanted.constraints)) == ([], ["numpy<3"])


def test_reads_a_lock_with_its_hashes(read):
    wanted = read(
        f"--index-url https://other.example/simple\na==1 --hash={ONE} \\\n --hash={TWO}\nb==2 --hash={TWO}\n"
    )
    assert wanted.hashes == {"a": tuple(sorted((str(ONE), str(TWO)))), "b": (str(TWO),)}
    wanted.require_lock()


def test_reads_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("numpy\n-e .\n"))
    with pytest.raises(InputError, match="standard input, line 2"):
        read_requirements_file(STANDARD_INPUT)


@pytest.mark.parametrize(
    ("text", "words", "do"),
    [
        ("numpy\n-e .\n", "line 2", "pyproject.toml"),
        ("--pre\nnumpy\n", "line 1", "pre-release"),
        ("numpy\n--index-url https://x.example\n", "line 2: --index-url names", "leave the line out"),
        ("numpy --config-settings x=1\n", "line 1: --config-settings", "recipe"),
        ("numpy --global-option x\n", "line 1: --global-option", "leave it out"),
        ("a==1 --hash=md5:abc\n", "line 1: a hash", ""),
        (f"a==1 --hash={ONE}\nb==2\n", "line 2: b==2 has no hash", "generate-hashes"),
        ("numpy @ https://example.org/x.tar.gz\n", "names an address", ""),
        ("demo @ git+https://git.example.org/demo.git@main\n", "line 1) does not name a commit", "ls-remote"),
        ("-r https://example.org/requirements.txt\n", "line 1", "leave the line out"),
        ("# nothing\n", "asks for nothing", ""),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_the_way_on(read, text, words, do):
    with pytest.raises(InputError) as raised:
        read(text)
    assert words in raised.value.failed
    assert do in raised.value.do


def test_files_that_name_each_other_are_refused(read):
    with pytest.raises(InputError, match="names itself"):
        read("-r one.txt\n", one="-r two.txt\n", two="-r one.txt\n")


def test_a_file_that_is_named_and_not_there_is_told(read):
    with pytest.raises(InputError, match=r"missing\.txt can't be read"):
        read("-r missing.txt\n")


@pytest.mark.parametrize("line", ["numpy[x]<3", "demo @ git+https://git.example.org/demo.git@" + "1" * 40])
def test_a_constraint_only_limits_versions(read, line):
    with pytest.raises(InputError):
        read(f"{line}\n", constraint=True)


@pytest.mark.parametrize("line", ["numpy", "numpy>=2", "numpy==2.*", "numpy==2.4.6"])
def test_what_is_not_locked_is_named(read, line):
    with pytest.raises(InputError, match="is not locked"):
        read(f"{line}\n").require_lock()
