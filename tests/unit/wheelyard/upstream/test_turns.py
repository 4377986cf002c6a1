"""Of those who want the same thing at the same time, one gets it."""

import contextlib
import threading

from wheelyard.upstream.turns import Turns


def test_one_has_the_turn_and_who_does_not_wait_is_told():
    turns = Turns()
    with turns.taken("demo") as first, turns.taken("demo", wait=False) as second:
        assert (first, second) == (True, False)
        with turns.taken("other", wait=False) as third:
            assert third
    with turns.taken("demo", wait=False) as again:
        assert again


def test_no_two_have_it_at_the_same_time_and_nothing_is_left_behind():
    turns, inside, most = Turns(), [], []

    def take():
        for _ in range(50):
            with turns.taken("demo"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert turns._locks == {}


def test_a_turn_ends_with_an_error():
    turns = Turns()
    with contextlib.suppress(ZeroDivisionError), turns.taken("demo"):
        1 / 0  # noqa: B018
    with turns.taken("demo", wait=False) as has:
        assert has
