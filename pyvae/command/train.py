"""``pyvae train``: from the options of a command line to the folder of a run."""

import contextlib
import sys
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pyvae import _kernels, persistence
from pyvae.command import pictures, runs
from pyvae.command.advice import name_options
from pyvae.command.descriptions import describe_rows, describe_target
from pyvae.command.inputs import check_values, describe_data, load_training, log_scale, suited, without_number
from pyvae.command.labels import classes_of, take_labels, told_of
from pyvae.command.new_models import hidden_sizes, new_likelihood, new_model
from pyvae.command.objective import new_objective
from pyvae.command.outputs import counted, in_bits, refuse_inputs, tell, writing
from pyvae.command.reference import Reference
from pyvae.command.refusals import Refusal
from pyvae.command.resuming import resumed
from pyvae.command.training_advice import default_epochs, training_advice
from pyvae.command.training_options import learning_rate
from pyvae.data import datasets
from pyvae.data.sources import DataSource
from pyvae.models.standardized import StandardizedVAE
from pyvae.models.vae import VAE
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.terms import Objective
from pyvae.training import loop as training
from pyvae.training.checkpoints import Checkpoints, CheckpointWarning
from pyvae.versions import kernels_in_words

# Options that a resumed run does not take over.
OF_THIS_COMMAND = {"run", "parser", "words", "command", "out", "force", "resume", "checkpoint_seconds"}
OF_THIS_COMMAND |= {"threads", "quiet", "json"}

SCALED = (
    "losses are of columns of standard deviation 1, the result is of the values as given; a negative loss is no error: "
    "the density of a number can be above 1"
)


class Job(NamedTuple):
    """A model and the rows it meets."""

    dataset: datasets.Dataset
    model: VAE
    rate: object  # a number or a schedule
    objective: Objective
    rows: DataSource  # to train on
    held_out: DataSource | None  # of the data set's training rows
    validation: DataSource | None  # held_out, or a split of the data set
    split: str  # the name of the rows that the result is reported on
    reported: DataSource  # those rows
    scored: DataSource  # the same without a number beside them, for log p(x)

    @property
    def validated(self):
        """The name of the rows of val_loss; None without such rows."""
        return "validation" if self.validation is not None else "test" if self.dataset.test is not None else None


def run_train(options):
    given, options.data = options.data, options.data or "digits"
    out = options.out or Path("runs") / datasets.name_of(options.data)
    checkpoints = Checkpoints(out / runs.CHECKPOINTS, options.checkpoint_seconds, overwrite=True)
    began = None
    if options.resume:
        options, began = resumed(options, given, checkpoints)
    with _kernels.set_matmul_precision(options.precision), contextlib.ExitStack() as closing:
        job = prepare(options, out, is_resumed=began is not None)
        run = Run(options, job, out, checkpoints, began)
        closing.callback(run.close)
        run.describe()
        start = time.perf_counter()
        run.train()
        reconstruction, kl = run.evaluate()
        seconds = time.perf_counter() - start
        elbo, history = -(reconstruction + kl), run.history
        told, found = told_of(job.model, job.dataset, job.reported), {}
        result = f"{job.split} ELBO {elbo:.2f} nats (reconstruction {reconstruction:.2f}, KL {kl:.2f})"
        result += in_bits(job.model, elbo)
        if told is not None:
            result, found = f"{told}\n{result}", told.result()
        run.save(result)
    tell(
        options, result,
        test_elbo=elbo, test_reconstruction=reconstruction, test_kl=kl, split=job.split, epochs=len(history),
        best_epoch=history.best_epoch, stopped=history.stopped, seconds=seconds, precision=options.precision,
        advice=run.advice, **found, out=str(out),
    )  # fmt: skip
    if run.log.is_quiet:
        for sentence in run.advice:
            print(f"pyvae train: {sentence}", file=sys.stderr)
    if run.failure is not None:
        print(f"pyvae train: {name_options(str(run.failure))}; they are in {out}", file=sys.stderr)
        return 3
    if history.stopped == "interrupted":
        learned = counted(len(history), "epoch")
        print(f"pyvae train: interrupted; what was learned in {learned} is in {out}", file=sys.stderr)
        return 130
    return 0


