"""The options of ``pyvae train`` that say what is minimised, and the Objective that they ask for."""

from pyvae.arguments import either
from pyvae.command.option_values import count, number
from pyvae.command.refusals import Refusal
from pyvae.objectives.capacity import Capacity
from pyvae.objectives.elbo import ELBO
from pyvae.objectives.free_bits import FreeBits
from pyvae.objectives.importance import GRADIENTS, ImportanceWeighted
from pyvae.objectives.kl_weight import Cyclical, LinearWarmUp
from pyvae.objectives.mmd import MMD
from pyvae.objectives.total_correlation import TotalCorrelation

OBJECTIVES = ("elbo", "iwae", "tc", "mmd")
INFINITY = float("inf")
GOES_WITH = {"groups": ("iwae",), "mix": ("iwae",), "gradient": ("iwae",), "mmd_weight": ("mmd",),
             "free_bits": ("elbo",), "capacity": ("elbo",), "kl_cycles": ("elbo",), "kl_warmup": ("elbo",),
             "samples": ("elbo", "iwae", "mmd"), "beta": ("elbo", "tc", "mmd")}  # fmt: skip


def add_objective(parser):
    add = parser.add_argument_group("objective").add_argument
    add(
        "--objective", choices=OBJECTIVES, default="elbo", metavar="WORD",
        help="elbo; iwae, the importance-weighted bound of several samples; tc, the ELBO in which beta weighs the "
        "total correlation of z alone (beta-TC-VAE); mmd, the distance of all z from the prior in place of the KL "
        "(default: elbo)",
    )  # fmt: skip
    add("--beta", type=number(0, INFINITY, True), metavar="X", help="weight of the KL (default: 1; of mmd 0)")
    add("--kl-warmup", type=count(0), metavar="N", help="epochs in which beta rises from 0 (default: 0)")
    add("--kl-cycles", type=count(1), metavar="N", help="beta rises from 0 N times in the course of the training")
    add("--samples", type=count(1), metavar="K", help="of z for each row and step (default: 1; of iwae 5)")
    add("--groups", type=count(1), metavar="G", help="iwae: G times --samples, whose bounds are averaged (default: 1)")
    add("--mix", type=number(0, 1, True), metavar="X", help="iwae: share of the ELBO in the loss (default: 0)")
    add("--gradient", choices=GRADIENTS, metavar="WORD", help=f"iwae: {', '.join(GRADIENTS)} (default: standard)")
    add("--free-bits", type=number(0, INFINITY), metavar="X", help="nats of KL that cost nothing in each dimension")
    add(
        "--capacity", type=number(0, INFINITY), metavar="X",
        help="nats at which the KL is held; with --kl-warmup they rise from 0",
    )  # fmt: skip
    add("--mmd-weight", type=number(0, INFINITY), metavar="X", help="mmd: of the distance (default: 1000)")


def new_objective(options, n_rows):
    """The Objective that the options ask for, for n_rows rows to train on. Refuses options that do not go together."""
    for name, words in GOES_WITH.items():
        if getattr(options, name) is not None and options.objective not in words:
            option = f"--{name.replace('_', '-')}"
            raise Refusal(f"{option} goes with --objective {either(words)}: {options.objective} has no use for it")
    if options.objective == "iwae":
        groups, gradient = options.groups or 1, options.gradient or "standard"
        return ImportanceWeighted(options.samples or 5, gradient, groups, options.mix or 0.0)
    if options.objective == "tc":
        if options.beta is None:
            raise Refusal("--objective tc needs --beta, the weight of the total correlation, such as --beta 6")
        return TotalCorrelation(options.beta, n_rows)
    if options.objective == "mmd":
        return MMD(options.mmd_weight or 1000.0, options.beta or 0.0, options.samples or 1)
    return _elbo(options)


def _elbo(options):
    """The ELBO, or one of those that only treat its KL in another way."""
    given = [name for name in ("free_bits", "capacity", "kl_cycles") if getattr(options, name) is not None]
    if len(given) > 1:
        first, second = (f"--{name.replace('_', '-')}" for name in given[:2])
        raise Refusal(f"{first} and {second} say two things about the KL: leave one out")
    if options.kl_cycles and options.kl_warmup:
        raise Refusal("--kl-cycles and --kl-warmup are two ways for beta to rise: leave one out")
    samples, warm_up = options.samples or 1, options.kl_warmup or 0
    if (options.free_bits or options.capacity) and options.beta is not None:
        raise Refusal("--beta has no place beside --free-bits or --capacity: leave it out")
    if options.free_bits:
        if warm_up:
            raise Refusal("--kl-warmup has no place beside --free-bits: leave it out")
        return FreeBits(options.free_bits, n_samples=samples)
    if options.capacity:
        nats = LinearWarmUp(options.capacity, warm_up) if warm_up else options.capacity
        return Capacity(nats, n_samples=samples)
    beta = 1.0 if options.beta is None else options.beta
    if options.kl_cycles:
        return ELBO(Cyclical(beta, options.epochs, options.kl_cycles), samples)
    return ELBO(LinearWarmUp(beta, warm_up) if warm_up else beta, samples)
