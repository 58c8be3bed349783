"""Copies of what training changes, to return to: the start of the current epoch, and the best epoch."""

import contextlib
import math


class EpochStart:
    """A copy of the weights, Adam's means and its number of steps, which ``take`` makes at the start of an epoch.

    epoch: the number of epochs trained by then.
    """

    def __init__(self, optimizer, epoch):
        self.optimizer = optimizer
        self.arrays = (optimizer.parameters.values, optimizer.m, optimizer.v)
        self.copies = [array.copy() for array in self.arrays]
        self.t, self.epoch = optimizer.t, epoch

    def take(self, epoch):
        for array, copy in zip(self.arrays, self.copies, strict=True):
            copy[...] = array
        self.t, self.epoch = self.optimizer.t, epoch

    def put_back(self):
        for array, copy in zip(self.arrays, self.copies, strict=True):
            array[...] = copy
        self.optimizer.t = self.t

    @contextlib.contextmanager
    def restored(self):
        """Inside the block everything is as it was then; after the block it is as it is now."""
        now = EpochStart(self.optimizer, self.epoch)
        self.put_back()
        try:
            yield
        finally:
            now.put_back()


class BestEpoch:
    """The epoch with the lowest validation loss, its weights, and how long ago it was.

    Epochs are counted from 1. Those that begin before the objective is ``settled`` (a function of the epochs done) do
    not compete: in a KL warm-up the KL is cheap, and training is not for the ELBO yet.
    """

    def __init__(self, parameters, settled):
        self.parameters, self.weights, self.settled = parameters, parameters.values.copy(), settled
        self.loss, self.number = math.inf, None

    def see(self, epoch, val_loss):
        """Keep the weights if they are those of the best epoch so far."""
        if val_loss < self.loss and self.settled(epoch - 1):
            self.loss, self.number = val_loss, epoch
            self.weights[...] = self.parameters.values

    def put_back(self):
        """Give the model the best epoch's weights."""
        self.parameters.values[...] = self.weights

    def age(self, epoch):
        """Epochs since the best one; before there is one, epochs since the objective settled."""
        return epoch - self.number if self.number else sum(map(self.settled, range(epoch)))
