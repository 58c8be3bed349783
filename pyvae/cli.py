"""The command line: ``pyvae train | sample | reconstruct | check | info``.

Whatever is wrong with a command line or its data is said in one sentence on standard error, with exit status 2 and
nothing written. ``check`` exits with 1 where a gradient is wrong.
"""

import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pyvae import _kernels, datasets, persistence, pictures, plots, training, versions
from pyvae.data import ArraySource, check_support
from pyvae.gradcheck import GradientError, check_gradients
from pyvae.model import VAE
from pyvae.options import make_parser

RUN_FILES = ("model.safetensors", "history.csv", *pictures.NAMES)


class Refusal(Exception):
    """What the user asked for cannot be done; the message is one sentence that says why."""


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
    model.metadata = {"binarize": dataset.train.binarize}
    if options.data in datasets.NAMES:
        model.metadata["data"] = options.data
    if dataset.image_shape:
        model.metadata["image_shape"] = [int(side) for side in dataset.image_shape]
        model.metadata["value_range"] = dataset.value_range()
    rows, validation = training.split(dataset.train, None, options.validation_fraction, options.seed, model.n_features)
    split, reported = next(
        (name, source)
        for name, source in (("test", dataset.test), ("validation", validation), ("train", rows))
        if source is not None
    )
    check_support(reported, model.likelihood)

    say = (lambda text: None) if options.quiet or options.json else print
    layers = "-".join(str(n) for n in (model.n_features, *options.hidden, options.latent))
    say(f"data     {dataset.name}: {len(dataset.train)} rows of {model.n_features} columns")
    say(f"model    {layers} {options.activation}, {options.likelihood}, {model.parameters.count:,} parameters")
    say(f"kernels  {describe_kernels()}")
    start = time.perf_counter()
    epochs = options.epochs or dataset.epochs
    history = training.train(
        model, rows, epochs=epochs, batch_size=options.batch_size, learning_rate=options.lr, beta=options.beta,
        X_val=dataset.test if validation is None else validation, seed=options.seed,
        progress=not (options.quiet or options.json),
    )  # fmt: skip
    reconstruction, kl = training.evaluate(model, reported, options.seed)
    if not np.isfinite(reconstruction + kl):
        raise Refusal(
            f"the trained model has an ELBO of {-(reconstruction + kl)}; nothing was saved: try a smaller --lr"
        )
    seconds = time.perf_counter() - start

    out.mkdir(parents=True, exist_ok=True)
    for name in RUN_FILES:
        (out / name).unlink(missing_ok=True)  # with --force: nothing of another run stays beside this one's files
    persistence.save(model, out / "model.safetensors")
    persistence.write_file(out / "history.csv", history.to_csv().encode())
    drawn = pictures.save(model, history, reported, pictures.labels_of(dataset, reported), out)
    say(f"wrote    {', '.join(['model.safetensors', 'history.csv', *drawn])} in {out}")
    if options.json:
        print(json.dumps({
            "test_elbo": -(reconstruction + kl), "test_reconstruction": reconstruction, "test_kl": kl, "split": split,
            "epochs": epochs, "seconds": seconds, "precision": options.precision, "out": str(out),
        }))  # fmt: skip
    else:
        print(f"{split} ELBO {-(reconstruction + kl):.2f} nats (reconstruction {reconstruction:.2f}, KL {kl:.2f})")
    return 0


def refuse_existing_run(out, force):
    """Whether the folder can take a run is tried before an hour of training, not after; nothing stays of the trial."""
    if out.exists() and not out.is_dir():
        raise Refusal(f"--out {out} is a file; it must be a folder")
    there = [name for name in RUN_FILES if (out / name).exists()]
    if there and not force:
        raise Refusal(f"--out {out} holds {there[0]} already; add --force to overwrite it, or choose another folder")
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise Refusal(f"--out {out} cannot be written to: {error.strerror}") from error
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):
                folder.rmdir()


def run_sample(options):
    model = persistence.load(options.model)
    out = output_file(options, model, "samples")
    rows = model.sample(options.n, options.seed, mean=not options.draw)
    write_rows(out, rows, lambda: plots.image_grid(rows, *pictures.settings(model)))
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
    write_rows(out, reconstructed, lambda: plots.reconstructions(originals.X, reconstructed, *pictures.settings(model)))
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
    options = make_parser(
        train=run_train, sample=run_sample, reconstruct=run_reconstruct, check=run_check, info=run_info
    ).parse_args(argv)
    try:
        with _kernels.set_matmul_precision(getattr(options, "precision", "highest")):
            return options.run(options)
    except MemoryError as error:
        print(f"pyvae {options.command}: not enough memory for these sizes: {error}", file=sys.stderr)
        return 2
    except (Refusal, ValueError, TypeError, OSError, ImportError, ArithmeticError) as error:
        print(f"pyvae {options.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"pyvae {options.command}: stopped, nothing was saved", file=sys.stderr)
        return 130
