"""The options of the command line, and what is said of a wrong one."""

import argparse
import contextlib
import re
import sys
import textwrap
from itertools import pairwise, takewhile
from pathlib import Path

from pyvae import datasets, files, schedules, versions
from pyvae._kernels import PRECISIONS
from pyvae.advice import BARE, plain_number, question
from pyvae.arguments import check_count, check_number
from pyvae.layers import ACTIVATIONS
from pyvae.words import LIKELIHOODS

EXIT_STATUS = """\
exit status:
  0    done
  1    check found a wrong gradient
  2    refused, and nothing written; one sentence on standard error says why
  3    train met numbers that are not finite, and has saved what was learned
  130  interrupted; train has saved what was learned in its whole epochs"""

SPLITS = ("train", "validation", "test")
INFINITY = float("inf")


class Refusal(Exception):
    """What the user asked for cannot be done; the message is one sentence that says why, and what can."""


class Parser(argparse.ArgumentParser):
    """Argparse, saying in one line what is wrong and, where a word is nearly right, which one was meant."""

    def error(self, message):
        message = re.sub(r"argument (\S+): ignored explicit argument .*", r"\1 takes no value", message)
        self.exit(2, f"{self.prog}: {message}" + ("\n" if message.endswith("?") else f"; see {self.prog} --help\n"))

    def _check_value(self, action, value):
        if action.choices is not None and value not in action.choices:
            choices = ", ".join(action.choices)
            meant = question(value, action.choices)
            raise argparse.ArgumentError(action, f"it must be one of {choices}, not {value!r}{meant}")

    def options(self):
        return ["--help", *re.findall(r"(?<![\w-])--?[a-z][a-z-]*", self.format_usage())]

    def no_option(self, word):
        """Exit, as there is no option that is called so."""
        word = word.split("=")[0]
        places = [place for place in ("MODEL", "DATA") if re.search(rf"\b{place}\b", self.format_usage())]
        if BARE.get(word) in places:
            self.error(f"there is no option {word}: write {BARE[word]} alone, as in {self.prog} {' '.join(places)}")
        self.error(f"there is no option {word}{question(word, self.options())}")


def checked(check, convert, *limits):
    """What argparse wants for ``type``: a text converted and checked, and one sentence where it is wrong."""

    def read(text):
        try:
            value = convert(text)
        except ValueError:
            value = text  # which no check accepts
        return check("it", value, *limits)

    def parse(text):
        try:
            return read(text)
        except ValueError as error:
            message = str(error)
        with contextlib.suppress(ValueError):
            read(plain_number(text))
            message += f"; did you mean {plain_number(text)}?"
        raise argparse.ArgumentTypeError(message)

    return parse


def count(least):
    return checked(check_count, int, least)


def number(low, high, low_included=False):
    return checked(check_number, float, low, high, low_included)


def sizes(text):
    """``400,200`` as (400, 200); an empty text as ()."""
    if not re.fullmatch(r"(0*[1-9]\d*( *, *0*[1-9]\d*)*)?", text.strip()):
        raise argparse.ArgumentTypeError(f"it must be whole numbers from 1 with commas, such as 400,200, not {text!r}")
    return tuple(int(part) for part in text.split(",") if part.strip())


def epochs_of_decay(text):
    """``200,350`` as (200, 350), ascending."""
    epochs = sizes(text)
    if not epochs or any(later <= earlier for earlier, later in pairwise(epochs)):
        raise argparse.ArgumentTypeError(f"it must be epochs in ascending order, such as 200,350, not {text!r}")
    return epochs


