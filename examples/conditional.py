"""Conditional generation: digits to order.

What one learns: a joint model of rows and classes works in both directions. VAEClassifier predicts the class of a row;
backwards, ``sample`` makes rows for a wanted class: of many z from where the rows lie it draws one by p(class|z), and
then a row from p(x|z), noise of the pixels included. How good the made rows are is told by a classifier that has seen
real rows alone.

    python examples/conditional.py            some seconds; writes pictures/conditional.png, ten of each digit
    python examples/conditional.py --rows 500

Measured with the default options: 94.7% of the test rows are classified right, and 94% of the made rows are taken for
what was wanted. With z from the prior, which allows what no training row has, it would be about two thirds.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from pyvae import plots
from pyvae.sklearn import VAEClassifier


def main(argv=None):
    parser = argparse.ArgumentParser(description="digits made to order")
    parser.add_argument("--rows", type=int, default=1797)
    parser.add_argument("--out", type=Path, default=Path("pictures/conditional.png"))
    options = parser.parse_args(argv)

    X, y = (part[: options.rows] for part in load_digits(return_X_y=True))
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    model = VAEClassifier(likelihood="gaussian-shared", random_state=0).fit(X_train, y_train)
    judge = LogisticRegression(max_iter=5000).fit(X_train / 16, y_train)
    print(f"of the test rows {model.score(X_test, y_test):.1%} are classified right, by the judge", end=" ")
    print(f"{judge.score(X_test / 16, y_test):.1%}")

    wanted = np.repeat(np.arange(10), 10)
    made = model.sample(wanted, random_state=0)
    taken = np.mean(judge.predict(made / 16) == wanted)
    print(f"of the rows made to order the judge takes {taken:.1%} for what was wanted")

    options.out.parent.mkdir(parents=True, exist_ok=True)
    labels = [f"{digit}" for digit in range(10)]
    plots.image_grid(made, (8, 8), value_range=(0, 16), columns=10, labels=labels).savefig(options.out)
    print(f"picture: {options.out}")


if __name__ == "__main__":
    main()
