"""The options of the command line: a list of all that each command takes."""

import argparse
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

from pyvae import versions
from pyvae._kernels import PRECISIONS
from pyvae.command.new_models import POSTERIORS, PRIORS
from pyvae.command.objective import add_objective
from pyvae.command.option_values import count, epochs_of_decay, image_shape, kinds, names, number, output_path, sizes
from pyvae.command.refusals import Parser, Refusal, refuse_rest, refuse_words
from pyvae.data import datasets, files
from pyvae.data.columns import KINDS
from pyvae.layers.activations import ACTIVATIONS
from pyvae.likelihoods.words import LIKELIHOODS
from pyvae.training import schedules

EXIT_STATUS = """\
exit status:
  0    done
  1    check found a wrong gradient
  2    refused, and nothing written; one sentence on standard error says why
  3    train met numbers that are not finite, and has saved what was learned
  130  interrupted; train has saved what was learned in its whole epochs"""

SCHEDULES = ("constant", "step", "exponential", "cosine")
SPLITS = ("train", "validation", "test")
INFINITY = float("inf")


def parse(argv, commands):
    """The options of a command line; ``options.run`` is the function among ``commands`` that runs it.

    argv: the words after the program's name, or None for those of this process. Exits with status 2 where they are
    wrong.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    parser, parsers = make_parser(commands)
    refuse_words(words, parser, parsers)
    options, rest = parser.parse_known_args(words)
    options.words = words
    refuse_rest(rest, options.parser)
    return options


def make_parser(commands):
    """The parser of the command line, and those of its commands by their names."""
    parser = Parser(
        prog="pyvae",
        usage="pyvae [-h] [--version] COMMAND ...",
        epilog=f"example:\n  pyvae train digits --latent 10\n\n{EXIT_STATUS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pyvae {versions.__version__}")
    subparsers = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", prog="pyvae", help=argparse.SUPPRESS, parser_class=Parser
    )
    summaries = []  # argparse would break the line of the longest command's name

    def command(name, short, long, *examples):
        sub = subparsers.add_parser(
            name, description=textwrap.fill(long, 79),
            epilog="\n  ".join([f"example{'s' if len(examples) > 1 else ''}:", *examples]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip
        summaries.append(f"  {name:<12} {short}")
        sub.set_defaults(run=commands[name], parser=sub)
        return sub

    for add in (add_train, add_sample, add_reconstruct, add_encode, add_score, add_diagnose, add_check, add_info):
        add(command)

    parser.description = "\n".join([
        "Variational autoencoders in NumPy, on multicore CPU kernels.", "", "commands:", *summaries, "",
        "pyvae COMMAND --help says what a command takes.",
    ])  # fmt: skip
    return parser, subparsers.choices


def add_train(command):
    parser = command(
        "train", "train a model and leave it, its history and pictures in a folder",
        "Train a variational autoencoder. The folder --out then holds the model, its history, pictures, config.json "
        "(what was asked for) and log.txt (what happened).",
        "pyvae train mnist --hidden 400 --latent 20 --epochs 10", "pyvae train numbers.npy --likelihood gaussian",
        "pyvae train people.csv --drop id --kinds zip=categorical --epochs 100",
    )  # fmt: skip
    add_data(parser)
    add_network(parser)
    add_objective(parser)
    add_training(parser)
    add_run(parser)


def add_sample(command):
    parser = command(
        "sample", "generate new rows", "Generate new rows from a model.",
        "pyvae sample runs/digits -n 100 --out new.png", "pyvae sample runs/people -n 1000 --out people.csv",
    )  # fmt: skip
    add_model(parser)
    parser.add_argument("-n", type=count(1), default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--draw", action="store_true", help="draw rows from p(x|z) instead of showing its mean; of a table always"
    )
    parser.add_argument(
        "--latent", choices=("mixture", "prior"), default="mixture", metavar="WHERE",
        help="where z come from: mixture (where the rows trained on lie; default) or prior (N(0, 1))",
    )  # fmt: skip
    add_seed(parser)
    add_output(parser, "a .png picture or a .npy array; of a table a .csv", "samples.png, .npy or .csv")


def add_reconstruct(command):
    parser = command(
        "reconstruct", "encode and decode rows, beside the originals", "Encode rows and decode them again.",
        "pyvae reconstruct runs/mnist -n 24 --out pairs.png",
    )  # fmt: skip
    add_model(parser)
    add_rows(parser)
    parser.add_argument("-n", type=count(1), default=48, metavar="N", help="how many rows (default: the first 48)")
    add_output(parser, "a .png picture or a .npy array; of a table a .csv", "reconstructions.png, .npy or .csv")


def add_encode(command):
    parser = command(
        "encode", "write the posterior of every row",
        "Write mu and logvar, the mean and the log variance of each latent dimension under q(z|x), for every row of a "
        "split, in its order. A .npz file holds both, as does a .csv in columns mu_1 .. logvar_1 ..; a .npy holds mu.",
        "pyvae encode runs/mnist --split train --out latents.npz",
    )  # fmt: skip
    add_model(parser)
    add_rows(parser)
    add_output(parser, "a .npz, .csv or .npy file", "latents.npz")


def add_score(command):
    parser = command(
        "score", "write the ELBO, or log p(x), of every row",
        "Write the ELBO of every row of a split and its parts, in nats: elbo = -(reconstruction + kl); or the "
        "importance-weighted log-likelihood (Burda et al. 2016). A .csv or .npz file has the columns row (its number "
        "in the split, from 0), elbo, reconstruction, kl, or row, log_likelihood; with --flag flagged, 1 or 0; with "
        "--why why; a .npy file holds the score alone. "
        "Nats of a table are those of its values as they stand in the file. "
        "The mean is printed.",
        "pyvae score runs/mnist --log-likelihood --samples 200", "pyvae score runs/people new.csv --flag 0.05 --why",
    )  # fmt: skip
    add_model(parser)
    add_rows(parser)
    parser.add_argument("--log-likelihood", action="store_true", help="the log-likelihood instead of the ELBO")
    parser.add_argument(
        "--flag", type=number(0, 1), metavar="SHARE",
        help="flag odd rows: those of a log-likelihood as only this share of the rows like those of the training has, "
        "such as 0.05 (of its test or validation rows, if it had some)",
    )  # fmt: skip
    parser.add_argument("--why", action="store_true", help="name the columns that make the flagged rows odd")
    parser.add_argument(
        "--samples", type=count(1), metavar="K",
        help="of z for each row (default: 1; 1000 with --log-likelihood; 100 with --flag)",
    )  # fmt: skip
    add_seed(parser)
    add_output(parser, "a .csv, .npz or .npy file", "scores.csv")


def add_diagnose(command):
    parser = command(
        "diagnose", "say what went wrong in a training, and what to try",
        "Look for faults of a training, causes before their consequences: a warm-up longer than the training, a "
        "learning rate too high, vanishing or exploding gradients, dead units, posterior collapse, a likelihood that "
        "does not fit, a KL too large or too small, over-fitting, a prior that misses the rows, blur, a noisy "
        "gradient. What is found comes with its evidence, with what to try, and with a picture.",
        "pyvae diagnose runs/digits",
    )  # fmt: skip
    add_model(parser)
    parser.add_argument("data", nargs="?", metavar="DATA", help="as for train (default: what the model was trained on)")
    parser.add_argument(
        "--out", type=output_path, metavar="DIR", help="folder of the pictures (default: diagnosis in the run's folder)"
    )
    parser.add_argument("--all", action="store_true", help="the evidence on what was not found, too")
    add_seed(parser)
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    add_json(parser)


def add_check(command):
    parser = command(
        "check", "check every gradient against finite differences",
        "Check the gradients of every part of the library, or of one model.", "pyvae check runs/digits",
    )  # fmt: skip
    parser.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a run's folder or model.safetensors (default: all parts)"
    )
    parser.add_argument("--verbose", action="store_true", help="a line for every tensor")
    add_json(parser)


def add_info(command):
    parser = command(
        "info", "versions, kernels, instruction set, threads",
        "Print what is installed and what the kernels run on.", "pyvae info --json",
    )  # fmt: skip
    add_json(parser)


def add_data(parser):
    data = parser.add_argument_group("data")
    data.add_argument(
        "data", nargs="?", metavar="DATA",
        help=f"{', '.join(datasets.NAMES)} (default: digits), or a file {files.KINDS}; a .csv that begins with "
        "names is a table of numbers, counts, True or False, and words, in which cells may be empty; the arrays of an "
        ".npz are X and X_test or x_train and x_test, or a sparse matrix of SciPy; uint8 above 1 is scaled by 1/255",
    )  # fmt: skip
    data.add_argument(
        "--kinds", type=kinds, metavar="C=KIND,..",
        help=f"of columns of a table, in place of what their values look like: {', '.join(KINDS)}, such as "
        "age=numeric,zip=categorical",
    )  # fmt: skip
    data.add_argument("--drop", type=names, default=(), metavar="C,..", help="columns of a table that are left out")
    data.add_argument(
        "--image-shape", type=image_shape, metavar="HxW",
        help="height and width of the rows of a file that are pictures, such as 28x28",
    )  # fmt: skip
    data.add_argument(
        "--binarize", choices=("none", "threshold", "draw"), metavar="HOW",
        help="to black and white: none, threshold (cut at 0.5; default for digits) or draw (afresh at every step)",
    )  # fmt: skip
    data.add_argument("--missing", action="store_true", help="take NaN in an array for a missing value, as in a table")
    data.add_argument(
        "--validation-fraction", type=number(0, 1, True), default=0.0, metavar="X",
        help="share of the training rows that is held out, to keep the weights of the best epoch (default: 0)",
    )  # fmt: skip


def add_network(parser):
    model = parser.add_argument_group("model")
    model.add_argument("--latent", type=count(1), default=20, metavar="N", help="latent dimensions (default: 20)")
    model.add_argument(
        "--hidden", type=sizes, default=(400,), metavar="N,N",
        help="sizes of the encoder's hidden layers, the decoder's in reverse (default: 400)",
    )  # fmt: skip
    model.add_argument(
        "--activation", choices=ACTIVATIONS, default="relu", metavar="WORD",
        help=f"of the hidden layers: {', '.join(ACTIVATIONS)} (default: relu)",
    )  # fmt: skip
    model.add_argument(
        "--likelihood", choices=LIKELIHOODS, metavar="WORD",
        help="of the data: bernoulli for 0 to 1; for real numbers gaussian, gaussian-shared, gaussian-predicted, "
        "gaussian-fixed; for counts poisson, multinomial, negative-binomial (default: bernoulli; for tables and "
        "sparse matrices what their values are)",
    )  # fmt: skip
    model.add_argument(
        "--prior", choices=PRIORS, default="normal", metavar="WORD",
        help="of z: normal, N(0, 1); mixture, of --components learned Gaussians; vamp, of the posteriors of as many "
        "learned rows; flow, RealNVP (default: normal)",
    )  # fmt: skip
    model.add_argument("--components", type=count(1), metavar="K", help="of the prior (default: 100)")
    model.add_argument(
        "--posterior", choices=POSTERIORS, default="diagonal", metavar="WORD",
        help="of z given a row: diagonal or full, the covariance of a Gaussian; planar, a flow (default: diagonal)",
    )  # fmt: skip


def add_training(parser):
    training = parser.add_argument_group("training")
    add = training.add_argument
    add(
        "--epochs", type=count(1), metavar="N",
        help="passes over the rows (default: digits 300, else 10, or more where these are fewer than 2,000 steps)",
    )  # fmt: skip
    add("--batch-size", type=count(1), default=128, metavar="N", help="rows a step (default: 128)")
    add("--lr", type=number(0, INFINITY), default=1e-3, metavar="X", help="Adam's learning rate (default: 0.001)")
    add(
        "--schedule", choices=SCHEDULES, default="constant", metavar="WORD",
        help=f"of the learning rate: {', '.join(SCHEDULES)} (default: constant)",
    )  # fmt: skip
    add("--decay-at", type=epochs_of_decay, metavar="N,N", help="epochs at which --schedule step lowers the rate")
    add(
        "--decay-factor", type=number(0, 1), metavar="X",
        help="what the rate is multiplied by (default: step 0.1; exponential 0.99, every epoch)",
    )  # fmt: skip
    add("--lr-warmup", type=count(0), default=0, metavar="N", help="epochs in which the rate rises from 0 (default: 0)")
    add("--weight-decay", type=number(0, INFINITY, True), default=0.0, metavar="X", help="AdamW's (default: 0)")
    add("--clip-norm", type=number(0, INFINITY), metavar="X", help="greatest norm of a gradient (default: none)")
    add(
        "--patience", type=count(1), metavar="N",
        help="stop after N epochs without a better validation loss; needs --validation-fraction",
    )  # fmt: skip
    add_seed(training)
    add("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    add(
        "--precision", choices=PRECISIONS, default="highest", metavar="WORD",
        help="of float32 products: highest, high, or medium, which rounds what is multiplied to bf16 where the "
        "processor can (default: highest)",
    )  # fmt: skip


def add_run(parser):
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=output_path, metavar="DIR", help="the run's folder (default: runs/NAME)")
    output.add_argument("--force", action="store_true", help="overwrite a run that is in --out")
    output.add_argument(
        "--resume", action="store_true",
        help="go on with the run in --out from its last checkpoint, with its options; --epochs and --patience may be "
        "others (where there is no checkpoint: begin)",
    )  # fmt: skip
    output.add_argument(
        "--checkpoint-seconds", type=number(0, INFINITY, True), default=10.0, metavar="X",
        help="least time between two checkpoints, which are written after whole epochs (default: 10)",
    )  # fmt: skip
    output.add_argument("--quiet", action="store_true", help="no progress bar, only the result")
    add_json(output)


def add_model(parser):
    parser.add_argument("model", type=Path, metavar="MODEL", help="a run's folder, or its model.safetensors")


def add_rows(parser):
    parser.add_argument("data", nargs="?", metavar="DATA", help="as for train (default: what the model was trained on)")
    parser.add_argument(
        "--split", choices=SPLITS, metavar="WORD",
        help="train, validation or test (default: test, where DATA has no such split validation or train)",
    )  # fmt: skip


def add_seed(parser):
    parser.add_argument("--seed", type=count(0), default=0, metavar="N", help="of everything random (default: 0)")


def add_output(parser, kinds, default):
    default = f"{default} in the working directory, not in MODEL"
    parser.add_argument("--out", type=output_path, metavar="FILE", help=f"{kinds} (default: {default})")
    parser.add_argument("--force", action="store_true", help="overwrite the file --out")
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    add_json(parser)


def add_json(parser):
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def options_of_run(stored):
    """The options of ``pyvae train`` in a config.json, with the defaults of those that it does not name."""
    _, parsers = make_parser(defaultdict(lambda: None))
    return parsers["train"].parse_args([], argparse.Namespace(**stored))


def learning_rate(options, epochs):
    """The number or schedule that ``--lr``, ``--schedule`` and their options ask for, over so many epochs."""
    if options.decay_at is not None and options.schedule != "step":
        raise Refusal("--decay-at goes with another schedule: add --schedule step")
    if options.decay_factor is not None and options.schedule not in ("step", "exponential"):
        raise Refusal("--decay-factor goes with another schedule: add --schedule step or --schedule exponential")
    if options.schedule == "step" and options.decay_at is None:
        raise Refusal("--schedule step must be told when: add --decay-at with epochs, such as --decay-at 200,350")
    rate = {
        "constant": lambda: options.lr,
        "step": lambda: schedules.StepDecay(options.lr, options.decay_factor or 0.1, options.decay_at),
        "exponential": lambda: schedules.ExponentialDecay(options.lr, options.decay_factor or 0.99),
        "cosine": lambda: schedules.CosineDecay(options.lr, epochs),
    }[options.schedule]()
    if not options.lr_warmup:
        return rate
    return schedules.WarmUp(schedules.Constant(rate) if options.schedule == "constant" else rate, options.lr_warmup)
