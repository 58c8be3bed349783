"""The polynomial for Mills' ratio in ``pyvae/_kernels/simd/vmath.h``, fitted anew and compared with what stands there.

    python benchmarks/fit_mills_ratio.py

Mills' ratio of the standard normal distribution is m(t) = (1 - cdf(t)) / pdf(t). With u = 1 / (1 + t / 4), which maps
t >= 0 to 0 < u <= 1, it is close to a polynomial u p(u). This script fits p of degree 9 so that the largest relative
error is as small as it can be: by the exchange algorithm of Remez, in float64. It prints the coefficients, highest
power first as in vmath.h, and the largest relative errors of its own fit and of the coefficients in vmath.h, these as
they are written and as the compiler rounds them to float.
"""

import re
from pathlib import Path

import numpy as np
from scipy.special import erfcx

HEADER = Path(__file__).parents[1] / "pyvae" / "_kernels" / "simd" / "vmath.h"
DEGREE = 9
U = (1 - np.cos(np.linspace(0, np.pi, 100_001))) / 2  # dense at both ends, where the error has its narrowest waves


def u_over_ratio(u):
    """u / m(t), which tends to 4 as u tends to 0, since m(t) tends to 1 / t."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = 4 * (1 / u - 1)
        y = u / (np.sqrt(np.pi / 2) * erfcx(t / np.sqrt(2)))
    return np.where(u > 0, y, 4.0)


WEIGHT = u_over_ratio(U)


def relative_error(coefficients):
    """(u p(u) - m(t)) / m(t) at all U."""
    return WEIGHT * np.polyval(coefficients, U) - 1


def extrema(error):
    """The index of the largest error between each two changes of its sign."""
    stretches = np.split(np.arange(error.size), np.flatnonzero(np.diff(np.sign(error))) + 1)
    return np.array([stretch[np.argmax(np.abs(error[stretch]))] for stretch in stretches])


def fit():
    """The coefficients whose errors at DEGREE + 2 points are equal, alternate in sign, and are the largest of all."""
    points = np.linspace(0, U.size - 1, DEGREE + 2).astype(int)
    signs = (-1.0) ** np.arange(DEGREE + 2)
    for _ in range(50):
        powers = WEIGHT[points, None] * np.vander(U[points], DEGREE + 1)
        *coefficients, level = np.linalg.solve(np.column_stack([powers, signs]), np.ones(DEGREE + 2))
        error = relative_error(coefficients)
        if np.abs(error).max() <= abs(level) * 1.0001:
            return coefficients
        points = extrema(error)
        while points.size > DEGREE + 2:  # a wave too many begins or ends at the edge: the lower of the two goes
            points = points[1:] if abs(error[points[0]]) < abs(error[points[-1]]) else points[:-1]
    raise SystemExit("the exchange did not converge")


def in_header():
    """The coefficients of ``normal_of`` in vmath.h, as they are written."""
    function = re.search(r"normal_of\(float x\) \{(.*?)\n\}", HEADER.read_text(), re.DOTALL)[1]
    coefficients = [float(number) for number in re.findall(r"(-?\d\.\d{9}e[-+]\d\d)f", function)]
    if len(coefficients) != DEGREE + 1:
        raise SystemExit(f"{HEADER} has {len(coefficients)} coefficients in normal_of, not {DEGREE + 1}")
    return coefficients


def main():
    coefficients = fit()
    for coefficient in coefficients:
        print(f"{coefficient: .9e}")
    written = in_header()
    for name, each in [
        ("this fit", coefficients),
        ("vmath.h, as written", written),
        ("vmath.h, rounded to float", np.float32(written).astype(float)),
    ]:
        print(f"largest relative error, {name + ':':26} {np.abs(relative_error(each)).max():.1e}")


if __name__ == "__main__":
    main()
