"""The command line: ``pyvae train | sample | reconstruct | check | info``.

Whatever is wrong with a command line or its data is said in one sentence on standard error, with exit status 2 and
nothing written. ``check`` exits with 1 where a gradient is wrong.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from pyvae import _kernels, datasets, persistence, plots, training, versions
from pyvae.data import ArraySource, check_support
from pyvae.gradcheck import GradientError, check_gradients
from pyvae.layers import ACTIVATIONS
from pyvae.likelihoods import LIKELIHOODS
from pyvae.model import VAE

PICTURED_ROWS = 24  # how many originals stand beside their reconstructions


class Refusal(Exception):
    """What the user asked for cannot be done; the message is one sentence that says why."""


class Parser(argparse.ArgumentParser):
    """Argparse, saying in one line what is wrong."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def count(least):
    def parse(text):
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}, not {text!r}")
        return value

    return parse


def number(low, high, low_included=False):
    def parse(text):
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not (low < value < high or (low_included and value == low)):
            kind = f"from {low:g}" if low_included else f"above {low:g}"
            limit = "" if high == float("inf") else f" and below {high:g}"
            raise argparse.ArgumentTypeError(f"must be a number {kind}{limit}, not {text!r}")
        return value

    return parse


def sizes(text):
    parts = [count(1)(part) for part in text.split(",")] if text else []
    return tuple(parts)


def make_parser():
    parser = Parser(prog="pyvae", description="Variational autoencoders in NumPy, on multicore CPU kernels.")
    parser.add_argument("--version", action="version", version=f"pyvae {versions.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    train = commands.add_parser(
        "train",
        help="train a model and leave it, its history and pictures in a folder",
        description="Train a variational autoencoder. Example: pyvae train mnist --hidden 400 --latent 20 --epochs 10",
    )
    train.set_defaults(run=run_train)
    train.add_argument(
        "data",
        nargs="?",
        default="digits",
        metavar="DATA",
        help="digits (default), mnist, fashion-mnist, or a .npy file",
    )
    infinity = float("inf")
    train.add_argument("--out", type=Path, metavar="DIR", help="the run's folder (default: runs/NAME)")
    train.add_argument("--force", action="store_true", help="overwrite a run that is in --out")
    train.add_argument("--latent", type=count(1), default=20, metavar="N", help="latent dimensions (default: 20)")
    train.add_argument(
        "--hidden",
        type=sizes,
        default=(400,),
        metavar="N,N",
        help="sizes of the encoder's hidden layers (default: 400)",
    )
    train.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="of the hidden layers (default: relu)")
    train.add_argument(
        "--likelihood", choices=LIKELIHOODS, default="bernoulli", help="of the data (default: bernoulli)"
    )
    train.add_argument(
        "--binarize",
        choices=("none", "threshold", "draw"),
        help="black and white: cut at 0.5 (default for digits), or drawn at every step",
    )
    train.add_argument(
        "--epochs", type=count(1), metavar="N", help="passes over the rows (default: digits 300, else 10)"
    )
    train.add_argument("--batch-size", type=count(1), default=128, metavar="N", help="rows a step (default: 128)")
    train.add_argument("--lr", type=number(0, infinity), default=1e-3, metavar="X", help="Adam's (default: 0.001)")
    train.add_argument(
        "--beta", type=number(0, infinity, True), default=1.0, metavar="X", help="weight of the KL (default: 1)"
    )
    train.add_argument(
        "--validation-fraction", type=number(0, 1, True), default=0.0, metavar="X",
        help="share of the training rows to validate on (default: 0; the test split is then reported instead)",
    )  # fmt: skip
    train.add_argument("--seed", type=count(0), default=0, metavar="N", help="of everything random (default: 0)")
    add_common(train)

    sample = commands.add_parser(
        "sample",
        help="generate new rows",
        description="Generate new rows from a model. Example: pyvae sample runs/digits/model.safetensors -n 100",
    )
    sample.set_defaults(run=run_sample)
    sample.add_argument("model", type=Path, metavar="MODEL", help="a model.safetensors file")
    sample.add_argument("-n", type=count(1), default=64, metavar="N", help="how many (default: 64)")
    sample.add_argument("--draw", action="store_true", help="draw rows from p(x|z) instead of showing its mean")
    sample.add_argument("--seed", type=count(0), default=0, metavar="N", help="of everything random (default: 0)")
    add_output(sample, "samples")

    reconstruct = commands.add_parser(
        "reconstruct",
        help="encode and decode rows, beside the originals",
        description="Encode rows and decode them again. Example: pyvae reconstruct runs/mnist/model.safetensors",
    )
    reconstruct.set_defaults(run=run_reconstruct)
    reconstruct.add_argument("model", type=Path, metavar="MODEL", help="a model.safetensors file")
    reconstruct.add_argument(
        "data", nargs="?", metavar="DATA", help="as for train (default: what the model was trained on), its test split"
    )
    reconstruct.add_argument("-n", type=count(1), default=48, metavar="N", help="how many rows (default: the first 48)")
    add_output(reconstruct, "reconstructions")

    check = commands.add_parser(
        "check",
        help="check every gradient against finite differences",
        description="Check the gradients of every part of the library, or of one model. Example: pyvae check",
    )
    check.set_defaults(run=run_check)
    check.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a model.safetensors file (default: all parts)"
    )
    check.add_argument("--verbose", action="store_true", help="a line for every tensor")

    info = commands.add_parser("info", help="versions, kernels, instruction set, threads")
    info.set_defaults(run=run_info)
    return parser


