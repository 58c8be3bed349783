"""The message for a number in training that is not finite: its step, tensor and rows, and what to try."""

import math

import numpy as np

from pyvae.objectives.terms import kl_of_rows

MOST_ROWS = 5  # that the message names


def all_finite(values):
    """True if no element is infinite or NaN; allocates no array of this length."""
    return math.isfinite(values.min(initial=0)) and math.isfinite(values.max(initial=0))


def explain(loss, batch, terms, optimizer, epoch, step, last):
    """Describe in one sentence the step, counted from 0, in which the loss, the gradient or a weight is not finite.

    last: the epoch at whose end the model had the weights that training returns to; 0: training began with them.
    """
    parameters = optimizer.parameters
    weight = _first_name(parameters, lambda name: parameters[name])
    gradient = _first_name(parameters, parameters.grad)
    if weight is not None:
        what = f"the weight {weight}"
    elif gradient is not None:
        what = f"the gradient of {gradient}"
    else:
        what = "the norm of the gradient" if math.isfinite(loss) else "the loss"
    rows = _rows(batch, terms) if weight is None else ""  # which rows a weight spoils depends on their zeros
    where = f"{what} is not finite in epoch {epoch + 1}, step {step + 1}{rows}"
    reach = f"{np.abs(getattr(batch.x, 'values', batch.x)).max(initial=0):g}"
    if optimizer.t == 0:
        remedy = "begin with weights that are finite"
        if weight is None:
            remedy = f"scale the data, which reach {reach}, as pyvae.StandardizedVAE does"
        return f"{where}, before any weight has moved: {remedy}"
    return (
        f"{where}: try a smaller learning_rate than {optimizer.learning_rate:g}, a clip_norm, or scaling the data, "
        f"which reach {reach} there; the weights are again those "
        + (f"of the end of epoch {last}" if last else "that training began with")
    )


def _first_name(parameters, tensor):
    """The name of the first tensor that is not finite, or None."""
    return next((name for name in parameters.names if not all_finite(tensor(name))), None)


def _rows(batch, terms):
    """The row numbers, in brackets, of the rows whose own terms are not finite; an empty text without such rows."""
    finite = np.isfinite(terms.log_px).all(axis=1) & np.isfinite(kl_of_rows(terms))
    rows = [str(row) for row in np.sort(batch.rows[~finite])]
    if not rows:
        return ""
    more = f" and {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return f" ({'rows' if len(rows) > 1 else 'row'} {', '.join(rows[:MOST_ROWS])}{more})"
