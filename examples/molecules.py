"""Molecules: strings as groups of one-hot columns, and a walk from one molecule to another.

What one learns: how data that are no pictures get into a VAE. SMILES writes a molecule as a line of text: atoms one
after the other (those in brackets carry hydrogens or a handedness), = and # for double and triple bonds, branches in
parentheses, a ring closed by the same digit at both of its ends. Here each place of the string is one group of a
Categorical likelihood, shorter strings being filled up with blanks. The model is put together by hand, as its ReLU
layers start from He's weights.

    python examples/molecules.py            the 119,399 molecules of QM9; writes pictures/molecules.png
    python examples/molecules.py --rows 2000 --epochs 2

Measured with the default options (five minutes of processor time, so about three on two cores): 81% of the molecules
kept from training come back exactly, and 24% of the strings decoded from the prior are balanced, nearly all of them not
in the data. (``parses`` says what balanced means.) The places of a string are independent given z, so a parenthesis and
its partner have to be agreed on in z; models that write one symbol after the other do far better at this. beta = 0.5
is there for the exact copies: in trials with beta = 1, with one and two hidden layers and up to twelve epochs, at most
29% came back, and 19% to 23% of the samples were balanced.

The strings are read from $PYVAE_DATA/qm9/qm9_smiles.txt, one a line.
"""

import argparse
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import pyvae
from pyvae import datasets

SYMBOL = re.compile(r"\[[^]]*\]|.")  # an atom in brackets, or one character
ATOM = r"(?:\[[^]]+\]|[CNOFcno])(?:[-=#]?\d)*"  # with the ring bonds that begin or end at it
CHAIN = rf"{ATOM}(?:[-=#]?{ATOM})*"
BRANCH = re.compile(rf"(?<=[\w\])])\([-=#]?{CHAIN}\)(?![-=#]?\d)")  # stands behind an atom, its digits, or a branch
TEST = 2000  # molecules that are kept from training, and strings that are sampled


def parses(smiles):
    """Whether a string is balanced: what is left without its branches, innermost first, is a chain of atoms and bonds.

    So parentheses are paired, no branch is empty, every bond has an atom on both sides; ring digits occur an even
    number of times, not twice at one atom. Valences and aromatic rings are not checked: it need not be a molecule.
    """
    digits = re.sub(r"\[[^]]*\]|\D", "", smiles)
    if re.search(r"(\d)\1", smiles) or any(digits.count(digit) % 2 for digit in digits):
        return False
    while BRANCH.search(smiles):
        smiles = BRANCH.sub("", smiles)
    return re.fullmatch(CHAIN, smiles) is not None


def one_hot(strings):
    """Rows (N, places * symbols) of zeros and ones, and the symbols, the blank first."""
    split = [SYMBOL.findall(string) for string in strings]
    symbols = ["", *sorted(set().union(*split))]
    number = {symbol: i for i, symbol in enumerate(symbols)}
    codes = np.zeros((len(split), max(map(len, split))), dtype=int)
    for row, string in zip(codes, split, strict=True):
        row[: len(string)] = [number[symbol] for symbol in string]
    return np.eye(len(symbols), dtype=np.uint8)[codes].reshape(len(split), -1), symbols


def strings(probabilities, symbols):
    """The most probable symbol of every place, for rows (N, places * symbols)."""
    best = probabilities.reshape(len(probabilities), -1, len(symbols)).argmax(axis=2)
    return ["".join(symbols[i] for i in row) for row in best]


def network(*sizes):
    """Dense layers through these sizes, ReLU after each but the last."""
    *hidden, last = pairwise(sizes)
    return pyvae.Sequential(*(pyvae.Dense(*size, "relu", init="he") for size in hidden), pyvae.Dense(*last))


def picture(probabilities, symbols):
    """A line for each row: the most probable symbol of every place, the darker the more probable."""
    p = probabilities.reshape(len(probabilities), -1, len(symbols))
    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots()
    axes.imshow(p.max(axis=2), cmap="Blues", vmin=0, vmax=1.5, aspect="auto")
    for line, place in np.ndindex(p.shape[:2]):
        axes.text(place, line, symbols[p[line, place].argmax()], ha="center", va="center", fontsize=9)
    axes.set_axis_off()
    return figure


def main(argv=None):
    parser = argparse.ArgumentParser(description="a VAE of the molecules of QM9")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rows", type=int, help="how many molecules to use (all)")
    parser.add_argument("--out", type=Path, default=Path("pictures/molecules.png"))
    options = parser.parse_args(argv)

    molecules = (datasets.data_folder() / "qm9" / "qm9_smiles.txt").read_text().split()[: options.rows]
    X, symbols = one_hot(molecules)
    n_test = min(TEST, len(X) // 10)
    train, test = X[n_test:], X[:n_test]

    n, latent_dim = X.shape[1], 40
    likelihood = pyvae.Categorical([len(symbols)] * (n // len(symbols)))
    encoder, decoder = network(n, 1024, 512, 2 * latent_dim), network(latent_dim, 512, 1024, n)
    model = pyvae.VAE(encoder, decoder, likelihood, seed=0)
    pyvae.train(model, train, epochs=options.epochs, beta=0.5, progress=False)

    again = strings(model.reconstruct(test), symbols)
    exact = np.mean([string == molecule for string, molecule in zip(again, molecules[:n_test], strict=True)])
    print(f"test ELBO {model.elbo(test).mean():.2f} nats; {exact:.1%} of the test molecules come back exactly")
    new = strings(model.sample(TEST, seed=0), symbols)
    balanced = [string for string in new if parses(string)]
    known = set(molecules)
    unknown = list(dict.fromkeys(string for string in balanced if string not in known))
    print(f"{len(balanced) / len(new):.1%} of the samples are balanced; {len(unknown)} of them are not in the data,")
    print(f"such as {', '.join(unknown[:5])}")

    mu, _ = model.encode(test[:2])
    t = np.linspace(0, 1, 11)[:, None]
    walk = model.decode((1 - t) * mu[0] + t * mu[1])
    print(f"from {molecules[0]} to {molecules[1]}:", *strings(walk, symbols), sep="\n    ")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    picture(walk, symbols).savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
