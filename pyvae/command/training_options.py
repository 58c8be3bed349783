"""The options of ``pyvae train``: of its data, its model, its objective, its training and its folder."""

from pyvae._kernels import PRECISIONS
from pyvae.command.new_models import POSTERIORS, PRIORS
from pyvae.command.objective import add_objective
from pyvae.command.option_values import (
    add_json,
    add_seed,
    count,
    epochs_of_decay,
    image_shape,
    kinds,
    names,
    number,
    output_path,
    sizes,
)  # fmt: skip
from pyvae.command.refusals import Refusal
from pyvae.data import datasets, files
from pyvae.data.columns import KINDS
from pyvae.layers.activations import ACTIVATIONS
from pyvae.likelihoods.words import LIKELIHOODS
from pyvae.training import schedules

SCHEDULES = ("constant", "step", "exponential", "cosine")
INFINITY = float("inf")


def add_training_options(parser):
    for add in (add_data, add_network, add_objective, add_training, add_run):
        add(parser)


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
        "--condition", type=names, default=(), metavar="C,..",
        help="columns of a table that rows are given: a conditional VAE; sample --given then asks for them",
    )  # fmt: skip
    data.add_argument(
        "--target", metavar="C",
        help="the column of a table that is to be told, empty where nobody knows; words: classes, by a semi-supervised "
        "VAE; numbers: regression, by a joint model of the column and the others (--kinds C=categorical makes them "
        "classes); score --predict then tells it",
    )  # fmt: skip
    data.add_argument(
        "--labels", type=count(1), metavar="N",
        help="how many of the labels of digits, mnist, fashion-mnist or an .npz file are known, the same number of "
        "each class: a semi-supervised VAE",
    )  # fmt: skip
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
        "--hidden", type=sizes, metavar="N,N",
        help="sizes of the encoder's hidden layers, the decoder's in reverse (default: 400; with --conv none)",
    )  # fmt: skip
    model.add_argument(
        "--conv", type=sizes, metavar="N,N",
        help="of pictures: channels of the encoder's convolutions, 3 x 3 with stride 2, before its hidden layers; the "
        "decoder's are transposed ones (such as 32,64; default: none)",
    )  # fmt: skip
    model.add_argument(
        "--activation", choices=ACTIVATIONS, default="relu", metavar="WORD",
        help=f"of the hidden layers: {', '.join(ACTIVATIONS)} (default: relu)",
    )  # fmt: skip
    model.add_argument(
        "--likelihood", choices=LIKELIHOODS, metavar="WORD",
        help="of the data: bernoulli for 0 to 1; for real numbers gaussian, gaussian-shared, gaussian-predicted, "
        "gaussian-fixed; for gray values discretized-logistic; for counts poisson, multinomial, negative-binomial "
        "(default: bernoulli; for tables and "
        "sparse matrices what their values are)",
    )  # fmt: skip
    model.add_argument(
        "--prior", choices=PRIORS, default="normal", metavar="WORD",
        help="of z: normal, N(0, 1); mixture, of --components learned Gaussians; vamp, of the posteriors of as many "
        "learned rows; flow, RealNVP (default: normal)",
    )  # fmt: skip
    model.add_argument("--components", type=count(1), metavar="K", help="of the prior (default: 100)")
    model.add_argument(
        "--alpha", type=number(0, INFINITY, True), metavar="X",
        help="weight of log q(y|x) of a labelled row, with --labels or a --target of classes (default: 0.1 times the "
        "rows for each labelled one)",
    )  # fmt: skip
    model.add_argument(
        "--target-weight", type=number(0, INFINITY), metavar="X",
        help="how many times a --target of numbers counts in the loss (default: 30)",
    )  # fmt: skip
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
