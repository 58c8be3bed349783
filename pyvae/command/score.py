"""``pyvae score``: the score of every row, which rows are odd, and why."""

from pathlib import Path

import numpy as np

from pyvae.command.inputs import data_of, load_model, load_rows, log_scale, table_of, without_number
from pyvae.command.labels import told_by
from pyvae.command.outputs import counted, in_bits, output_file, tell, write_table
from pyvae.command.reference import SAMPLES, Reference, columns_of, surprise_of
from pyvae.command.refusals import Refusal
from pyvae.command.runs import REFERENCE
from pyvae.data.wrapped import Rows, SameNoise

MOST_SHOWN = 10  # rows
REASONS = 3  # columns that are named for a row
LEAST = 1.0  # nats above its median from which a column is a reason


def run_score(options):
    if options.why and options.flag is None:
        raise Refusal("--why says why rows are flagged: add --flag, such as --flag 0.05")
    model = load_model(options.model)
    reference = None if options.flag is None else load_reference(options)
    data = data_of(options, model)
    kinds = (".csv", ".npz", ".npy")
    out = output_file(options.out or Path("scores.csv"), kinds, options.force, [options.model, data])
    split, source = load_rows(data, options, model, labels=options.predict)
    told = told_by(model, source) if options.predict else None
    source.label = None  # scores are of log p(x), whatever else is known of a row
    source = without_number(model, source)
    scale = log_scale(source, table_of(model))
    if options.log_likelihood or reference:
        score, samples = "log_likelihood", options.samples or (SAMPLES if reference else 1000)
        rows = SameNoise(source) if reference else source  # so that no flag depends on a row's place
        columns = {score: model.log_likelihood(rows, samples, options.seed) - scale}
    else:
        score, samples = "elbo", options.samples or 1
        reconstruction, kl = model.elbo_terms(source, samples, options.seed)
        reconstruction += scale
        columns = {score: -(reconstruction + kl), "reconstruction": reconstruction, "kl": kl}
    means = {name: float(values.mean()) for name, values in columns.items()}
    flagged = Flagged(options, model, source, columns[score], reference) if reference else None
    columns |= (flagged.columns if flagged else {}) | (told.columns() if told else {})
    write_table(out, {"row": np.arange(len(source)), **columns}, alone=score)
    name = "log-likelihood" if score == "log_likelihood" else "ELBO"
    name = f"{split} {name}" if split else name
    sentence = (
        f"{name} {means[score]:.2f} nats{in_bits(model, means[score])}, mean of {counted(len(source), 'row')}, "
        f"{counted(samples, 'sample')} each; wrote {out}"
    )
    found = flagged.result if flagged else {}
    found |= told.result() if told else {}
    lines = [*(flagged.lines if flagged else []), *([str(told)] if told and told.n_labelled else [])]
    text = "\n".join([*lines, sentence])
    tell(options, text, **means, split=split, rows=len(source), samples=samples, **found, out=str(out))
    return 0


def load_reference(options):
    """The Reference of the run that the options name."""
    folder = options.model if options.model.is_dir() else options.model.parent
    if not (folder / REFERENCE).exists():
        raise Refusal(f"--flag needs {folder / REFERENCE}, which a run of an earlier version has not: train it anew")
    try:
        reference = Reference.from_npz(folder / REFERENCE)
    except ValueError as error:
        raise Refusal(f"{error}: train the run anew") from None
    if options.why and reference.surprise is None:
        raise Refusal("--why needs columns that are independent given z, which a multinomial's are not: leave it out")
    return reference


class Flagged:
    """The rows whose score is below that of all but a share ``--flag`` of the reference's rows, and why.

    columns: for the table of scores. lines: to show. result: for --json.
    """

    def __init__(self, options, model, source, scores, reference):
        threshold = float(np.quantile(reference.log_likelihood, options.flag))
        rows = np.flatnonzero(~(scores >= threshold))
        rows = rows[np.argsort(scores[rows], kind="stable")]  # the oddest first
        self.columns = {"flagged": np.isin(np.arange(len(scores)), rows).astype(int)}
        self.result = {
            "flagged": rows.tolist(), "threshold": threshold, "threshold_of_held_out_rows": reference.held_out
        }  # fmt: skip
        of = "not trained on" if reference.held_out else "trained on"
        self.lines = [
            f"flagged {len(rows)} of {counted(len(scores), 'row')}, below {threshold:.2f} nats, as a "
            f"share of {options.flag:.3g} of the rows {of} is"
        ]
        if not reference.held_out:
            self.lines.append("more of fresh rows will be: train with --validation-fraction 0.1 to prevent it")
        reasons = why(model, Rows(source, rows), reference, options.seed) if options.why else [{}] * len(rows)
        if options.why:
            self.result["why"] = [
                {"row": row, "columns": reason} for row, reason in zip(rows.tolist(), reasons, strict=True)
            ]
            texts = dict(zip(rows.tolist(), map(in_words, reasons), strict=True))
            self.columns["why"] = np.array([texts.get(row, "") for row in range(len(scores))])
        for row, reason in list(zip(rows, reasons, strict=True))[:MOST_SHOWN]:
            self.lines.append(shortened(f"  row {row:<8} {scores[row]:10.2f} nats  ", reason))
        if len(rows) > MOST_SHOWN:
            self.lines.append(f"  and {counted(len(rows) - MOST_SHOWN, 'row')} more")


def why(model, source, reference, seed):
    """For each row of a DataSource the columns that make it odd: {name: nats above the reference's median}, the oddest
    first."""
    if not len(source):
        return []
    names, _ = columns_of(model)
    above = surprise_of(model, source, SAMPLES, seed) - reference.surprise
    above = np.nan_to_num(above, nan=-np.inf)  # what is missing is no reason
    oddest = np.argsort(-above, axis=1, kind="stable")[:, :REASONS]
    return [
        {names[j]: float(row[j]) for j in columns if row[j] >= LEAST}
        for row, columns in zip(above, oddest, strict=True)
    ]


def shortened(line, reason):
    """A line with as many of the reasons as have a place in 80 columns."""
    for n in range(len(reason), 0, -1):
        whole = line + in_words(dict(list(reason.items())[:n]))
        if len(whole) <= 80:
            return whole
    return line.rstrip()


def in_words(reason):
    return "; ".join(f"{name} +{nats:.3g}" for name, nats in reason.items())
