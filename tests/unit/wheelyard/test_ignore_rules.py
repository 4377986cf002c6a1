import pytest

from wheelyard.errors import InputError
from wheelyard.ignore_rules import IgnoreRules


@pytest.mark.parametrize(
    ("lines", "path", "ignored"),
    [
        (["*.md"], "README.md", True),
        (["*.md"], "docs/README.md", False),
        (["**/*.md"], "docs/a/README.md", True),
        (["**/*.md"], "README.md", True),
        (["docs"], "docs/a/b", True),
        (["docs/"], "docs/a", True),
        (["/docs"], "docs", True),
        (["./docs"], "docs", True),
        (["docs"], "src/docs", False),
        (["docs/**"], "docs/a/b", True),
        (["docs/**"], "docs", False),
        (["*.md", "!README.md"], "README.md", False),
        (["!README.md", "*.md"], "README.md", True),
        (["docs", "!docs/keep.txt"], "docs/keep.txt", False),
        (["docs", "!docs/keep.txt"], "docs/other.txt", True),
        (["file?.txt"], "file1.txt", True),
        (["file?.txt"], "file12.txt", False),
        (["file[0-9].txt"], "file5.txt", True),
        (["file[!0-9].txt"], "file5.txt", False),
        (["file[^0-9].txt"], "filex.txt", True),
        (["# comment", "", "  "], "# comment", False),
        (["a.b"], "axb", False),
        (["a\\*b"], "a*b", True),
        (["a\\*b"], "axb", False),
    ],
)
def test_patterns_are_read_as_docker_reads_them(lines, path, ignored):
    assert IgnoreRules(lines).ignores(path) is ignored


def test_a_pattern_that_can_not_be_read_is_named_with_its_line():
    with pytest.raises(InputError) as raised:
        IgnoreRules(["ok", "file[0-9"], ".dockerignore")
    assert ".dockerignore, line 2" in raised.value.found


def test_an_ignored_folder_is_looked_into_only_where_something_is_taken_back():
    rules = IgnoreRules(["docs", "build", "!docs/keep.txt"])
    assert rules.may_want_below("docs")
    assert not rules.may_want_below("build")
