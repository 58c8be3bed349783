"""The options of the command line, and what is said of a wrong one."""

import argparse
from pathlib import Path

from pyvae import versions
from pyvae._kernels import PRECISIONS
from pyvae.arguments import check_count, check_number
from pyvae.layers import ACTIVATIONS
from pyvae.words import LIKELIHOODS


class Parser(argparse.ArgumentParser):
    """Argparse, saying in one line what is wrong."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def checked(check, convert, *limits):
    """What argparse wants for ``type``: a text converted and checked, and one sentence where it is wrong."""

    def parse(text):
        try:
            value = convert(text)
        except ValueError:
            value = text  # which no check accepts
        try:
            return check("it", value, *limits)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def count(least):
    return checked(check_count, int, least)


def number(low, high, low_included=False):
    return checked(check_number, float, low, high, low_included)


def sizes(text):
    parts = [count(1)(part) for part in text.split(",")] if text else []
    return tuple(parts)


def make_parser(**commands):
    """The parser; ``commands`` are the functions that run them, in ``options.run``."""
    parser = Parser(prog="pyvae", description="Variational autoencoders in NumPy, on multicore CPU kernels.")
    parser.add_argument("--version", action="version", version=f"pyvae {versions.__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    train = subparsers.add_parser(
        "train",
        help="train a model and leave it, its history and pictures in a folder",
        description="Train a variational autoencoder. Example: pyvae train mnist --hidden 400 --latent 20 --epochs 10",
    )
    train.set_defaults(run=commands["train"])
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

    sample = subparsers.add_parser(
        "sample",
        help="generate new rows",
        description="Generate new rows from a model. Example: pyvae sample runs/digits/model.safetensors -n 100",
    )
    sample.set_defaults(run=commands["sample"])
    sample.add_argument("model", type=Path, metavar="MODEL", help="a model.safetensors file")
    sample.add_argument("-n", type=count(1), default=64, metavar="N", help="how many (default: 64)")
    sample.add_argument("--draw", action="store_true", help="draw rows from p(x|z) instead of showing its mean")
    sample.add_argument("--seed", type=count(0), default=0, metavar="N", help="of everything random (default: 0)")
    add_output(sample, "samples")

    reconstruct = subparsers.add_parser(
        "reconstruct",
        help="encode and decode rows, beside the originals",
        description="Encode rows and decode them again. Example: pyvae reconstruct runs/mnist/model.safetensors",
    )
    reconstruct.set_defaults(run=commands["reconstruct"])
    reconstruct.add_argument("model", type=Path, metavar="MODEL", help="a model.safetensors file")
    reconstruct.add_argument(
        "data", nargs="?", metavar="DATA", help="as for train (default: what the model was trained on), its test split"
    )
    reconstruct.add_argument("-n", type=count(1), default=48, metavar="N", help="how many rows (default: the first 48)")
    add_output(reconstruct, "reconstructions")

    check = subparsers.add_parser(
        "check",
        help="check every gradient against finite differences",
        description="Check the gradients of every part of the library, or of one model. Example: pyvae check",
    )
    check.set_defaults(run=commands["check"])
    check.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a model.safetensors file (default: all parts)"
    )
    check.add_argument("--verbose", action="store_true", help="a line for every tensor")

    info = subparsers.add_parser("info", help="versions, kernels, instruction set, threads")
    info.set_defaults(run=commands["info"])
    return parser


def add_common(parser):
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="highest",
        help="of float32 products: medium rounds what is multiplied to bf16 where the processor can (default: highest)",
    )  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="no progress bar, only the result")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


def add_output(parser, stem):
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"a .png picture or a .npy array (default: {stem}.png, or .npy)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file --out")
