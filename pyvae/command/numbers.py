"""Numbers on the command line: what a joint model (models/joint.py) tells of a column of a table."""

import numpy as np

from pyvae.command.inputs import number_beside
from pyvae.command.outputs import counted
from pyvae.command.refusals import Refusal
from pyvae.models.joint import expected_number, joint_likelihood, joint_parts, of_number, targets_of
from pyvae.models.vae import VAE

WEIGHT = 30.0  # of log p(y|z) in the loss, as the estimators have it


def check_number_options(options, beside):
    """Refuse options that do not fit the target, or go with a target of the other kind. beside: a Beside or None."""
    number = None if beside is None else beside.number
    if number is None:
        if options.target_weight is not None:
            what = f"{options.target} is one of classes, use --alpha" if options.target else "add --target"
            raise Refusal(f"--target-weight weighs what a column of numbers teaches: {what}")
        return
    if options.alpha is not None:
        raise Refusal(f"--alpha weighs what classes teach, and {options.target} is a number: use --target-weight")
    if options.posterior != "diagonal":
        raise Refusal(
            f"--posterior {options.posterior} goes without a --target of numbers, which is told from independent "
            "dimensions of z: leave it out"
        )


def likelihood_with_number(of_x, options):
    """The likelihood of the rows of a table and the number beside them."""
    weight = WEIGHT if options.target_weight is None else options.target_weight
    return joint_likelihood(of_x, of_number(), weight)


def new_joint_model(dataset, likelihood, options, prior):
    """A VAE of the rows of a table and the number beside them, with this likelihood."""
    first = dataset.table.first_layers()
    return VAE(*joint_parts(likelihood, options.latent, options.hidden, options.activation, first), prior, None,
               options.seed)  # fmt: skip


class ToldNumber:
    """The number that a model tells of each row of a DataSource, of which some may be known; in the column's unit.

    prediction, std: E[y|x] and its standard deviation, (N,) each. rmse, r2: the root mean squared error on the rows
    with a value, and the share of their variance that is explained; NaN without any, r2 also where they have none.
    """

    def __init__(self, model, source):
        column = number_beside(model)
        self.name, places = column.name, (column.mean, column.scale)
        self.prediction, self.std = expected_number(model, source, *places)
        y = column.mean + column.scale * targets_of(model, source)[:, 0]
        known = ~np.isnan(y)
        self.n_labelled, y = int(known.sum()), y[known]
        squares = (y - self.prediction[known]) ** 2
        self.rmse = float(np.sqrt(squares.mean())) if len(y) else np.nan
        self.r2 = float(1 - squares.mean() / y.var()) if len(y) and y.var() > 0 else np.nan

    def columns(self):
        """What is written of each row."""
        return {"prediction": self.prediction, "std": self.std}

    def result(self):
        """What --json says."""
        return {"rmse": self.rmse, "r2": self.r2, "labelled": self.n_labelled}

    def __str__(self):
        r2 = "" if np.isnan(self.r2) else f", R^2 {self.r2:.3f}"
        rows = counted(self.n_labelled, "labelled row")
        return f"{self.name}: root mean squared error {self.rmse:.4g}{r2}, of {rows}"
