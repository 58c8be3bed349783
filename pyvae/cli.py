"""The command line: ``pyvae train | sample | reconstruct | encode | score | check | info``.

Whatever is wrong with a command line or its data is said in one sentence on standard error, with exit status 2 and
nothing written. ``check`` exits with 1 where a gradient is wrong, and a training that was interrupted with 130. With
``--json`` a command prints one JSON object on standard output and nothing else.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from pyvae import _kernels, datasets, persistence, pictures, plots, training, versions
from pyvae.advice import name_options
from pyvae.arguments import either
from pyvae.data import ArraySource
from pyvae.gradcheck import GradientError, check_gradients
from pyvae.inputs import check_values, data_of, describe_data, load_model, load_rows, suited
from pyvae.model import VAE
from pyvae.options import Refusal, learning_rate, parse
from pyvae.outputs import output_file, refuse_inputs, write_rows, write_table, writing
from pyvae.runs import Log, config, refuse_existing_run

RUN_FILES = ("model.safetensors", "history.csv", "config.json", "log.txt", *pictures.NAMES)
MOST_PICTURES = 400  # rows in one .png file


def run_train(options):
    if options.patience and not options.validation_fraction:
        raise Refusal("--patience needs rows to validate on: add --validation-fraction, such as 0.1")
    dataset = datasets.load(options.data, options.image_shape)
    epochs = options.epochs = options.epochs or dataset.epochs
    rate = learning_rate(options, epochs)
    if options.binarize:
        for source in dataset.splits().values():
            source.binarize = None if options.binarize == "none" else options.binarize
    out = options.out or Path("runs") / dataset.name
    refuse_existing_run(out, RUN_FILES, options.force)
    refuse_inputs([out / name for name in RUN_FILES], [options.data])
    model = VAE.mlp(
        dataset.train.n_features, options.latent, options.hidden, options.activation, options.likelihood, options.seed
    )
    describe_data(model, options.data, dataset)
    for source in dataset.splits().values():
        check_values(source, model.likelihood, advice=suited)
    rows, held_out = training.split(dataset.train, None, options.validation_fraction, options.seed, model.n_features)
    validation = held_out or dataset.validation
    split, reported = next(
        (name, source)
        for name, source in (("test", dataset.test), ("validation", validation), ("train", rows))
        if source is not None
    )

    log = Log(is_quiet=options.quiet or options.json)
    layers = "-".join(str(n) for n in (model.n_features, *options.hidden, options.latent))
    log.say("data", describe_rows(dataset, held_out))
    log.say("model", f"{layers} {options.activation}, {options.likelihood}, {model.parameters.count:,} parameters")
    log.say("kernels", describe_kernels())
    start = time.perf_counter()
    history = training.train(
        model, dataset.train, epochs=epochs, batch_size=options.batch_size, learning_rate=rate, beta=options.beta,
        X_val=None if held_out else validation or dataset.test, validation_fraction=options.validation_fraction,
        seed=options.seed, progress=not (options.quiet or options.json), weight_decay=options.weight_decay,
        clip_norm=options.clip_norm, kl_warmup=options.kl_warmup, patience=options.patience,
    )  # fmt: skip
    if not len(history):
        raise KeyboardInterrupt  # of the first epoch: there is no result to report
    validated = "validation" if validation is not None else "test" if dataset.test is not None else None
    log.note_epochs(history, validated)
    reconstruction, kl = training.evaluate(model, reported, options.seed)
    if not np.isfinite(reconstruction + kl):
        raise Refusal(
            f"the trained model has an ELBO of {-(reconstruction + kl)}; nothing was saved: try a smaller --lr"
        )
    seconds = time.perf_counter() - start
    is_interrupted = history.stopped == "interrupted"
    if history.stopped != "epochs":
        log.say("stopped", f"{history.stopped}, after epoch {len(history)} of {epochs}")
    if history.best_epoch is not None:
        log.say("kept", f"the weights of epoch {history.best_epoch}, the best on the validation rows")

    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name in RUN_FILES:
            (out / name).unlink(missing_ok=True)  # with --force: nothing of another run stays beside this one's files
        persistence.save(model, out / "model.safetensors")
        persistence.write_file(out / "history.csv", history.to_csv().encode())
        settings = config(options, dataset, rows, validation, model, rate)
        persistence.write_file(out / "config.json", settings.encode())
        labels = pictures.labels_of(dataset, reported)
        drawn = pictures.save(model, history, reported, labels, out, split, validated)
        names = ["model.safetensors", "history.csv", "config.json", "log.txt", *drawn]
    log.say("wrote", f"{', '.join(names)} in {out}")
    result = f"{split} ELBO {-(reconstruction + kl):.2f} nats (reconstruction {reconstruction:.2f}, KL {kl:.2f})"
    log.note(result)
    with writing(out):
        persistence.write_file(out / "log.txt", log.text().encode())
    tell(
        options, result,
        test_elbo=-(reconstruction + kl), test_reconstruction=reconstruction, test_kl=kl, split=split,
        epochs=len(history), best_epoch=history.best_epoch, stopped=history.stopped, seconds=seconds,
        precision=options.precision, out=str(out),
    )  # fmt: skip
    if is_interrupted:
        print(
            f"pyvae train: interrupted; what was learned in {counted(len(history), 'epoch')} is in {out}",
            file=sys.stderr,
        )
    return 130 if is_interrupted else 0


def describe_rows(dataset, held_out):
    """How many rows and columns there are, which are not trained on, and what is made of their values."""
    source = dataset.train
    parts = [f"{dataset.name}: {counted(len(source), 'row')} of {counted(source.n_features, 'column')}"]
    if held_out is not None:
        parts.append(f"{len(held_out)} held out to validate on")
    parts += [f"{len(other)} {name}" for name, other in dataset.splits().items() if name != "train"]
    if source.binarize is not None:
        how = {"threshold": f"cut at {source.threshold:g}", "draw": "drawn afresh at every step"}[source.binarize]
        parts.append(f"black and white ({how})")
    return ", ".join(parts)


def counted(n, noun):
    """1 row, 2 rows."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def tell(options, sentence, **result):
    """Print a command's result: a sentence or, with --json, an object."""
    print(json.dumps(result) if options.json else sentence)