def add_common(parser):
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, only the result")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_output(parser, stem):
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"a .png picture or a .npy array (default: {stem}.png, or .npy)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file --out")


def run_train(options):
    dataset = datasets.load(options.data)
    if options.binarize:
        for source in filter(None, (dataset.train, dataset.test)):
            source.binarize = None if options.binarize == "none" else options.binarize
    out = options.out or Path("runs") / dataset.name
    refuse_existing_run(out, options.force)
    if options.threads:
        _kernels.set_num_threads(options.threads)
    model = VAE.mlp(
        dataset.train.n_features, options.latent, options.hidden, options.activation, options.likelihood, options.seed
    )
    model.metadata = {"data": dataset.name, "binarize": dataset.train.binarize}
    if dataset.image_shape:
        model.metadata["image_shape"] = [int(side) for side in dataset.image_shape]
        model.metadata["value_range"] = dataset.value_range()
    if dataset.test is not None:
        check_support(dataset.test, model.likelihood)

    say = (lambda text: None) if options.quiet or options.json else print
    layers = "-".join(str(n) for n in (model.n_features, *options.hidden, options.latent))
    say(f"data     {dataset.name}: {len(dataset.train)} rows of {model.n_features} columns")
    say(f"model    {layers} {options.activation}, {options.likelihood}, {model.parameters.count:,} parameters")
    say(f"kernels  {describe_kernels()}")
    start = time.perf_counter()
    epochs = options.epochs or dataset.epochs
    history = training.train(
        model, dataset.train, epochs=epochs, batch_size=options.batch_size, learning_rate=options.lr,
        beta=options.beta, X_val=None if options.validation_fraction else dataset.test,
        validation_fraction=options.validation_fraction, seed=options.seed,
        progress=not (options.quiet or options.json),
    )  # fmt: skip
    split, rows = ("test", dataset.test) if dataset.test is not None else ("train", dataset.train)
    reconstruction, kl = training.evaluate(model, rows, options.seed)
    seconds = time.perf_counter() - start

    out.mkdir(parents=True, exist_ok=True)
    persistence.save(model, out / "model.safetensors")
    persistence.write_file(out / "history.csv", history.to_csv().encode())
    pictures = save_pictures(model, history, rows, out)
    say(f"wrote    {', '.join(['model.safetensors', 'history.csv', *pictures])} in {out}")
    if options.json:
        print(json.dumps({
            f"{split}_elbo": -(reconstruction + kl), f"{split}_reconstruction": reconstruction, f"{split}_kl": kl,
            "split": split, "epochs": epochs, "seconds": seconds, "out": str(out),
        }))  # fmt: skip
    else:
        print(f"{split} ELBO {-(reconstruction + kl):.2f} nats (reconstruction {reconstruction:.2f}, KL {kl:.2f})")
    return 0


def refuse_existing_run(out, force):
    """Whether the folder can take a run is asked before an hour of training, not after."""
    if out.exists() and not out.is_dir():
        raise Refusal(f"--out {out} is a file; it must be a folder")
    if (out / "model.safetensors").exists() and not force:
        raise Refusal(f"--out {out} holds a run already; add --force to overwrite it, or choose another folder")
    folder = out.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise Refusal(f"--out {out} cannot be made: {folder} is not a folder that may be written to")


