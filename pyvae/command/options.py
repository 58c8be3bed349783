"""The options of the command line: a list of all that each command takes."""

import argparse
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

from pyvae import versions
from pyvae.command.option_values import add_json, add_seed, count, given, number, output_path
from pyvae.command.refusals import Parser, refuse_rest, refuse_words
from pyvae.command.training_options import add_training_options

EXIT_STATUS = """\
exit status:
  0    done
  1    check found a wrong gradient
  2    refused, and nothing written; one sentence on standard error says why
  3    train met numbers that are not finite, and has saved what was learned
  130  interrupted; train has saved what was learned in its whole epochs"""

SPLITS = ("train", "validation", "test")


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
    add_training_options(parser)


def add_sample(command):
    parser = command(
        "sample", "generate new rows", "Generate new rows from a model.",
        "pyvae sample runs/digits -n 100 --out new.png", "pyvae sample runs/people -n 1000 --out people.csv",
        "pyvae sample runs/people --given town=Ulm,age=40 -n 100",
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
    parser.add_argument(
        "--given", type=given, metavar="C=VALUE,..",
        help="values of some columns of a table, such as town=Ulm,age=40; of all that the model was trained on with "
        "--condition; or the class of a model trained with --target or --labels, such as class=7; a target that is a "
        "number is a column like the others",
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
        "--why why; with --predict class and probability, or prediction and std of a number; a .npy file holds the "
        "score alone. "
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
        "--predict", action="store_true",
        help="tell what the model was trained to with --target or --labels: the likeliest class of each row and its "
        "probability, or a number and its standard deviation; and the error on rows in which it is known",
    )  # fmt: skip
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


def add_model(parser):
    parser.add_argument("model", type=Path, metavar="MODEL", help="a run's folder, or its model.safetensors")


def add_rows(parser):
    parser.add_argument("data", nargs="?", metavar="DATA", help="as for train (default: what the model was trained on)")
    parser.add_argument(
        "--split", choices=SPLITS, metavar="WORD",
        help="train, validation or test (default: test, where DATA has no such split validation or train)",
    )  # fmt: skip


def add_output(parser, kinds, default):
    default = f"{default} in the working directory, not in MODEL"
    parser.add_argument("--out", type=output_path, metavar="FILE", help=f"{kinds} (default: {default})")
    parser.add_argument("--force", action="store_true", help="overwrite the file --out")
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    add_json(parser)


def options_of_run(stored):
    """The options of ``pyvae train`` in a config.json, with the defaults of those that it does not name."""
    _, parsers = make_parser(defaultdict(lambda: None))
    return parsers["train"].parse_args([], argparse.Namespace(**stored))
