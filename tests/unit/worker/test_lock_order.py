"""In which order the wheels of a lock are made."""

from worker.lock_order import levels, needs_of, path_seconds

LOCK = """\
numpy==2.4.6 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb
    # via
    #   -c constraints.txt
    #   -r requirements.in
    #   opencv-python-headless
opencv-python-headless==5.0.0.93 \\
    --hash=sha256:cccc
    # via -r requirements.in
six==1.17.0 \\
    --hash=sha256:dddd
    # via Python_Dateutil
python-dateutil==2.9.0 \\
    --hash=sha256:eeee
    # via -r requirements.in
"""


def test_reads_who_needs_whom_from_the_notes():
    assert needs_of(LOCK) == {
        "numpy": frozenset(),
        "opencv-python-headless": frozenset({"numpy"}),
        "six": frozenset(),
        "python-dateutil": frozenset({"six"}),
    }


def test_each_round_needs_only_earlier_ones():
    assert levels(needs_of(LOCK)) == [("numpy", "six"), ("opencv-python-headless", "python-dateutil")]


def test_a_cycle_is_one_round():
    assert levels({"a": frozenset({"b"}), "b": frozenset({"a"})}) == [("a", "b")]


def test_the_longest_chain_of_those_that_need_it_counts():
    needs = {
        "numpy": frozenset(),
        "six": frozenset(),
        "regex": frozenset(),
        "opencv": frozenset({"numpy"}),
        "dateutil": frozenset({"six"}),
        "pandas": frozenset({"numpy", "dateutil"}),
    }
    own = {"numpy": 300.0, "six": 1.0, "regex": 400.0, "opencv": 1500.0, "dateutil": 1.0, "pandas": 600.0}
    found = path_seconds(levels(needs), needs, own)
    assert found == {
        "opencv": 1500.0,
        "pandas": 600.0,
        "dateutil": 601.0,
        "numpy": 1800.0,
        "six": 602.0,
        "regex": 400.0,
    }


def test_in_a_cycle_each_counts_by_itself():
    needs = {"a": frozenset({"b"}), "b": frozenset({"a"})}
    assert path_seconds(levels(needs), needs, {"a": 1.0, "b": 2.0}) == {"a": 1.0, "b": 2.0}
