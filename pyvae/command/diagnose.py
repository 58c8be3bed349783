"""``pyvae diagnose``: what went wrong in a run, by its model, its history and its rows."""

import json
import sys

import numpy as np

from pyvae import diagnosis_plots
from pyvae.command import pictures, runs
from pyvae.command.advice import name_options
from pyvae.command.inputs import are_same, as_trained_on, data_of, load_model, splits_of, trained_on
from pyvae.command.objective import new_objective
from pyvae.command.options import options_of_run
from pyvae.command.outputs import counted, tell, writing
from pyvae.command.refusals import Refusal
from pyvae.data.wrapped import Rows
from pyvae.diagnosis.diagnose import diagnose
from pyvae.training.history import History
from pyvae.training.loop import split


def run_diagnose(options):
    model = load_model(options.model)
    folder = options.model if options.model.is_dir() else options.model.parent
    asked, history = read_run(folder)
    data = data_of(options, model)
    out = options.out or folder / runs.DIAGNOSIS
    if out.exists() and not out.is_dir():
        raise Refusal(f"--out {out} is a file; it must be a folder")
    is_its_own = trained_on(options.model, model) is None or are_same(data, trained_on(options.model, model))
    rows, others = rows_of_run(data, model, asked, is_its_own)
    objective = new_objective(asked, len(rows))
    diagnosis = diagnose(model, rows, others, history, objective, asked.batch_size, options.seed)
    log = runs.Log(is_quiet=options.json)
    of = "trained on" if is_its_own else f"of {data}, which is not what the model was trained on"
    beside = f", and {counted(len(others), 'other row')}" if others is not None else "; no others, to tell over-fitting"
    log.say("rows", f"{counted(len(rows), 'row')} {of}{beside}")
    if history is None:
        log.say("history", f"no {folder / 'history.csv'}: a warm-up cannot be told, nor a learning rate well")
    for sign in diagnosis.signs:
        if sign.found:
            log.say("found" if sign is diagnosis.found[0] else "and also", f"{sign.fault}: {sign.evidence}")
            for remedy in sign.remedies:
                log.say("  try", name_options(remedy))
        elif options.all:
            log.say("no sign", f"{sign.fault}: {sign.evidence}")
    drawn = draw(diagnosis, out)
    if drawn:
        log.say("wrote", f"{', '.join(drawn)} in {out}")
    first = f"the fault to mend first: {diagnosis.fault}" if diagnosis.fault else "no fault was found"
    tell(
        options, first, fault=diagnosis.fault, found=[sign.fault for sign in diagnosis.found],
        signs={
            sign.fault: {"found": sign.found, "evidence": sign.evidence, "try": sign.remedies, **sign.numbers}
            for sign in diagnosis.signs
        },
        rows=len(rows), pictures=[str(out / name) for name in drawn],
    )  # fmt: skip
    return 0


def read_run(folder):
    """The options with which a run was asked for, and its History; defaults, and None, where the folder has no such
    files."""
    try:
        stored = json.loads((folder / "config.json").read_text())["options"]
    except FileNotFoundError:
        stored = {"epochs": 1}
    except (ValueError, KeyError) as error:
        raise Refusal(f"{folder / 'config.json'} is damaged: {error}") from None
    try:
        history = History.from_csv((folder / "history.csv").read_text())
    except FileNotFoundError:
        history = None
    except ValueError as error:
        raise Refusal(f"{folder / 'history.csv'} is damaged: {error}") from None
    return options_of_run(stored), history


def rows_of_run(data, model, asked, is_its_own):
    """The rows that the model was trained on and those that it was not, or None: the held-out share, or another split
    of the data. Of DATA that is not the run's own, the rows to train on."""
    splits = splits_of(data, model)
    name = "train" if "train" in splits else next(iter(splits))
    rows = as_trained_on(splits[name], data, model)
    if not is_its_own:
        return labelled(rows), None
    rows, others = split(rows, None, asked.validation_fraction, asked.seed)
    held_out = next((name for name in ("validation", "test") if name in splits), None)
    others = as_trained_on(splits[held_out], data, model) if others is None and held_out else others
    return labelled(rows), None if others is None else labelled(others)


def labelled(source):
    """The rows of a source with a number beside them, where some have one: losses of others cannot be compared."""
    some = source.marked is not None and source.marked.any()
    return Rows(source, np.flatnonzero(source.marked)) if some else source


def draw(diagnosis, out):
    """Write a picture of each fault that was found into the folder out, and remove those of a diagnosis before; return
    their names. Without matplotlib, write none and say so."""
    wanted = {diagnosis_plots.file_name(sign.fault): sign for sign in diagnosis.found}
    drawn = []
    with writing(out):
        for sign in diagnosis.signs:
            (out / diagnosis_plots.file_name(sign.fault)).unlink(missing_ok=True)
        for name, sign in wanted.items():
            try:
                figure = diagnosis_plots.picture(sign)
            except ImportError as error:
                print(f"pyvae: {error}", file=sys.stderr)
                return []
            if figure is not None:
                out.mkdir(parents=True, exist_ok=True)
                pictures.write(figure, out / name)
                drawn.append(name)
    return drawn
