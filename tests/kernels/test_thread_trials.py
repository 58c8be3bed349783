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


@pytest.mark.parametrize(("quicker", "seconds"), [(ALL, {ALL: 1, ONE: 1.3}), (ONE, {ALL: 1.3, ONE: 1})])
def test_the_quicker_one_is_used_after_both_were_tried(quicker, seconds, monkeypatch):
    clock = Clock(monkeypatch, seconds)
    used = clock.turns(Team(clock.limit, lambda: 2), 1000)
    trial = [ALL] * TRIAL + [ONE] * TRIAL
    for pause in (thread_trials.SHORTEST, 2 * thread_trials.SHORTEST, 4 * thread_trials.SHORTEST):
        assert used[: 2 * TRIAL] == trial
        assert used[2 * TRIAL :][:pause] == [quicker] * pause
        used = used[2 * TRIAL + pause :]


def test_what_was_found_beside_a_busy_neighbour_is_held_no_longer_than_he_was_there(monkeypatch):
    clock = Clock(monkeypatch, {ALL: 3, ONE: 1.2})
    team = Team(clock.limit, lambda: 2)
    assert clock.turns(team, 300)[-1] == ONE
    clock.seconds = {ALL: 1, ONE: 1.2}
    assert clock.turns(team, 300)[0] == ONE
    assert clock.turns(team, 100).count(ONE) <= 2 * TRIAL


def test_a_steady_answer_is_seldom_doubted(monkeypatch):
    clock = Clock(monkeypatch, {ALL: 1, ONE: 2})
    team = Team(clock.limit, lambda: 2)
    clock.turns(team, 3000)
    used = clock.turns(team, 10000)
    assert 0.5 * thread_trials.COST < used.count(ONE) / len(used) <= thread_trials.COST


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
