"""The text of a recipe is changed field by field, and all else stays."""

import tomllib

import pytest

from wheelyard.errors import InputError
from wheelyard.recipe_text import set_fields, toml_line

TEXT = '''# Why it is so.
packages = [
    "liba-dev",  # for a
    "libb-dev",
]
environment = { A = "1" }
smoke = """
packages = ["not this one"]
"""

# Limits come last.
[limits]
memory = "4G"  # enough

[variants.full]
packages = ["other"]
'''


def test_a_list_of_several_lines_is_replaced_and_comments_elsewhere_stay():
    changed = set_fields(TEXT, {"packages": ["liba-dev", "libc-dev"]})
    assert changed == TEXT.replace(
        'packages = [\n    "liba-dev",  # for a\n    "libb-dev",\n]', 'packages = ["liba-dev", "libc-dev"]'
    )


def test_a_new_field_comes_before_the_tables():
    changed = set_fields(TEXT, {"build_requires": ["cython"]})
    assert tomllib.loads(changed) == {**tomllib.loads(TEXT), "build_requires": ["cython"]}
    assert changed.index("build_requires") < changed.index("[limits]")
    assert "# Limits come last." in changed


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        (TEXT, "environment.B", "2"),
        (TEXT, "environment.A", False),
        (TEXT, "limits.memory", "8G"),
        (TEXT, "limits.seconds", 60),
        (TEXT, "memory_per_job", 700),
        (TEXT, "config_settings.setup-args", '-Dx="y"\n'),
        ('environment.A = "1"\n', "environment.A", "2"),
        ('environment.A = "1"\n', "environment.B", "2"),
        ("", "packages", ["x1"]),
        ("# only a comment", "packages", ["x1"]),
        ("[variants.a]\n", "packages", ["x1"]),
        ('smoke = """\n[limits]\n"""\n', "packages", ["x1"]),
    ],
)
def test_what_is_set_is_what_is_read_and_nothing_else_is_another(text, field, value):
    table, dot, name = field.partition(".")
    wanted = tomllib.loads(text)
    if dot:
        wanted.setdefault(table, {})[name] = value
    else:
        wanted[table] = value
    assert tomllib.loads(set_fields(text, {field: value})) == wanted


def test_a_text_that_can_not_be_changed_safely_says_what_to_write_by_hand():
    with pytest.raises(InputError) as error:
        set_fields('smoke = """\npackages = ["a"]\n"""\npackages = [\n"b"]\n', {"packages": ["c"]})
    assert 'packages = ["c"]' in error.value.do


def test_a_long_list_has_a_line_for_each_member():
    line = toml_line("packages", [f"libnumber{number}-dev" for number in range(9)])
    assert line.splitlines()[1] == '    "libnumber0-dev",'
    assert len(tomllib.loads(line)["packages"]) == 9