def output_path(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: name a folder or a file")
    return Path(text)


def image_shape(text):
    """``28x28`` as (28, 28), height and width."""
    if not re.fullmatch(r"[1-9]\d* *[xX] *[1-9]\d*", text.strip()):
        raise argparse.ArgumentTypeError(f"it must be height x width, such as 28x28, not {text!r}")
    height, width = text.lower().split("x")
    return int(height), int(width)


def parse(argv, commands):
    """The options of a command line; ``options.run`` is the function among ``commands`` that runs it.

    argv: the words after the program's name, or None for those of this process. Exits with status 2 where they are
    wrong.
    """
    words = sys.argv[1:] if argv is None else list(argv)
    parser, parsers = make_parser(commands)
    refuse_words(words, parser, parsers)
    options, unknown = parser.parse_known_args(words)
    options.words = words
    wrong = next((word for word in unknown if word.startswith("-")), None)
    if wrong is not None:
        options.parser.no_option(wrong)
    if unknown:
        is_number = unknown[0].isdigit() and "-n" in options.parser.options()
        meant = f"; did you mean -n {unknown[0]}?" if is_number else ": options begin with --"
        options.parser.error(f"{unknown[0]!r} is one word too many{meant}")
    return options


def refuse_words(words, parser, parsers):
    """Exit where words are wrong in a way of which argparse says something beside the point."""
    if words and words[0].startswith("-") and words[0] not in ("-h", *parser.options()):
        option = words[0].split("=")[0]
        named = [word for word in words if word in parsers]
        command = next((name for name in (*named, *parsers) if option in parsers[name].options()), None)
        if command is not None:
            parser.error(f"put {option} after the command: pyvae {command} {option}")
        parser.no_option(option)
    parser = parsers.get(words[0], parser) if words else parser
    for i, word in enumerate(words):
        if re.fullmatch(r"-[a-z][a-z-]+(=.*)?", word):  # one dash, of which argparse makes -h where it can
            parser.no_option(word)
        numbers = list(takewhile(re.compile(r"\d+,?").fullmatch, words[i + 1 :]))
        if word in ("--hidden", "--decay-at") and len(numbers) > 1:
            parser.error(f"write {word} {','.join(number.strip(',') for number in numbers)}")


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

    add_train(command(
        "train", "train a model and leave it, its history and pictures in a folder",
        "Train a variational autoencoder. The folder --out then holds the model, its history, pictures, config.json "
        "(what was asked for) and log.txt (what happened).",
        "pyvae train mnist --hidden 400 --latent 20 --epochs 10", "pyvae train table.csv --likelihood gaussian",
    ))  # fmt: skip

    sample = command(
        "sample", "generate new rows", "Generate new rows from a model.",
        "pyvae sample runs/digits -n 100 --out new.png",
    )  # fmt: skip
    add_model(sample)
    sample.add_argument("-n", type=count(1), default=64, metavar="N", help="how many (default: 64)")
    sample.add_argument("--draw", action="store_true", help="draw rows from p(x|z) instead of showing its mean")
    add_seed(sample)
    add_output(sample, "a .png picture or a .npy array (default: samples.png, or .npy)")

    reconstruct = command(
        "reconstruct", "encode and decode rows, beside the originals", "Encode rows and decode them again.",
        "pyvae reconstruct runs/mnist -n 24 --out pairs.png",
    )  # fmt: skip
    add_model(reconstruct)
    add_rows(reconstruct)
    reconstruct.add_argument("-n", type=count(1), default=48, metavar="N", help="how many rows (default: the first 48)")
    add_output(reconstruct, "a .png picture or a .npy array (default: reconstructions.png, or .npy)")

    encode = command(
        "encode", "write the posterior of every row",
        "Write mu and logvar of q(z|x) = N(mu, exp(logvar)) for every row of a split, in its order. A .npz file holds "
        "both, as does a .csv in columns mu_1 .. logvar_1 ..; a .npy file holds mu.",
        "pyvae encode runs/mnist --split train --out latents.npz",
    )  # fmt: skip
    add_model(encode)
    add_rows(encode)
    add_output(encode, "a .npz, .csv or .npy file (default: latents.npz)")

    score = command(
        "score", "write the ELBO, or log p(x), of every row",
        "Write the ELBO of every row of a split and its parts, in nats: elbo = -(reconstruction + kl); or the "
        "importance-weighted log-likelihood (Burda et al. 2016). A .csv or .npz file has the columns row (its number "
        "in the split, from 0), elbo, reconstruction, kl, or row, log_likelihood; a .npy file holds the score alone. "
        "The mean is printed.",
        "pyvae score runs/mnist --log-likelihood --samples 200 --out scores.csv",
    )  # fmt: skip
    add_model(score)
    add_rows(score)
    score.add_argument("--log-likelihood", action="store_true", help="the log-likelihood instead of the ELBO")
    score.add_argument(
        "--samples", type=count(1), metavar="K", help="of z for each row (default: 1; 1000 with --log-likelihood)"
    )
    add_seed(score)
    add_output(score, "a .csv, .npz or .npy file (default: scores.csv)")

    check = command(
        "check", "check every gradient against finite differences",
        "Check the gradients of every part of the library, or of one model.", "pyvae check runs/digits",
    )  # fmt: skip
    check.add_argument(
        "model", nargs="?", type=Path, metavar="MODEL", help="a run's folder or model.safetensors (default: all parts)"
    )
    check.add_argument("--verbose", action="store_true", help="a line for every tensor")
    add_json(check)

    info = command(
        "info", "versions, kernels, instruction set, threads",
        "Print what is installed and what the kernels run on.", "pyvae info --json",
    )  # fmt: skip
    add_json(info)

    parser.description = "\n".join([
        "Variational autoencoders in NumPy, on multicore CPU kernels.", "", "commands:", *summaries, "",
        "pyvae COMMAND --help says what a command takes.",
    ])  # fmt: skip
    return parser, subparsers.choices


def add_train(parser):
    data = parser.add_argument_group("data")
    data.add_argument(
        "data", nargs="?", metavar="DATA",
        help=f"{', '.join(datasets.NAMES)} (default: digits), or a file {files.KINDS}; a .csv may have a header, the "
        "arrays of an .npz are X and X_test or x_train and x_test, and uint8 above 1 is scaled by 1/255",
    )  # fmt: skip
    data.add_argument(
        "--image-shape", type=image_shape, metavar="HxW",
        help="height and width of the rows of a file that are pictures, such as 28x28",
    )  # fmt: skip
    data.add_argument(
        "--binarize", choices=("none", "threshold", "draw"), metavar="HOW",
        help="to black and white: none, threshold (cut at 0.5; default for digits) or draw (afresh at every step)",
    )  # fmt: skip
    data.add_argument(
        "--validation-fraction", type=number(0, 1, True), default=0.0, metavar="X",
        help="share of the training rows that is held out, to keep the weights of the best epoch (default: 0)",
    )  # fmt: skip

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
        "--likelihood", choices=LIKELIHOODS, default="bernoulli", metavar="WORD",
        help="of the data: bernoulli for 0 to 1; for real numbers gaussian, gaussian-shared, gaussian-predicted, "
        "gaussian-fixed; for counts poisson, multinomial, negative-binomial (default: bernoulli)",
    )  # fmt: skip

    training = parser.add_argument_group("training")
    add = training.add_argument
    add("--epochs", type=count(1), metavar="N", help="passes over the rows (default: digits 300, else 10)")
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
    add("--beta", type=number(0, INFINITY, True), default=1.0, metavar="X", help="weight of the KL (default: 1)")
    add("--kl-warmup", type=count(0), default=0, metavar="N", help="epochs in which beta rises from 0 (default: 0)")
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

    output = parser.add_argument_group("output")
    output.add_argument("--out", type=output_path, metavar="DIR", help="the run's folder (default: runs/NAME)")
    output.add_argument("--force", action="store_true", help="overwrite a run that is in --out")
    output.add_argument(
        "--resume", action="store_true",
        help="go on with the run in --out from its last checkpoint, with its options; --epochs and --patience may be "
        "others (from the beginning where there is no checkpoint)",
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


def add_output(parser, kinds):
    parser.add_argument("--out", type=output_path, metavar="FILE", help=kinds)
    parser.add_argument("--force", action="store_true", help="overwrite the file --out")
    parser.add_argument("--threads", type=count(1), metavar="N", help="of the kernels (default: the physical cores)")
    add_json(parser)


def add_json(parser):
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")


SCHEDULES = ("constant", "step", "exponential", "cosine")


def learning_rate(options, epochs):
    """What ``--lr``, ``--schedule`` and their options ask for, over so many epochs: a number or a schedule."""
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