def prepare(options, out, is_resumed):
    """The Job that options ask for, or a refusal if something is wrong with it; nothing is written."""
    if options.patience and not options.validation_fraction:
        raise Refusal("--patience needs rows to validate on: add --validation-fraction, such as 0.1")
    options.hidden = hidden_sizes(options)
    dataset = load_training(options)
    if options.binarize:
        for source in dataset.splits().values():
            source.binarize = None if options.binarize == "none" else options.binarize
    take_labels(dataset, options)
    by_label = dataset.train.label is not None
    rows, held_out = training.split(dataset.train, None, options.validation_fraction, options.seed, by_label)
    n_trained = len(rows)
    options.epochs = options.epochs or default_epochs(dataset.epochs, n_trained, options)
    rate = learning_rate(options, options.epochs)
    objective = new_objective(options, n_trained)
    began_in_vain = set(runs.files_of_run(out)) <= {"config.json", "log.txt"}  # killed before its first checkpoint
    if options.resume and not is_resumed:
        if not (options.force or began_in_vain):
            raise Refusal(f"--out {out} has no checkpoint to resume from; --force begins anew")
        warnings.warn(f"no checkpoint in {out}: the run begins anew", CheckpointWarning, stacklevel=2)
    runs.refuse_existing_run(out, may_exist=options.force or is_resumed or (options.resume and began_in_vain))
    refuse_inputs([out / name for name in runs.FILES], [options.data])
    likelihood = new_likelihood(dataset, options)
    for source in dataset.splits().values():
        check_values(source, likelihood, advice=suited)
    model = new_model(dataset, likelihood, options, rows)
    model.check_objective(objective, n_trained)
    describe_data(model, options.data, dataset, options.drop)
    if options.labels is not None:
        model.metadata["classes"] = classes_of(dataset)
    validation = held_out or dataset.validation
    split, reported = next(
        (name, source)
        for name, source in (("test", dataset.test), ("validation", validation), ("train", rows))
        if source is not None
    )
    scored = without_number(model, reported)
    return Job(dataset, model, rate, objective, rows, held_out, validation, split, reported, scored)