def run_sample(options):
    model = load_model(options.model)
    out = picture_file(options, model, "samples", options.n, [options.model])
    rows = model.sample(options.n, options.seed, mean=not options.draw)
    write_rows(out, rows, lambda: plots.image_grid(rows, *pictures.settings(model)))
    tell(options, f"wrote {counted(len(rows), 'sample')} to {out}", rows=len(rows), out=str(out))
    return 0


def run_reconstruct(options):
    model = load_model(options.model)
    data = data_of(options, model)
    split, source = load_rows(data, options.split, model)
    n = min(options.n, len(source))
    out = picture_file(options, model, "reconstructions", n, [options.model, data])
    originals = ArraySource(source.gather(np.arange(n)).x, name=source.name)
    reconstructed = model.reconstruct(originals)
    write_rows(out, reconstructed, lambda: plots.reconstructions(originals.X, reconstructed, *pictures.settings(model)))
    every = "all " if options.n > n > 1 else ""
    rows = counted(n, f"{split} row")
    tell(options, f"wrote reconstructions of {every}{rows} to {out}", rows=n, split=split, out=str(out))
    return 0


def run_encode(options):
    model = load_model(options.model)
    data = data_of(options, model)
    kinds = (".npz", ".csv", ".npy")
    out = output_file(options.out or Path("latents.npz"), kinds, options.force, [options.model, data])
    split, source = load_rows(data, options.split, model)
    mu, logvar = model.encode(source)
    write_table(out, {"mu": mu, "logvar": logvar}, alone="mu")
    what = "mu" if out.suffix == ".npy" else "mu and logvar"
    tell(
        options, f"wrote {what} of {counted(len(mu), f'{split} row')} to {out}",
        rows=len(mu), latent_dim=model.latent_dim, split=split, out=str(out),
    )  # fmt: skip
    return 0


def run_score(options):
    model = load_model(options.model)
    data = data_of(options, model)
    kinds = (".csv", ".npz", ".npy")
    out = output_file(options.out or Path("scores.csv"), kinds, options.force, [options.model, data])
    split, source = load_rows(data, options.split, model)
    if options.log_likelihood:
        score, samples = "log_likelihood", options.samples or 1000
        columns = {score: model.log_likelihood(source, samples, options.seed)}
    else:
        score, samples = "elbo", options.samples or 1
        reconstruction, kl = model.elbo_terms(source, samples, options.seed)
        columns = {score: -(reconstruction + kl), "reconstruction": reconstruction, "kl": kl}
    write_table(out, {"row": np.arange(len(source)), **columns}, alone=score)
    means = {name: float(values.mean()) for name, values in columns.items()}
    name = "log-likelihood" if options.log_likelihood else "ELBO"
    tell(
        options,
        f"{split} {name} {means[score]:.2f} nats, mean of {counted(len(source), 'row')}, "
        f"{counted(samples, 'sample')} each; wrote {out}",
        **means, split=split, rows=len(source), samples=samples, out=str(out),
    )  # fmt: skip
    return 0


