"""Advice on what was meant: other words for the command line's options and values, numbers as people write them."""

import re

from pyvae.arguments import did_you_mean

# Words of other programs and books -> the words used here. Of several, the one that the command knows is meant.
OTHER_WORDS = {
    "--batch": "--batch-size",
    "--clip": "--clip-norm",
    "--dtypes": "--kinds",
    "--dropout": "",  # there is none, and --drop is another thing
    "--exclude": "--drop",
    "--hidden-dim": "--hidden",
    "--kl-schedule": "--kl-warmup --kl-cycles",
    "--kl-weight": "--beta",
    "--latent-dim": "--latent",
    "--layers": "--hidden",
    "--learning-rate": "--lr",
    "--loss": "--likelihood",
    "--n": "-n --samples",
    "--n-samples": "-n --samples",
    "--num": "-n --samples",
    "--num-samples": "-n --samples",
    "--output": "--out",
    "--overwrite": "--force",
    "--samples": "-n",
    "--save": "--out",
    "--types": "--kinds",
    "--z-dim": "--latent",
    "-f": "--force",
    "-j": "--threads",
    "-o": "--out",
    "-q": "--quiet",
    "-v": "--version --verbose",
    "bce": "bernoulli",
    "mse": "gaussian",
    "normal": "gaussian",
    "swish": "silu",
    "embed": "encode",
    "evaluate": "score",
    "fit": "train",
    "generate": "sample",
    "predict": "encode",
}

# Words that stand on the command line without an option before them.
BARE = {
    "--checkpoint": "MODEL",
    "--data": "DATA",
    "--dataset": "DATA",
    "--input": "DATA",
    "--model": "MODEL",
}

# Arguments of Python functions, as their messages call them, and the options that set them.
ARGUMENTS = {
    "a beta below 1, free bits": "a --beta below 1, --free-bits",
    "or another likelihood": "or another --likelihood",
    "a larger capacity": "a larger --capacity",
    "a smaller weight of the discrepancy": "a smaller --mmd-weight",
    "a smaller beta": "a smaller --beta",
    "more free nats": "more --free-bits",
    "the ELBO with free bits": "--free-bits without --objective iwae",
    "batch_size": "--batch-size",
    "give ArraySource(X, missing=True)": "add --missing",
    "clip_norm": "--clip-norm",
    "condition names": "--condition names",
    "target names": "--target names",
    "drop names": "--drop names",
    "kinds names": "--kinds names",
    "kl_warmup": "--kl-warmup",
    "latent_dim": "--latent",
    "learning_rate": "--lr",
    "more epochs": "more --epochs",
    "n must be a whole number from": "-n must be a whole number from",
    "n must be a whole number of threads": "--threads must be a whole number",
    "n_samples": "--samples",
    "validation_fraction": "--validation-fraction",
    "weight_decay": "--weight-decay",
}

FACTORS = {"": 1, "k": 1000, "m": 1_000_000, "%": 0.01}


def question(word, known):
    """A question that names the known word that was meant, or an empty text without one."""
    others = OTHER_WORDS.get(word.lower())
    if others == "":
        return ""
    other = next((other for other in (others or "").split() if other in known), None)
    return f"; did you mean {other}?" if other else did_you_mean(word, known)


def plain_number(text):
    """``1e2``, ``10,000``, ``10k`` and ``20%`` as 100, 10000, 10000 and 0.2, in digits; another text as it is."""
    digits = text.strip().lower()
    if re.fullmatch(r"[1-9]\d{0,2}(,\d{3})+", digits):
        digits = digits.replace(",", "")
    number, factor = re.fullmatch(r"(.*?)([km%]?)", digits.replace(",", "."), re.DOTALL).groups()
    try:
        value = float(number) * FACTORS[factor]
    except ValueError:
        return text
    return str(int(value)) if value.is_integer() else f"{value:g}"


def name_options(message):
    """The message, with options in place of the Python arguments that they set."""
    names = "|".join(map(re.escape, ARGUMENTS))
    return re.sub(rf"(?<![\w/.-])({names})(?![\w/])", lambda match: ARGUMENTS[match[0]], message)
