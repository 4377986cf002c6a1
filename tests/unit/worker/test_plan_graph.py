"""Cycles of a plan's graph, how seeds break them, and the longest paths through what is left."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wheelyard.plan_outlook import path_seconds
from worker.plan_graph import break_cycles, components, cycles, without_circles

NAMES = tuple("abcdef")


def graph(**needs):
    """A graph from one-letter names: `a="bc"` needs b and c."""
    return {name: frozenset(wanted) for name, wanted in needs.items()}


@st.composite
def graphs(draw):
    """Small graphs with many cycles."""
    return {name: frozenset(draw(st.sets(st.sampled_from(NAMES), max_size=3))) for name in NAMES}


def test_a_component_stands_behind_those_that_it_needs():
    assert components(graph(a="b", b="c", c="b", d="a")) == [("b", "c"), ("a",), ("d",)]


def test_what_needs_itself_is_a_cycle_of_one():
    assert cycles(graph(a="a", b="a")) == [("a",)]


def test_a_graph_without_a_cycle_stays_as_it_is():
    needs = graph(a="b", b="c", c="")
    broken = break_cycles(needs, seedable=())
    assert (broken.needs, broken.bootstraps, broken.seeds) == (needs, {}, {})


def test_a_member_is_built_with_what_was_built_with_a_seed():
    broken = break_cycles(graph(app="a", a="bx", b="a", x=""), seedable={"a"})
    assert broken.needs == {
        "app": frozenset({"a"}),
        "x": frozenset(),
        "a (seed)": frozenset(),
        "b (bootstrap)": frozenset({"a (seed)"}),
        "a": frozenset({"b (bootstrap)", "x"}),
        "b": frozenset({"a"}),
    }
    assert broken.seeds == {"a": "a (seed)"}


def test_what_builds_itself_is_built_with_its_seed_first():
    broken = break_cycles({"cmake": frozenset({"cmake"})}, seedable={"cmake"})
    assert broken.needs == {
        "cmake": frozenset({"cmake (bootstrap)"}),
        "cmake (bootstrap)": frozenset({"cmake (seed)"}),
        "cmake (seed)": frozenset(),
    }


def test_the_seed_through_which_most_ways_go_is_enough():
    # Both ways round go through a.
    broken = break_cycles(graph(a="bc", b="a", c="a"), seedable={"a", "b", "c"})
    assert set(broken.seeds) == {"a"}


def test_a_cycle_of_which_nothing_can_stand_in_is_told_as_the_way_round():
    broken = break_cycles(graph(app="a", a="b", b="c", c="a", d="d"), seedable={"d"})
    assert broken.stuck == dict.fromkeys("abc", ("a", "b", "c", "a"))
    assert broken.needs["app"] == {"a"}
    assert "d" in broken.seeds


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_no_cycle_is_left_and_only_bootstraps_need_seeds(needs, seedable):
    broken = break_cycles(needs, seedable)
    assert cycles(broken.needs) == []
    assert set(broken.seeds) <= seedable
    taken = set(broken.seeds.values())
    for name in set(broken.needs) - set(broken.bootstraps.values()):
        assert not broken.needs[name] & taken
    assert set().union(*broken.needs.values()) <= broken.needs.keys()


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_a_member_and_its_bootstrap_are_built_with_the_same_projects(needs, seedable):
    broken = break_cycles(needs, seedable)
    for name in set(needs) - set(broken.stuck):
        for node in (name, broken.bootstraps.get(name, name)):
            assert {need.partition(" ")[0] for need in broken.needs[node]} == needs[name]


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_no_bootstrap_is_built_with_the_very_same_as_its_member(needs, seedable):
    broken = break_cycles(needs, seedable)
    assert all(broken.needs[name] != broken.needs[first] for name, first in broken.bootstraps.items())


@given(graphs(), st.sets(st.sampled_from(NAMES)))
def test_only_cycles_in_which_nothing_can_stand_in_stay(needs, seedable):
    broken = break_cycles(needs, seedable)
    for way in broken.stuck.values():
        assert way[0] == way[-1]
        assert not seedable.intersection(way)
        assert all(later in needs[name] for name, later in pairwise(way))
    hopeless = {name: wanted - seedable for name, wanted in needs.items() if name not in seedable}
    assert bool(cycles(hopeless)) == bool(broken.stuck)


@given(graphs(), graphs())
def test_nothing_waits_for_itself_by_what_it_runs_with(build, run):
    build = break_cycles(build, NAMES).needs
    kept = without_circles(build, run)
    assert cycles({name: build[name] | kept[name] for name in build}) == []
    assert all(kept[name] <= run.get(name, frozenset()) for name in build)


def test_what_runs_in_a_circle_gives_up_as_little_as_will_do():
    run = graph(a="b", b="a", c="a")
    kept = without_circles(graph(a="", b="", c=""), run)
    assert kept["c"] == {"a"}
    assert sum(len(wanted) for wanted in kept.values()) == 2


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
    assert path_seconds(needs, own) == {
        "opencv": 1500.0,
        "pandas": 600.0,
        "dateutil": 601.0,
        "numpy": 1800.0,
        "six": 602.0,
        "regex": 400.0,
    }


def test_a_long_chain_needs_no_deep_stack():
    needs = {f"{number:05}": frozenset({f"{number + 1:05}"}) for number in range(3000)}
    assert len(components(needs)) == 3001
