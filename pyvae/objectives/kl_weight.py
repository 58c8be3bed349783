"""Weights of the KL that change while training goes on: functions of the epochs done so far.

A full weight from the first step on can leave the latent dimensions unused: the KL shrinks them before the decoder has
found out what they are good for. So the weight rises from 0, once or again and again.
"""

from pyvae.arguments import check_count, check_number


class LinearWarmUp:
    """beta min(1, epoch / epochs): a weight of the KL (in nats) that rises from 0 to beta over ``epochs`` epochs.

    Source: Bowman et al. 2016; Soenderby et al. 2016. Raises ValueError for a negative number.
    """

    def __init__(self, beta, epochs):
        self.beta = check_number("beta", beta, 0, low_included=True)
        self.epochs = check_number("epochs", epochs, 0, low_included=True)

    def __repr__(self):
        return f"LinearWarmUp({self.beta!r}, {self.epochs!r})"

    def __call__(self, epoch):
        return self.beta if self.settled(epoch) else self.beta * (epoch / self.epochs)

    def settled(self, epoch):
        """True once it has reached beta."""
        return epoch >= self.epochs


class Cyclical:
    """beta min(1, t / rise), t the share of a cycle that is done: from 0 to beta and on at beta, ``cycles`` times over
    ``epochs`` epochs; after the last one it stays at beta.

    Each cycle begins with latent dimensions that the one before has filled. rise: the share of a cycle in which the
    weight rises. Source: Fu et al. 2019, eq. 6. Raises ValueError for numbers out of range.
    """

    def __init__(self, beta, epochs, cycles=4, rise=0.5):
        self.beta = check_number("beta", beta, 0, low_included=True)
        self.epochs = check_number("epochs", epochs, 0)
        self.cycles = check_count("cycles", cycles, 1)
        self.rise = check_number("rise", rise, 0, 1)

    def __repr__(self):
        return f"Cyclical({self.beta!r}, {self.epochs!r}, {self.cycles!r}, {self.rise!r})"

    def __call__(self, epoch):
        if self.settled(epoch):
            return self.beta
        return self.beta * min(1.0, epoch * self.cycles / self.epochs % 1 / self.rise)

    def settled(self, epoch):
        """True once it has reached beta for the last time."""
        return epoch * self.cycles >= self.epochs * (self.cycles - 1 + self.rise)
