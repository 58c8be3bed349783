"""Schedules: how the learning rate changes while training goes on.

A schedule is a function of the time: ``rate = schedule(epoch)``, with epoch the number of epochs done so far, a float
that is 0 at the first step and 2.5 in the middle of the third epoch. It is evaluated at every step. Any function will
do.
"""

import math
from dataclasses import dataclass

from pyvae.arguments import check_number


def as_schedule(learning_rate):
    """Return a function of the epoch as it is, and a number as a Constant. Raises ValueError for anything else."""
    return learning_rate if callable(learning_rate) else Constant(check_number("learning_rate", learning_rate, 0))


class Schedule:
    """The common part of the schedules, whose numbers do not change."""

    def _keep(self, **values):
        """Set checked values: a frozen dataclass refuses plain assignment."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate always. Raises ValueError unless rate > 0."""

    rate: float

    def __post_init__(self):
        self._keep(rate=check_number("rate", self.rate, 0))

    def __call__(self, epoch):
        return self.rate


@dataclass(frozen=True)
class StepDecay(Schedule):
    """rate * factor^n, where n is the number of epochs in ``at`` that are done.

    Raises ValueError unless rate > 0, 0 < factor < 1 and the epochs rise from above 0. Source: He et al. 2016, section
    4.2, among many.
    """

    rate: float
    factor: float
    at: tuple = (200, 350)

    def __post_init__(self):
        self._keep(rate=check_number("rate", self.rate, 0), factor=check_number("factor", self.factor, 0, 1))
        if not isinstance(self.at, tuple | list) or not self.at:
            raise ValueError(f"at must be a list of epochs, such as (200, 350), not {self.at!r}")
        at, last = [], 0.0
        for epoch in self.at:
            last = check_number("each epoch of at", epoch, last)
            at.append(last)
        self._keep(at=tuple(at))

    def __call__(self, epoch):
        return self.rate * self.factor ** sum(epoch >= start for start in self.at)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """rate * factor^epoch: multiplied by factor every epoch, smoothly.

    Raises ValueError unless rate > 0 and 0 < factor < 1. Source: Senior et al. 2013, who compare it with others.
    """

    rate: float
    factor: float

    def __post_init__(self):
        self._keep(rate=check_number("rate", self.rate, 0), factor=check_number("factor", self.factor, 0, 1))

    def __call__(self, epoch):
        return self.rate * self.factor**epoch


@dataclass(frozen=True)
class CosineDecay(Schedule):
    """floor + (rate - floor) (1 + cos(pi min(epoch / epochs, 1))) / 2: half a cosine, from rate down to floor.

    Raises ValueError unless rate > 0, epochs > 0 and 0 <= floor < rate. Source: Loshchilov and Hutter 2017, eq. 5,
    without the restarts.
    """

    rate: float
    epochs: float
    floor: float = 0.0

    def __post_init__(self):
        self._keep(rate=check_number("rate", self.rate, 0), epochs=check_number("epochs", self.epochs, 0))
        self._keep(floor=check_number("floor", self.floor, 0, self.rate, low_included=True))

    def __call__(self, epoch):
        share = min(epoch / self.epochs, 1.0)
        return self.floor + (self.rate - self.floor) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class WarmUp(Schedule):
    """schedule(epoch) * min(1, max(epoch / epochs, 1/100)): a line from 0 over the first epochs.

    At the first step epoch is 0; the factor is never below a hundredth, so that this step is not lost. Raises
    ValueError unless epochs > 0 and schedule is a schedule. Source: Goyal et al. 2017, section 2.2.
    """

    schedule: Schedule
    epochs: float

    def __post_init__(self):
        if not callable(self.schedule):
            raise ValueError(f"schedule must be a schedule, such as Constant(1e-3), not {self.schedule!r}")
        self._keep(epochs=check_number("epochs", self.epochs, 0))

    def __call__(self, epoch):
        return self.schedule(epoch) * min(1.0, max(epoch / self.epochs, 0.01))