class Run:
    """A training of a Job and what it leaves in its folder, which is opened when the first epoch is done."""

    def __init__(self, options, job, out, checkpoints, began):
        """began: the checkpoint from which it continues, or None."""
        self.options, self.job, self.out, self.checkpoints, self.began = options, job, out, checkpoints, began
        self.log = runs.Log(is_quiet=options.quiet or options.json)
        self.history = None  # until an epoch is done
        self.failure = None  # the FloatingPointError that ended it
        self.advice = []  # sentences, once it is evaluated
        self.is_open = False
        self.lock = None  # the descriptor that keeps other trainings out of the folder until ``close``
        checkpoints.configuration = {
            name: str(value) if isinstance(value, Path) else value
            for name, value in vars(options).items()
            if name not in OF_THIS_COMMAND
        }

    def describe(self):
        """Say which model is about to be trained on which rows."""
        options, model, say = self.options, self.job.model, self.log.say
        convolutions = [f"conv {channels}" for channels in options.conv or ()]
        layers = "-".join(map(str, (model.n_features, *convolutions, *options.hidden, options.latent)))
        say("data", describe_rows(self.job.dataset, self.job.held_out))
        likelihood, table = options.likelihood, self.job.dataset.table
        if table is not None:
            first, *others = table.describe(71)
            self.log.show(f"columns  {first}", *(" " * 9 + line for line in others))
            likelihood = "a likelihood of each column's kind"
        target = self.job.dataset.beside and self.job.dataset.beside.target
        if target:
            say("target", describe_target(target, model))
        if isinstance(model, StandardizedVAE) or (table is not None and table.log_scale().any()):
            say("scale", SCALED)
        say("model", f"{layers} {options.activation}, {likelihood}, {model.parameters.count:,} parameters")
        if repr(self.job.objective) != repr(ELBO()):
            say("loss", f"{self.job.objective}")
        say("kernels", kernels_in_words())
        if self.began is not None:
            say("resumed", f"from {self.began}")

    def train(self):
        """Train, and set ``history``. Raises KeyboardInterrupt or FloatingPointError where nothing was learned."""
        options, job = self.options, self.job
        try:
            self.history = training.train(
                job.model, job.dataset.train, epochs=options.epochs, batch_size=options.batch_size,
                learning_rate=job.rate, objective=job.objective,
                X_val=None if job.held_out else job.validation or job.dataset.test,
                validation_fraction=options.validation_fraction, seed=options.seed,
                progress=not (options.quiet or options.json), weight_decay=options.weight_decay,
                clip_norm=options.clip_norm, patience=options.patience,
                callbacks=[self._after_epoch], checkpoints=self.checkpoints, resume=self.began is not None,
            )  # fmt: skip
        except FloatingPointError as error:
            if self.history is None or self.history.best_epoch is None:
                self._discard()
                raise
            self.failure = error
        if not len(self.history):
            raise KeyboardInterrupt  # in the first epoch
        if not self.is_open:
            self._open()
            self.log.say("trained", f"nothing, as {counted(len(self.history), 'epoch')} are done already")

    def evaluate(self):
        """Means over the reported rows of -log p(x|z), of their values as given, and of the KL, nats; refuse a model
        whose means are not finite."""
        source = self.job.model.source(self.job.scored, training=True)
        reconstruction, kl = training.evaluate(self.job.model, source, self.options.seed)
        if not np.isfinite(reconstruction + kl):
            self._discard()
            raise self.failure or Refusal(
                f"the trained model has an ELBO of {-(reconstruction + kl)}; nothing was saved: try a smaller --lr"
            )
        self.advice = training_advice(self.history, self.options, len(self.job.rows))
        scale = log_scale(source, self.job.dataset.table)
        return reconstruction + float(scale.mean()), kl

    def save(self, result):
        """Fill the folder. result: the last lines of the log."""
        job, history, log, out = self.job, self.history, self.log, self.out
        if history.stopped != "epochs":
            log.say("stopped", f"{history.stopped}, after epoch {len(history)} of {self.options.epochs}")
        if history.best_epoch is not None:
            which = "the best on the validation rows" if self.failure is None else "the last that were good"
            log.say("kept", f"the weights of epoch {history.best_epoch}, {which}")
        for sentence in self.advice:
            log.say("advice", sentence)
        with writing(out, f"go on later from its last checkpoint, with pyvae train --resume --out {out}"):
            out.mkdir(parents=True, exist_ok=True)  # it may have been moved away or removed meanwhile
            persistence.write_file(out / "config.json", self._settings().encode())
            persistence.save(job.model, out / "model.safetensors")
            latent = job.model.aggregate_posterior(job.rows)
            persistence.write_file(out / runs.LATENT, latent.to_npz())
            persistence.write_file(out / "history.csv", history.to_csv().encode())
            reference = Reference.of(job.model, job.scored, held_out=job.split != "train")
            persistence.write_file(out / runs.REFERENCE, reference.to_npz())
            labels = pictures.labels_of(job.dataset, job.reported)
            drawn = pictures.save(job.model, latent, history, job.reported, labels, out, job.split, job.validated)
            names = ["model.safetensors", runs.LATENT, runs.REFERENCE, "history.csv", "config.json", "log.txt", *drawn]
            log.say("wrote", f"{', '.join(names)} in {out}")
            log.note(*result.splitlines())
            log.flush()

    def _open(self):
        try:
            with writing(self.out):
                is_resumed = self.began is not None
                self.lock = runs.begin(self.out, self.checkpoints, self._settings(), self.log, is_resumed)
        except Refusal:
            self.checkpoints.give_up()  # those of another run in the folder stay
            raise
        self.is_open = True
        self.log.note("epochs   loss (reconstruction, KL) in nats per row, learning rate, seconds")

    def _settings(self):
        job = self.job
        return runs.config(self.options, job)

    def _after_epoch(self, history):
        if not self.is_open:
            self._open()
        self.history = history
        self.log.note_epoch(history.epochs[-1], self.job.validated)

    def close(self):
        """Let other trainings into the folder."""
        persistence.unlock_folder(self.lock)

    def _discard(self):
        """Remove what it has written, unless it is a resumed run."""
        if self.is_open and self.began is None:
            runs.remove(self.out, self.checkpoints)