def picture_file(options, model, stem, n, inputs):
    """``--out`` for n rows, which can be drawn where they are pictures and not too many."""
    is_picture = "image_shape" in model.metadata
    default = Path(f"{stem}{'.png' if is_picture else '.npy'}")
    out = output_file(options.out or default, (".png", ".npy"), options.force, inputs)
    if out.suffix == ".png" and not is_picture:
        raise Refusal(
            "--out must end in .npy: the model's rows are no pictures, as it was trained without --image-shape"
        )
    if out.suffix == ".png" and n > MOST_PICTURES:
        raise Refusal(f"-n {n} is too many for one picture, which holds {MOST_PICTURES}: use .npy, --out {stem}.npy")
    return out


def run_check(options):
    from pyvae.checkup import GROUPS

    if options.model:
        model = load_model(options.model)
        groups = {str(options.model): lambda: check_gradients(model, model.sample(4, mean=False))}
    else:
        groups = GROUPS
    say = (lambda text: None) if options.json else print
    say(f"kernels  {describe_kernels()}")
    errors, wrong = {}, []
    for title, run in groups.items():
        say(f"\n{title}")
        try:
            checks = run()
        except GradientError as error:
            say(error)
            wrong.append(title)
            continue
        errors[title] = max(check.error for check in checks)
        say("\n".join(map(str, checks) if options.verbose else summarize(checks)))
    sentence = f"{len(wrong)} of {len(groups)} groups are WRONG" if wrong else "every gradient agrees"
    tell(options, f"\n{sentence}", agrees=not wrong, wrong=wrong, errors=errors)
    return 1 if wrong else 0


def summarize(checks):
    """A line for each part: its tensors' greatest error."""
    parts = {}
    for check in checks:
        parts.setdefault(check.name.split(":")[0], []).append(check)
    for name, tensors in parts.items():
        compared, skipped = sum(c.compared for c in tensors), sum(c.skipped for c in tensors)
        error = max(c.error for c in tensors)
        kinks = f", {skipped} at kinks" if skipped else ""
        if error == 0:  # no finite difference is as good as that: what was compared has to be the same to the bit
            name, found = f"{name}: {', '.join(c.name.partition(': ')[2] for c in tensors)}", "exact"
        else:
            found = f"error {error:.1e}"
        yield f"  {name:<42} {found}  ({compared} compared{kinks})"


def run_info(options):
    if options.json:
        print(json.dumps(versions.versions()))
    else:
        versions.show_versions()
    return 0


def describe_kernels():
    info = _kernels.info()
    if info["isa"] is None:
        return info["kernels"]
    threads = counted(info["threads"], "thread") if info["openmp"] else "1 thread (built without OpenMP)"
    return f"{info['kernels']}, {info['isa']}, {threads}"


COMMANDS = {
    "train": run_train,
    "sample": run_sample,
    "reconstruct": run_reconstruct,
    "encode": run_encode,
    "score": run_score,
    "check": run_check,
    "info": run_info,
}


def main(argv=None):
    """Run a command line; returns the exit status."""
    options = parse(argv, COMMANDS)
    try:
        if getattr(options, "threads", None):
            _kernels.set_num_threads(options.threads)
        with _kernels.set_matmul_precision(getattr(options, "precision", "highest")):
            status = options.run(options)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has seen enough, as in pyvae check | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at the end would fail again
        return 141  # as of a program that SIGPIPE ends
    except (MemoryError, OverflowError):
        sizes = {"latent": "--latent", "hidden": "--hidden", "n": "-n", "samples": "--samples"}
        lower = either([option for name, option in sizes.items() if hasattr(options, name)] or ["the number of rows"])
        print(f"pyvae {options.command}: not enough memory: lower {lower}", file=sys.stderr)
        return 2
    except (Refusal, ValueError, TypeError, OSError, ImportError, ArithmeticError) as error:
        is_of_system = isinstance(error, OSError) and error.filename and error.strerror
        message = f"{error.filename}: {error.strerror}" if is_of_system else str(error)
        print(f"pyvae {options.command}: {name_options(message)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"pyvae {options.command}: stopped, nothing was saved", file=sys.stderr)
        return 130
