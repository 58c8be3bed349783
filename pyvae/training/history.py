"""The record of a training: a row of numbers for each epoch, and how it ended."""

import csv
import io

COLUMNS = (
    "epoch", "train_loss", "train_reconstruction", "train_kl", "val_loss", "val_reconstruction", "val_kl",
    "learning_rate", "grad_norm", "seconds",
)  # fmt: skip


class History:
    """The record of a training: ``history["train_loss"]`` is a list with one number per epoch.

    reconstruction is -log p(x|z) and kl the KL divergence, means over rows, in nats; train_loss is the objective's: for
    the ELBO, reconstruction + beta kl, averaged over the epoch's steps while the weights moved (and beta rose, in a KL
    warm-up); val_loss has beta = 1 (NaN without validation rows); learning_rate is that of the epoch's last step;
    grad_norm is the mean over the steps of the gradient's Euclidean norm, before it is clipped; seconds are those of
    the epoch.

    best_epoch: the epoch, counted from 1, whose weights the model ends with, if one was chosen: the best one by a
    validation_fraction, or the last one before numbers stopped being finite. stopped: why training ended, "epochs" (all
    done), "patience", "interrupted", "callback" or "not finite"; None while it goes on. advice: sentences on what may
    have spoiled it, once it has ended (advice.py).
    """

    def __init__(self):
        self.epochs = []  # a dict per epoch
        self.best_epoch = None
        self.stopped = None
        self.advice = []

    def __len__(self):
        return len(self.epochs)

    def __getitem__(self, column):
        return [epoch[column] for epoch in self.epochs]

    def append(self, **values):
        """Add an epoch: a value for every column."""
        self.epochs.append({column: values[column] for column in COLUMNS})

    def to_csv(self):
        """The table as .csv text, a line per epoch, with numbers as short as possible without loss."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.epochs)
        return text.getvalue()

    @classmethod
    def from_csv(cls, text):
        """The History whose table this is; how it ended is not in it. Raises ValueError where it is no such table."""
        history, reader = cls(), csv.DictReader(io.StringIO(text))
        if not set(COLUMNS) <= set(reader.fieldnames or ()):
            raise ValueError(f"a history has the columns {', '.join(COLUMNS)}")
        for row in reader:
            history.append(**{column: float(row[column]) for column in COLUMNS} | {"epoch": int(row["epoch"])})
        return history
