import pytest

from wheelyard.cli.progress.step_rate import StepRate


def steady(rate, steps, total, per_second):
    for done in range(1, steps + 1):
        rate.add(done, total, at=1000 + done / per_second)
    return 1000 + steps / per_second


def test_says_nothing_before_it_can_know():
    rate = StepRate()
    assert rate.left(1000) is None
    rate.add(1, 100, 1000)
    rate.add(2, 100, 1001)
    assert rate.left(1001) is None


def test_steady_steps_give_the_time_that_is_left():
    rate = StepRate()
    now = steady(rate, 100, 200, per_second=2)
    assert rate.left(now) == pytest.approx(50, rel=0.05)
    assert rate.share == 0.5


def test_the_time_runs_down_between_steps_and_never_below_what_is_likely():
    rate = StepRate()
    now = steady(rate, 100, 200, per_second=2)
    assert rate.left(now + 5) == pytest.approx(45, rel=0.06)
    assert rate.left(now + 500) == 60


def test_one_slow_step_does_not_make_it_jump():
    rate = StepRate()
    now = steady(rate, 400, 800, per_second=4)
    rate.add(401, 800, now + 20)
    assert rate.left(now + 20) < 160


def test_a_slower_second_half_is_learnt():
    rate = StepRate()
    now = steady(rate, 100, 200, per_second=10)
    for done in range(101, 181):
        now += 2
        rate.add(done, 200, now)
    assert rate.left(now) == pytest.approx(40, rel=0.5)


def test_another_run_of_the_build_tool_begins_anew():
    rate = StepRate()
    now = steady(rate, 100, 100, per_second=10)
    rate.add(1, 500, now + 1)
    assert rate.left(now + 1) is None
    assert (rate.done, rate.total) == (1, 500)


def test_nothing_is_left_at_the_end():
    rate = StepRate()
    now = steady(rate, 100, 100, per_second=10)
    assert rate.left(now) is None
    assert rate.share == 1


def test_steps_without_a_total_do_no_harm():
    rate = StepRate()
    rate.add(0, 0, 1000)
    assert rate.share == 0
    assert rate.left(1001) is None