def save_pictures(model, history, rows, out):
    """Write the run's pictures; returns their names. Without matplotlib: none, and a word about it."""
    try:
        figures = {"learning_curves.png": plots.learning_curves(history)}
        if "image_shape" in model.metadata:
            originals = rows.gather(np.arange(min(PICTURED_ROWS, len(rows)))).x
            figures["samples.png"] = plots.image_grid(model.sample(64, seed=0), *picture_settings(model))
            figures["reconstructions.png"] = plots.reconstructions(
                originals, model.reconstruct(originals), *picture_settings(model)
            )
    except ImportError as error:
        print(f"pyvae: {error}", file=sys.stderr)
        return []
    for name, figure in figures.items():
        figure.savefig(out / name)
    return list(figures)


def picture_settings(model):
    """Image shape and value range for the functions of plots."""
    return model.metadata["image_shape"], model.metadata["value_range"]


def run_sample(options):
    model = persistence.load(options.model)
    out = output_file(options, model, "samples")
    rows = model.sample(options.n, options.seed, mean=not options.draw)
    write_rows(out, rows, lambda: plots.image_grid(rows, *picture_settings(model)))
    print(f"wrote {len(rows)} samples to {out}")
    return 0


def run_reconstruct(options):
    model = persistence.load(options.model)
    data = options.data or model.metadata.get("data")
    if data is None:
        raise Refusal("DATA must be given: the model does not say what it was trained on")
    out = output_file(options, model, "reconstructions")
    dataset = datasets.load(data)
    source = dataset.train if dataset.test is None else dataset.test
    source.binarize = model.metadata.get("binarize")
    n = min(options.n, len(source))
    originals = ArraySource(source.gather(np.arange(n)).x, name="DATA")
    reconstructed = model.reconstruct(originals)
    write_rows(out, reconstructed, lambda: plots.reconstructions(originals.X, reconstructed, *picture_settings(model)))
    print(f"wrote {n} reconstructions to {out}")
    return 0


def output_file(options, model, stem):
    """The file to write, refused before any work where it cannot be."""
    is_picture = "image_shape" in model.metadata
    out = options.out or Path(f"{stem}.png" if is_picture else f"{stem}.npy")
    if out.suffix not in (".png", ".npy"):
        raise Refusal(f"--out must end in .png or .npy, not {out.name!r}")
    if out.suffix == ".png" and not is_picture:
        raise Refusal("--out must end in .npy: the model's rows are no pictures")
    if out.exists() and not options.force:
        raise Refusal(f"--out {out} exists; add --force to overwrite it, or choose another name")
    if not out.absolute().parent.is_dir():
        raise Refusal(f"--out {out} cannot be written: there is no folder {out.parent}")
    return out


def write_rows(out, rows, draw):
    if out.suffix == ".npy":
        np.save(out, rows)
    else:
        draw().savefig(out)


def run_check(options):
    from pyvae.checkup import GROUPS

    print(f"kernels  {describe_kernels()}")
    if options.model:
        model = persistence.load(options.model)
        groups = {str(options.model): lambda: check_gradients(model, model.sample(4, mean=False))}
    else:
        groups = GROUPS
    wrong = 0
    for title, run in groups.items():
        print(f"\n{title}")
        try:
            checks = run()
        except GradientError as error:
            print(error)
            wrong += 1
            continue
        print("\n".join(map(str, checks) if options.verbose else summarize(checks)))
    print(f"\n{wrong} of {len(groups)} groups are WRONG" if wrong else "\nevery gradient agrees")
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
        yield f"  {name:<42} error {error:.1e}  ({compared} compared{kinks})"


def run_info(options):
    versions.show_versions()
    return 0


def describe_kernels():
    info = _kernels.info()
    if info["isa"] is None:
        return info["kernels"]
    threads = f"{info['threads']} thread{'s' if info['threads'] > 1 else ''}"
    return f"{info['kernels']}, {info['isa']}, {threads if info['openmp'] else '1 thread (built without OpenMP)'}"


def main(argv=None):
    """Run a command line; returns the exit status."""
    options = make_parser().parse_args(argv)
    try:
        return options.run(options)
    except (Refusal, ValueError, TypeError, OSError, ImportError, FloatingPointError) as error:
        print(f"pyvae {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"pyvae {options.command}: stopped, nothing was saved", file=sys.stderr)
        return 130
