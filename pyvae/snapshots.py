"""Copies of a model's weights to go back to: the last good ones, and the best ones."""

import math


class Snapshot:
    """The weights of an Arena as they were when ``take`` was called last, or at the start.

    epoch: how many epochs they had been trained for then.
    """

    def __init__(self, parameters, epoch=0):
        self.parameters, self.epoch = parameters, epoch
        self.values = parameters.values.copy()

    def take(self, epoch):
        self.values[...] = self.parameters.values
        self.epoch = epoch

    def put_back(self):
        self.parameters.values[...] = self.values


class BestEpoch:
    """The epoch with the lowest validation loss, its weights, and how long it was ago.

    Epochs are counted from 1. Those of the KL warm-up, the first ``kl_warmup``, do not compete: while the KL is cheap
    the ELBO is not what is trained for.
    """

    def __init__(self, parameters, kl_warmup):
        self.weights = Snapshot(parameters)
        self.warmup = math.ceil(kl_warmup)
        self.loss, self.number = math.inf, None

    def see(self, epoch, val_loss):
        """Keep the weights if they are those of the best epoch so far."""
        if epoch > self.warmup and val_loss < self.loss:
            self.loss, self.number = val_loss, epoch
            self.weights.take(epoch)

    def age(self, epoch):
        """Epochs since the best one, or since the end of the warm-up where there is none yet."""
        return epoch - (self.number or self.warmup)
