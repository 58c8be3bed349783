"""A team settles on the quicker number of threads, and tries again."""

import pytest

import pyvae
from pyvae import _kernels
from pyvae._kernels import thread_trials
from pyvae._kernels.settings import runtime
from pyvae._kernels.thread_trials import ALL, ONE, TRIAL, Team


class Clock:
    """A clock that goes on by what a turn takes with the limit at hand."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.seconds, self.limits = 0.0, seconds, []
        monkeypatch.setattr(thread_trials.time, "perf_counter", lambda: self.now)

    def limit(self, n):
        self.limits.append(n)

    def turns(self, team, count):
        used = []
        for _ in range(count):
            with team:
                used.append(self.limits[-1])
                self.now += self.seconds[used[-1]]
        return used


def lost(clock, used, quicker):
    """The share of the time that was lost with the slower limit."""
    slower = ONE if quicker == ALL else ALL
    return used.count(slower) * (clock.seconds[slower] / clock.seconds[quicker] - 1) / len(used)


@pytest.mark.parametrize("ratio", [1.02, 1.3, 2, 8])
@pytest.mark.parametrize("count", [20, 100, 250, 1000, 20000])
def test_trials_of_the_slower_one_cost_a_hundredth_from_the_first_turn_on(count, ratio, monkeypatch):
    clock = Clock(monkeypatch, {ALL: 1, ONE: ratio})
    used = clock.turns(Team(clock.limit, lambda: max(2, ratio)), count)
    assert used[: min(count, 100)] == [ALL] * min(count, 100)
    assert lost(clock, used, ALL) <= 1.01 * thread_trials.COST
    if count == 20000:
        assert used.count(ONE) > 20, "it is tried again and again"


def test_the_quicker_one_is_used_after_it_was_tried(monkeypatch):
    clock = Clock(monkeypatch, {ALL: 1.3, ONE: 1})
    used = clock.turns(Team(clock.limit, lambda: 2), 5000)
    first = used.index(ONE)
    assert first <= 2 / thread_trials.COST + TRIAL
    assert used[first : first + TRIAL] == [ONE] * TRIAL and lost(clock, used[first:], ONE) <= 2 * thread_trials.COST


def test_what_was_found_beside_a_busy_neighbour_is_held_no_longer_than_he_was_there(monkeypatch):
    clock = Clock(monkeypatch, {ALL: 3, ONE: 1.2})
    team = Team(clock.limit, lambda: 2)
    assert clock.turns(team, 280)[-1] == ONE
    clock.seconds = {ALL: 1, ONE: 1.2}
    assert clock.turns(team, 420)[0] == ONE
    assert clock.turns(team, 100).count(ONE) <= 2 * TRIAL


def test_the_limit_is_lifted_after_every_turn_and_after_an_error(monkeypatch):
    clock = Clock(monkeypatch, {ALL: 1, ONE: 1})
    team = Team(clock.limit, lambda: 2)
    with pytest.raises(KeyError), team:
        raise KeyError
    assert clock.limits[-1] == ALL


def test_a_single_thread_is_left_alone(monkeypatch):
    clock = Clock(monkeypatch, {})
    with Team(clock.limit, lambda: 1):
        pass
    assert clock.limits == []


def test_the_limit_holds_for_this_thread_alone():
    if _kernels.KERNELS != "native":
        pytest.skip(reason="the NumPy twins run, on one thread")
    with pyvae.threads(2):
        runtime.limit_threads(1)
        try:
            assert pyvae.get_num_threads() == 2  # what is asked for, and what other threads use
        finally:
            runtime.limit_threads(0)
