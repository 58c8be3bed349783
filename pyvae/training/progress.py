"""The progress bar of a training."""

import numpy as np
from tqdm import tqdm


class ProgressBar:
    """One line that counts rows over all epochs, with their smoothed ELBO, reconstruction and KL, in 80 columns."""

    AT_FIRST = "{desc} {percentage:3.0f}%|{bar}|"  # before there is a speed
    FORMAT = AT_FIRST + " {rate_noinv_fmt} {remaining} left"

    def __init__(self, epochs, n_rows, disable, done=0):
        """done: the number of epochs trained already."""
        self.epochs, self.smoothed = epochs, None
        self.bar = None if disable else tqdm(
            total=epochs * n_rows, initial=done * n_rows, unit="row", unit_scale=True, bar_format=self.AT_FIRST,
            ncols=79, mininterval=0.2, desc=f"{min(done + 1, epochs)}/{epochs}", delay=0,
        )  # fmt: skip

    def update(self, epoch, n_rows, reconstruction, kl):
        """Count n_rows more and take their mean terms, in nats, into the running ones."""
        if self.bar is None:
            return
        new = np.array([reconstruction, kl])
        self.smoothed = new if self.smoothed is None else 0.98 * self.smoothed + 0.02 * new
        rec, kl = self.smoothed
        self.bar.bar_format = self.FORMAT
        self.bar.desc = f"{epoch + 1}/{self.epochs} train ELBO {-(rec + kl):.1f} rec {rec:.1f} KL {kl:.1f}"
        self.bar.update(n_rows)

    def close(self):
        if self.bar is not None:
            self.bar.close()
