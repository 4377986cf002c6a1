from wheelyard.cli.results import pip_line
from wheelyard.cli.tables import age_text, moment_text, seconds_text, write_table
from wheelyard.index_address import index_url
from wheelyard.sizes import size_text


def test_a_table_is_as_wide_as_its_cells_and_cleaned(capsys):
    write_table(("NAME", "SIZE"), [("a", "1 B"), ("\x1b[31mlonger", "20 MB")], right=(1,))
    assert capsys.readouterr().out == "NAME     SIZE\na         1 B\nlonger  20 MB\n"


def test_sizes():
    sizes = (0, 999, 1000, 8_200_000, 999_960_000, 1_500_000_000)
    assert [size_text(size) for size in sizes] == ["0 B", "999 B", "1.0 kB", "8.2 MB", "1.00 GB", "1.50 GB"]


def test_ages_and_moments():
    ages = [age_text(1000, now) for now in (1005, 1200, 9000, 900_000)]
    assert ages == ["5 s ago", "3 min ago", "2 h ago", "10 d ago"]
    assert age_text(0) == moment_text(0) == "-"
    assert moment_text(1764000000) == "2025-11-24 16:00:00 UTC"


def test_durations():
    assert [seconds_text(value) for value in (0.04, 9.5, 12, 292)] == ["0.0 s", "9.5 s", "12 s", "4:52"]


def test_the_pip_line_takes_from_the_cache_and_nowhere_else():
    line = pip_line(index_url("http://127.0.0.1:8765", "default"), ["numpy==2.4.6"])
    assert line.startswith("pip install --index-url http://127.0.0.1:8765/")
    assert "--extra-index-url" not in line
