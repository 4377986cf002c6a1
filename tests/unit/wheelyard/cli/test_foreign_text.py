import pytest

from wheelyard.cli.foreign_text import clean, clean_block, clean_document


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain text", "plain text"),
        ("\x1b[1;32mgreen\x1b[0m", "green"),
        ("\x1b]0;a new title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("a\x07b\x08c\x00", "abc"),
        ("10%\r50%\r100%", "100%"),
        ("done\r\n", "done"),
        ("tab\tstays", "tab\tstays"),
        ("tur\u202ened", "tur<U+202E>ned"),
        ("ends with an escape\x1b", "ends with an escape"),
        ("name::space::thing", "name::space::thing"),
    ],
)
def test_takes_out_what_would_steer_a_terminal(foreign, shown):
    assert clean(foreign) == shown


@pytest.mark.parametrize(
    "foreign",
    [
        "::error::a message of a build",
        "   ::set-output name=x::y",
        "\x1b[0m::add-mask::secret",
        ":\x1b[0m:error::split by an escape",
        ":\x00:error::split by a control",
        "##[error]a message",
        "text ##vso[task.setvariable variable=x]y",
        "#\x1b[0m#[group]",
        "###[error]",
    ],
)
def test_a_ci_system_finds_no_command_in_it(foreign):
    shown = clean(foreign)
    assert not shown.lstrip().startswith("::")
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert clean(shown) == shown


def test_a_lone_surrogate_does_not_break_the_output():
    assert clean("bad \udcff byte").encode()


def test_each_line_of_a_block_is_cleaned():
    assert clean_block("one\n::error::two\n\x1b[31mthree") == "one\n: :error::two\nthree"


def test_strings_deep_in_a_document_are_cleaned_and_other_values_stay():
    document = {"a": ["\x1b[1mx", 1, None, {"b": "::c"}], "d": True}
    assert clean_document(document) == {"a": ["x", 1, None, {"b": ": :c"}], "d": True}
