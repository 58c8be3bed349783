"""Wrong gradients in the native kernels: changes of the C and Cython sources, each compiled in and tested.

A change is a piece of text that occurs once in its file and what takes its place. Only code that computes gradients, or
Adam's step, is changed: a mistake in a forward pass gives right gradients of something else, and is found otherwise.
"""

from typing import NamedTuple


class Change(NamedTuple):
    file: str  # relative to pyvae/_kernels
    old: str
    new: str
    what: str


DENSE_DX = "p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = stride(dy_), 1, 1, stride(W_), stride(out_)"
DENSE_DW = "p.a_row, p.a_k, p.b_k, p.b_column, p.c_row = 1, stride(x_), stride(dy_), 1, stride(out_)"
ACCUMULATE = "p.accumulate = accumulate and not"
OVERWRITE = "\n    p.activation, p.by_rows = IDENTITY, is_tall(&p)"
TRANSPOSE_LEFT_OVER = "out[j * out_row + i] = in[i * in_row + j]"
TRANSPOSE_BLOCK = "transpose_lanes(in + i * in_row + j, in_row, out + j * out_row + i, out_row)"
RELU = "dx[j] = y[j] > 0 ? d : 0"
RESUME = "int resume = k > 0 || p->accumulate"
SUMS_START = "if (!accumulate) memset"
TANH = "dx[j] = dy[j] * (1 - y[j] * y[j])"
SIGMOID = "dx[j] = dy[j] * (y[j] * (1 - y[j]))"
SOFTPLUS = "dx[j] = dy[j] * -expm1_below_zero(-y[j])"
LEAKY = "dy[j] * (y[j] > 0 ? 1 : LEAKY_SLOPE)"
ELU = "dy[j] * (1 - relu_real(-y[j]))"
SILU = "dy[j] * (s * (1 + y[j] * (1 - s)))"
SYMLOG = "exp_below_zero(-abs_real(y[j]))"
GELU = "dy[j] * (p.cdf + y[j] * p.pdf)"
NORM_DX = "dx[j] = r * (dy[j] * gain[j] - mean - u[j] * mean_along_u)"
Q_OF_Z = "dz[j] = -dlog_qz * eps[j] * exp_real(-logvar[j] / 2)"
LOG_SOFTMAX = "dx[j] = dout[j] - exp_real(out[j]) * sum"
COMPONENT_ROW = "sum -= BROADCAST(dout[l]) * (d * LOAD(component[l].precision + j))"
COMPONENT_SUM = "g = BROADCAST(dout[i * step]) * (d * precision)"
DRAW = "draw[j] = (through_x * x[j] + dlog_det) * (1 - s * s)"
COLUMN_SUM = "sums[j] += x[j]"
DERIVATIVE = "derivative_row(e->columns, ROW(x, i), ROW(y, i), e->activation, OUT_ROW(i))"
THROUGH_SIGMA = "dlogvar[j] *= exp_real(logvar[j] / 2) / 2"
KL_LOGVAR = "dlogvar[j] = dkl * (expm1_real(logvar[j]) / 2)"
CHOLESKY_DIAGONAL = "ddiagonal[j] *= exp_real(log_diagonal[j])"
CHOLESKY_LOWER = "dL[j] += dz[r] * eps[j]"
CHOLESKY_SOLVE = "v[j] -= solved * L[j]"
CHOLESKY_KL = "ddiagonal[j] = dkl * expm1_real(2 * log_diagonal[j])"
PLANAR_DA = "y.g * (along - 2 * dlog_D * y.h * ((f.rise - 1) / y.D))"
PLANAR_DS = "ds += dlog_D * y.g * f.slope / y.D"
PLANAR_THROUGH_W = "ds += through_w * (f.slope - 1) * f.inverse"
PLANAR_DW = "dw[j] += f.c * du[j] + ds * u[j] - shrink * w[j]"
BERNOULLI = "return x - sigmoid_real(l)"
BERNOULLI_BACKWARD = "FOR_COLUMNS(j, o->columns, dlogits[j] = scale * bernoulli_slope"
GAUSSIAN_MEAN = "dmean[j] = scale * ((x[j] - mean[j]) * exp_real(-logvar[j]))"
GAUSSIAN_LOGVAR = "dlogvar[j] = scale * ((difference * difference * exp_real(-logvar[j]) - 1) / 2)"
CATEGORICAL = "dlogits[first + j] = scale * (x[first + j] - dlogits[first + j] / sum)"
COUNTS = "simd/count_likelihood.c"
POISSON = "dlog_rates[j] = scale * (x[j] - exp_real(log_rates[j]))"
MULTINOMIAL = "dlogits[j] = scale * (x[j] - n * (dlogits[j] / sum))"
NEGATIVE_BINOMIAL = "double dl = x[j] * rest - r * s"
DLOG_R = "(REAL)(scale * (r * (digamma_rise(x[j], r) - softplus) - dl))"
CLEAR_DLOGITS = "scale * bernoulli_slope(x[j], logits[j]));\n        CLEAR_UNOBSERVED(dlogits);"
FIRST_MOMENT = "m[i] = beta1 * m[i] + rest1 * g"
SECOND_MOMENT = "v[i] = beta2 * v[i] + rest2 * (g * g)"
NATURAL = "(REAL)-0.5 ? (REAL)-0.5 : growth"
UPDATE = "values[i] -= rate * (m[i] / (sqrt_real(v[i]) + epsilon)) + decay * values[i]"

CHANGES = [
    # Products: strides, packing, accumulation.
    Change("products.pyx", DENSE_DX, DENSE_DX.replace("1, 1, stride(W_)", "1, stride(W_), 1"),
           "dx = da W, no transpose"),
    Change("products.pyx", DENSE_DX, DENSE_DX.replace("1, 1, stride(W_)", "1, 1, p.columns"), "dx: stride of W'"),
    Change("products.pyx", DENSE_DW, DENSE_DW.replace("1, stride(x_)", "stride(x_), 1"), "dW = x da, no transpose"),
    Change("products.pyx", DENSE_DW, DENSE_DW.replace("stride(dy_), 1", "1, stride(dy_)"), "dW = x' da', one too many"),
    Change("products.pyx", ACCUMULATE, ACCUMULATE.replace("accumulate and", "0 and"), "dW anew"),
    Change("products.pyx", DENSE_DX + OVERWRITE, DENSE_DX + "\n    p.accumulate = 1" + OVERWRITE,
           "dx added to what was there"),
    Change("simd/products.c", RESUME, "int resume = k > 0", "products never accumulate"),
    Change("simd/products.c", RESUME, "int resume = p->accumulate", "blocks of k forgotten"),
    Change("simd/transpose.h", TRANSPOSE_LEFT_OVER, "out[j * out_row + i] = in[j]", "dx: a column of W' at the edge"),
    Change("simd/transpose.h", TRANSPOSE_LEFT_OVER, "out[j * out_row + i] = in[i * in_row]", "dx: a row of W'"),
    Change("simd/transpose.h", TRANSPOSE_BLOCK, TRANSPOSE_BLOCK.replace("in + i * in_row + j", "in + i * in_row"),
           "dx: the first block of W' for all"),
    Change("simd/transpose.h", TRANSPOSE_BLOCK, TRANSPOSE_BLOCK.replace("out + j * out_row + i", "out + j * out_row"),
           "dx: blocks of W' on top of each other"),
    Change("simd/pack.h", "if (b_column != 1) {", "if (0) {", "dx: W' packed like W"),
    Change("simd/products.c", "row = first_row(grid, patch)", "row = patch * (p->rows / grid->patches)",
           "rows of higher patches left out"),
    Change(
        "simd/micro.h",
        "memcpy(patch + i * PANEL, c + i * c_row, sizeof(REAL) * columns);\n    }",
        "memcpy(patch + i * PANEL, c, sizeof(REAL) * columns);\n    }",
        "dW accumulates on the first row at the right edge",
    ),
    Change(
        "simd/micro.h",
        "right##i = resume ? (vector)LOAD(c + i * c_row + WIDTH)",
        "right##i = resume ? (vector)LOAD(c + i * c_row)",
        "dW accumulates on the wrong half",
    ),
    # Convolutions.
    Change("convolution.pyx", "p.patches.stride, p.patches.step = 1, -1", "p.patches.stride, p.patches.step = 1, 1",
           "dx of pixels: taps forward"),
    Change("convolution.pyx", "-g.top, -g.left, g.stride, 1", "-g.left, -g.top, g.stride, 1", "top <-> left"),
    Change("convolution.pyx", "s = (y + g.top) % g.stride", "s = y % g.stride", "phases without the padding"),
    Change("convolution.pyx", "p.patches.top, p.patches.left = (y + g.top - s) // g.stride",
           "p.patches.top, p.patches.left = (y + g.top) // g.stride + 1", "dx of pixels: one place further"),
    Change("convolution.pyx", "p.places.top, p.places.left = y, x", "p.places.top, p.places.left = x, y",
           "phases turned round"),
    Change("convolution.pyx", "p.b = <const char *>p.b + p.depth * g.channels", "p.b = <const char *>p.b + 0",
           "all phases by the weights of the first"),
    Change("convolution.pyx", "p.accumulate = accumulate and", "p.accumulate = 0 and", "dW of patches anew"),
    Change("simd/patches.h", "picture + (y * p->width + x) * C + c, out", "picture + (y * p->width + x) * C, out",
           "patches: the first channel at every block"),
    Change("simd/patches.h", "memset(out, 0, sizeof(REAL) * n);", "copy_numbers(n, picture, out);", "no zeros around"),
    Change("simd/patches.h", "place->i = 0, place->picture++;", "place->i = 0;", "all pictures are the first"),
    Change("simd/patches.h", "return (place->picture * p->height + y)", "return (place->picture * p->grid_height + y)",
           "pixels of a phase in the picture of their grid"),
    Change("simd/convolution.c", "x = phase % p->stride + p->left", "x = phase % p->stride", "taps of another phase"),
    Change("simd/convolution.c", "p->step * (s * width + t)", "p->step * (s * width - t)", "planes: taps turned round"),
    Change("simd/convolution.c", "sums[j] += bias", "sums[j] -= bias", "planes: bias"),
    # Activations and column sums.
    Change("simd/activate.h", RELU, "dx[j] = y[j] < 0 ? d : 0", "relu: comparison turned round"),
    Change("simd/activate.h", RELU, "dx[j] = y[j] >= 0 ? d : 0", "relu: dead units let through"),
    Change("simd/activate.h", RELU, "dx[j] = y[j] > 0 ? d * y[j] : 0", "relu: times y"),
    Change("simd/activate.h", TANH, "dx[j] = dy[j] * (1 - y[j])", "tanh: 1 - y"),
    Change("simd/activate.h", TANH, "dx[j] = dy[j] * (1 + y[j] * y[j])", "tanh: 1 + y^2"),
    Change("simd/activate.h", TANH, "dx[j] = dy[j] - y[j] * y[j]", "tanh: dy - y^2"),
    Change("simd/activate.h", SIGMOID, "dx[j] = dy[j] * (1 - y[j])", "sigmoid: 1 - y"),
    Change("simd/activate.h", SIGMOID, "dx[j] = dy[j] * (1 - y[j] * y[j])", "sigmoid: tanh's derivative"),
    Change("simd/activate.h", SIGMOID, "dx[j] = dy[j] * (y[j] * (y[j] - 1))", "sigmoid: sign"),
    Change("simd/activate.h", SOFTPLUS, "dx[j] = dy[j] * sigmoid_real(y[j])", "softplus: sigmoid of y, not of x"),
    Change("simd/activate.h", SOFTPLUS, "dx[j] = dy[j] * exp_real(-y[j])", "softplus: exp(-y)"),
    Change("simd/activate.h", LEAKY, "dy[j] * (y[j] > 0 ? LEAKY_SLOPE : 1)", "leaky relu: comparison turned round"),
    Change("simd/activate.h", LEAKY, "dy[j] * (y[j] > 0 ? 1 : 0)", "leaky relu: relu's derivative"),
    Change("simd/activate.h", ELU, "dy[j] * (1 + relu_real(-y[j]))", "elu: sign"),
    Change("simd/activate.h", ELU, "dy[j] * (y[j] < 0 ? -relu_real(-y[j]) : 1)", "elu: y in place of y + 1"),
    Change("simd/activate.h", SILU, "dy[j] * (s * (1 + y[j] * s))", "silu: s in place of 1 - s"),
    Change("simd/activate.h", SILU, "dy[j] * s", "silu: the second term"),
    Change("simd/activate.h", SYMLOG, SYMLOG.replace("-abs", "abs"), "symlog: sign in the exponential"),
    Change("simd/activate.h", SYMLOG, SYMLOG.replace("-abs_real(y[j])", "-y[j]"), "symlog: not the absolute value"),
    Change("simd/activate.h", GELU, "dy[j] * p.cdf", "gelu: the second term"),
    Change("simd/activate.h", GELU, "dy[j] * (p.cdf - y[j] * p.pdf)", "gelu: sign"),
    Change("simd/elementwise.c", "out[j] = x[j] * y[j]", "out[j] = x[j] * x[j]", "products: the first factor twice"),
    Change("simd/elementwise.c", "out[j] = factor * x[j]", "out[j] = x[j]", "rows: not scaled"),
    Change("simd/elementwise.c", "((const REAL *)e->y)[i]", "((const REAL *)e->y)[0]", "rows: the first row's factor"),
    Change("simd/elementwise.c", "ROW(x, i / e->samples)", "ROW(x, i % e->samples)", "rows: samples not side by side"),
    Change("simd/elementwise.c", "out[j] = exp_real(x[j])", "out[j] = 1 + x[j]", "exp: its first two terms"),
    # Sums over classes.
    Change("simd/classes.c", "out[known ? label : place] = 1", "out[place] = 1", "classes that nobody asks for"),
    Change("simd/classes.c", "= kl < 0 ? 0 : kl", "= kl", "a KL of rounding below 0"),
    Change("simd/classes.c", "known ? c == label : exp_real(log_q[c])", "exp_real(log_q[c])", "no label is looked at"),
    Change("simd/classes.c", "(known ? 0 : log_q[c]) - log_p[c]", "log_q[c] - log_p[c]", "log q of a labelled row"),
    Change("simd/classes.c", "(known ? 0 : log_q[c]) - log_p[c]", "(known ? 0 : log_q[c])", "p(y) forgotten"),
    Change("simd/classes.c", "extra = (REAL)s->alpha * log_q[c]", "extra = log_q[c]", "alpha forgotten"),
    Change("simd/classes.c", "(REAL)s->alpha * dextra : 0", "dextra : 0", "alpha forgotten on the way back"),
    Change("simd/classes.c", "log_q[c] - log_p[c] + 1)", "log_q[c] - log_p[c])", "what the entropy's share of q gives"),
    Change("simd/classes.c", "-dkl * share[c]", "dkl * share[c]", "sign of dlog p"),
    Change("simd/classes.c", "out[j] += factor * of_class[j]", "out[j] += of_class[j]", "a sum, not a mean"),
    Change("simd/classes.c", "d[j] = factor * dout[j]", "d[j] = dout[j]", "every class the whole derivative"),
    Change("simd/classes.c", "dshare[c] += sum", "dshare[c] = sum", "dshare overwritten"),
    Change("simd/log_space.c", "out[j] *= share", "out[j] *= 1", "softmax: not normalised"),
    Change("simd/log_space.c", "out[j] = exp_real(x[j] - top)", "out[j] = exp_real(x[j])", "softmax: overflow"),
    Change("simd/log_space.c", "top + log_real(sum)", "log_real(sum)", "softmax: the highest forgotten"),
    Change("simd/latent.c", Q_OF_Z, Q_OF_Z.replace("-dlog_qz", "dlog_qz"), "log q by z: sign"),
    Change("simd/latent.c", Q_OF_Z, Q_OF_Z.replace("-logvar[j] / 2", "-logvar[j]"), "log q by z: sigma^2"),
    Change("simd/latent.c", Q_OF_Z, Q_OF_Z.replace("-logvar", "logvar"), "log q by z: sigma, not 1 / sigma"),
    Change("simd/latent.c", Q_OF_Z, Q_OF_Z.replace(" * eps[j]", ""), "log q by z: eps forgotten"),
    # Priors that learn: mixtures and couplings.
    Change("simd/log_space.c", LOG_SOFTMAX, "dx[j] = dout[j]", "log softmax: what the sum does forgotten"),
    Change("simd/log_space.c", LOG_SOFTMAX, LOG_SOFTMAX.replace("exp_real(out[j])", "out[j]"), "log softmax: no exp"),
    Change("simd/log_space.c", LOG_SOFTMAX, LOG_SOFTMAX.replace("- exp", "+ exp"), "log softmax: sign"),
    Change("simd/components.c", COMPONENT_ROW, COMPONENT_ROW.replace("-=", "+="), "dz: sign"),
    Change("simd/components.c", COMPONENT_ROW, COMPONENT_ROW.replace("dout[l]", "dout[0]"),
           "dz: the first component's share for all"),
    Change("simd/components.c", COMPONENT_ROW, "sum -= BROADCAST(dout[l]) * d", "dz: the precision forgotten"),
    Change("simd/components.c", COMPONENT_SUM, COMPONENT_SUM.replace(" * (d * precision)", " * d"),
           "dmu and dlogvar: the precision forgotten"),
    Change("simd/components.c", COMPONENT_SUM, COMPONENT_SUM.replace("dout[i * step]", "dout[i]"),
           "dmu and dlogvar: another component's dout"),
    Change("simd/components.c", "sum_of_squares += g * d", "sum_of_squares += g", "dlogvar: not squared"),
    Change("simd/components.c", "of[j] = (of[j] - sum) / 2", "of[j] = of[j] / 2", "dlogvar: log sigma forgotten"),
    Change("simd/components.c", "of[j] = (of[j] - sum) / 2", "of[j] = of[j] - sum", "dlogvar: twice"),
    Change("simd/components.c", "take_columns(dmu, to_dmu, width)", "take_columns(dmu, to_dmu, 0)",
           "dmu: the last rows alone"),
    Change("simd/components.c", "take_columns(dz, of_row, width)", "take_columns(dz, of_row, 0)",
           "dz: the last components alone"),
    Change("simd/components.c", "(const REAL *)c->dout + row * K + k, K", "(const REAL *)c->dout + k, K",
           "dmu and dlogvar: the first rows' dout"),
    Change("simd/couplings.c", DRAW, DRAW.replace(" + dlog_det", ""), "coupling: the determinant forgotten"),
    Change("simd/couplings.c", DRAW, DRAW.replace(" * (1 - s * s)", ""), "coupling: the slope of tanh forgotten"),
    Change("simd/couplings.c", DRAW, DRAW.replace("through_x * x[j]", "d * x[j]"), "coupling: draw without e^s"),
    Change("simd/couplings.c", "dx[j] = through_x", "dx[j] = d", "coupling: dx without e^s"),
    Change("simd/couplings.c", "dshift[j] = d", "dshift[j] = through_x", "coupling: dshift with e^s"),
    Change("simd/couplings.c", "through_x = d * exp_real(s)", "through_x = d * exp_real(-s)", "coupling: e^-s"),
    # Layer normalisation.
    Change("simd/norm.c", NORM_DX, "dx[j] = r * (dy[j] * gain[j] - u[j] * mean_along_u)", "dx: the mean forgotten"),
    Change("simd/norm.c", NORM_DX, "dx[j] = r * (dy[j] * gain[j] - mean)", "dx: the variance forgotten"),
    Change("simd/norm.c", NORM_DX, "dx[j] = r * (dy[j] * gain[j] - mean + u[j] * mean_along_u)", "dx: sign"),
    Change("simd/norm.c", NORM_DX, "dx[j] = r * (dy[j] - mean - u[j] * mean_along_u)", "dx: gain forgotten"),
    Change("simd/norm.c", NORM_DX, "dx[j] = dy[j] * gain[j] - mean - u[j] * mean_along_u", "dx: r forgotten"),
    Change("simd/norm.c", "dgain[j] += dy[j] * u[j]", "dgain[j] += dy[j]", "dgain without u"),
    Change("simd/norm.c", "dgain[j] += dy[j] * u[j]", "dgain[j] = dy[j] * u[j]", "dgain: the last row's alone"),
    Change("simd/norm.c", "dbias[j] += dy[j]", "dbias[j] += dy[j] * u[j]", "dbias times u"),
    Change("simd/norm.c", "REAL mean = OVER_COLUMNS(sum), m", "REAL mean = sum, m", "dx: the sum, not the mean"),
    Change("simd/lanes.h", COLUMN_SUM, "sums[j] = x[j]", "db: the last row's alone"),
    Change("simd/lanes.h", COLUMN_SUM, "sums[j] -= x[j]", "db: sign"),
    Change("simd/lanes.h", COLUMN_SUM, "sums[j] += 2 * x[j]", "db: factor 2"),
    Change("simd/lanes.h", "+ x2[j]) + x3[j]", "+ x2[j]) + x2[j]", "db: a row twice"),
    Change("simd/lanes.h", "x += 4 * x_row", "x += 3 * x_row", "db: every fourth row twice"),
    Change("simd/lanes.h", SUMS_START, "if (accumulate) memset", "db: accumulate turned round"),
    Change("simd/lanes.h", SUMS_START, "if (0) memset", "db: always accumulates"),
    Change("simd/lanes.h", "x += first, sums += first", "x += first", "db: the first columns for all threads"),
    Change("simd/elementwise.c", DERIVATIVE, DERIVATIVE.replace("ROW(y, i)", "ROW(y, 0)"), "the first row of y"),
    Change("simd/elementwise.c", DERIVATIVE, DERIVATIVE.replace("ROW(x, i)", "ROW(x, 0)"), "dy of the first row"),
    Change("products.pyx", "p.accumulate_b_sums = accumulate and not", "p.accumulate_b_sums = not",
           "db always added to"),
    Change("products.pyx", "take_cleared(p.b_sums, row_size)", "True", "db anew"),
    Change("simd/products.c", "sum_rows(p->depth, ", "sum_rows(p->depth - 1, ", "db lacks a row"),
    Change("elementwise.pyx", "def column_sums(x, out, accumulate=True)", "def column_sums(x, out, accumulate=False)",
           "column sums overwritten by default"),
    Change("elementwise.pyx", "IDENTITY, accumulate", "IDENTITY, 1", "column sums always accumulate"),
    Change("simd/activate.h", SOFTPLUS, SOFTPLUS.replace("* -", "* "), "softplus: sign"),
    Change("simd/activate.h", SOFTPLUS, SOFTPLUS.replace("-y[j]", "-2 * y[j]"), "softplus: of 2 y"),
    # The posterior.
    Change("simd/latent.c", "dmu[j] += dz[j]", "dmu[j] = dz[j]", "dmu: the last sample's alone"),
    Change("simd/latent.c", "dmu[j] += dz[j]", "dmu[j] += dz[j] * eps[j]", "dmu: times eps"),
    Change("simd/latent.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] = dz[j] * eps[j]", "dlogvar: last sample"),
    Change("simd/latent.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] += dz[j] + eps[j]", "dlogvar: dz + eps"),
    Change("simd/latent.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] += eps[j]", "dlogvar: dz dropped"),
    Change("simd/latent.c", "q->dz, s, n), *eps = row_of(q->eps, s, n)", "q->dz, s, n), *eps = row_of(q->eps, i, n)",
           "eps of another sample"),
    Change("simd/latent.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(logvar[j]) / 2", "exp(logvar) for sigma"),
    Change("simd/latent.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(logvar[j] / 2)", "dlogvar: factor 2"),
    Change("simd/latent.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(-logvar[j] / 2) / 2", "dlogvar: 1 / sigma"),
    Change("simd/latent.c", "dmu[j] = dkl * mu[j]", "dmu[j] = mu[j]", "KL: dkl dropped"),
    Change("simd/latent.c", "dmu[j] = dkl * mu[j]", "dmu[j] = dkl * logvar[j]", "KL: logvar for mu"),
    Change("simd/latent.c", KL_LOGVAR, "dlogvar[j] = dkl * (exp_real(logvar[j]) / 2)", "KL: - 1 dropped"),
    Change("simd/latent.c", KL_LOGVAR, "dlogvar[j] = dkl * expm1_real(logvar[j])", "KL: factor 2"),
    Change("simd/latent.c", KL_LOGVAR, "dlogvar[j] = dkl * (expm1_real(mu[j]) / 2)", "KL: mu for logvar"),
    Change("simd/latent.c", "dkl = ((const REAL *)q->dkl)[i]", "dkl = ((const REAL *)q->dkl)[0]", "KL: another dkl"),
    # Full covariance.
    Change("simd/cholesky.c", "dmu[j] += dz[j]; ddiagonal", "dmu[j] = dz[j]; ddiagonal", "dmu: the last sample"),
    Change("simd/cholesky.c", "ddiagonal[j] += dz[j] * eps[j]", "ddiagonal[j] += dz[j]", "diagonal: eps dropped"),
    Change("simd/cholesky.c", CHOLESKY_DIAGONAL, "ddiagonal[j] *= exp_real(log_diagonal[j]) / 2", "diagonal: factor 2"),
    Change("simd/cholesky.c", CHOLESKY_DIAGONAL, "ddiagonal[j] *= log_diagonal[j]", "diagonal: exp dropped"),
    Change("simd/cholesky.c", "ddiagonal[j] -= sum", "ddiagonal[j] -= sum / 2", "log q: as logvar"),
    Change("simd/cholesky.c", CHOLESKY_LOWER, "dL[j] += dz[j] * eps[r]", "lower: its transpose"),
    Change("simd/cholesky.c", CHOLESKY_LOWER, "dL[j] = dz[r] * eps[j]", "lower: the last sample's alone"),
    Change("simd/cholesky.c", "REAL *dL = dlower + below(r)", "REAL *dL = dlower + below(r - 1)", "lower: another row"),
    Change("simd/cholesky.c", CHOLESKY_SOLVE, "v[j] += solved * L[j]", "density: sign of the substitution"),
    Change("simd/cholesky.c", CHOLESKY_SOLVE, "v[j] -= eps[r] * L[j]", "density: not solved"),
    Change("simd/cholesky.c", "v[r] * exp_real(-log_diagonal[r])", "v[r] * exp_real(log_diagonal[r])", "density: L v"),
    Change("simd/cholesky.c", "v[j] = -dlog_qz * eps[j]", "v[j] = dlog_qz * eps[j]", "density: sign"),
    Change("simd/cholesky.c", CHOLESKY_KL, "ddiagonal[j] = dkl * expm1_real(log_diagonal[j])", "KL: L for L^2"),
    Change("simd/cholesky.c", CHOLESKY_KL, "ddiagonal[j] = dkl * exp_real(2 * log_diagonal[j])", "KL: - 1 dropped"),
    Change("simd/cholesky.c", "dlower[j] = dkl * lower[j]", "dlower[j] = lower[j]", "KL: dkl dropped"),
    # Planar flow.
    Change("simd/planar_flow.c", PLANAR_DA, "(along - 2 * dlog_D * y.h * ((f.rise - 1) / y.D))", "da: 1 - h^2 dropped"),
    Change("simd/planar_flow.c", PLANAR_DA, "y.g * along", "da: not through D"),
    Change("simd/planar_flow.c", PLANAR_DA, PLANAR_DA.replace("- 2 *", "-"), "da: factor 2"),
    Change("simd/planar_flow.c", PLANAR_DA, PLANAR_DA.replace(" / y.D", ""), "da: D for log D"),
    Change("simd/planar_flow.c", "(u[j] + f.c * w[j]) * dout[j]", "u[j] * dout[j]", "da: u for u^"),
    Change("simd/planar_flow.c", "dz[j] = dout[j] + da * w[j]", "dz[j] = dout[j]", "dz: not through h"),
    Change("simd/planar_flow.c", "du[j] += y.h * dout[j]", "du[j] += dout[j]", "du: h dropped"),
    Change("simd/planar_flow.c", "dw[j] += da * z[j]", "dw[j] = da * z[j]", "dw: the last sample's alone"),
    Change("simd/planar_flow.c", PLANAR_DS, PLANAR_DS.replace(" * f.slope", ""), "ds: slope of softplus dropped"),
    Change("simd/planar_flow.c", PLANAR_DS, PLANAR_DS.replace("+=", "-="), "ds: sign of log D"),
    Change("simd/planar_flow.c", PLANAR_THROUGH_W, "ds += through_w * f.slope * f.inverse", "ds: - 1 dropped"),
    Change("simd/planar_flow.c", PLANAR_THROUGH_W, "ds += through_w * (f.slope - 1)", "ds: |w|^2 forgotten"),
    Change("simd/planar_flow.c", PLANAR_DW, PLANAR_DW.replace(" - shrink * w[j]", ""), "dw: not through |w|^2"),
    Change("simd/planar_flow.c", PLANAR_DW, PLANAR_DW.replace("f.c * du[j] + ", ""), "dw: not through u^"),
    Change("simd/planar_flow.c", PLANAR_DW, PLANAR_DW.replace("ds * u[j]", "ds * w[j]"), "dw: w for u"),
    Change("simd/planar_flow.c", "du[j] += ds * w[j]);", "du[j] += 0);", "du: not through s"),
    Change("simd/planar_flow.c", "db += da", "db = da", "db: the last sample's alone"),
    Change("simd/planar_flow.c", "? -((const REAL *)p->dlog_qz)[s]", "? ((const REAL *)p->dlog_qz)[s]", "log D: sign"),
    Change("latent.pyx", "g.eps, g.dz = cnp.PyArray_DATA(eps_), cnp.PyArray_DATA(dz_)",
           "g.eps, g.dz = cnp.PyArray_DATA(dz_), cnp.PyArray_DATA(dz_)", "dz for eps"),
    Change("latent.pyx", "g.dmu, g.dlogvar = cnp.PyArray_DATA(dmu_), cnp.PyArray_DATA(dlogvar_)\n    g.dlog_qz",
           "g.dmu, g.dlogvar = cnp.PyArray_DATA(dlogvar_), cnp.PyArray_DATA(dmu_)\n    g.dlog_qz", "dmu <-> dlogvar"),
    Change("latent.pyx", "g.dkl, g.dmu, g.dlogvar = cnp.PyArray_DATA(dkl_), cnp.PyArray_DATA(dmu_)",
           "g.dkl, g.dmu, g.dlogvar = cnp.PyArray_DATA(dkl_), cnp.PyArray_DATA(dlogvar_)", "KL: no dmu"),
    Change("latent.pyx", "dz_ = contiguous(matrix(dz, ", "dz_ = contiguous(matrix(eps, ", "eps for dz"),
    Change("simd/job.h", "share(rows, thread, threads), end_", "share(rows, thread, threads) + 1, end_",
           "every thread's first row left out"),
    # Likelihoods.
    Change("simd/likelihood.c", BERNOULLI, "return x + sigmoid_real(l)", "Bernoulli: x + p"),
    Change("simd/likelihood.c", BERNOULLI, "return x - tanh_real(l)", "Bernoulli: tanh"),
    Change("simd/likelihood.c", BERNOULLI, "return x - softplus_real(l)", "Bernoulli: softplus"),
    Change("simd/likelihood.c", BERNOULLI_BACKWARD, BERNOULLI_BACKWARD.replace("scale * ", ""),
           "Bernoulli: no dlog_px"),
    Change("simd/likelihood.c", "          dlogits[j] = scale * bernoulli", "          dlogits[j] = bernoulli",
           "Bernoulli in one pass: no dlog_px"),
    Change("likelihood.pyx", "&self.o, inputs)", "&self.o, 0)", "Bernoulli in one pass: of other rows"),
    Change("simd/likelihood.c", GAUSSIAN_MEAN, "dmean[j] = scale * ((mean[j] - x[j]) * exp_real(-logvar[j]))",
           "Gaussian: sign of dmean"),
    Change("simd/likelihood.c", GAUSSIAN_MEAN, "dmean[j] = scale * ((x[j] - mean[j]) * exp_real(logvar[j]))",
           "Gaussian: sign of logvar"),
    Change("simd/likelihood.c", GAUSSIAN_MEAN, "dmean[j] = scale * ((x[j] - mean[j]) * exp_real(-logvar[j] / 2))",
           "Gaussian: std for variance"),
    Change("simd/likelihood.c", GAUSSIAN_LOGVAR,
           "dlogvar[j] = scale * (difference * difference * exp_real(-logvar[j]) / 2)", "Gaussian: - 1 dropped"),
    Change("simd/likelihood.c", GAUSSIAN_LOGVAR,
           "dlogvar[j] = scale * (difference * difference * exp_real(-logvar[j]) - 1)", "Gaussian: factor 2"),
    Change("simd/likelihood.c", GAUSSIAN_LOGVAR,
           "dlogvar[j] = scale * ((difference * exp_real(-logvar[j]) - 1) / 2)", "Gaussian: not squared"),
    Change("simd/likelihood.c", "if (!o->dspread) continue;", "if (o->dspread) continue;", "Gaussian: no dlogvar"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[first + j] = scale * (x[first + j] - dlogits[first + j])",
           "categorical: not normalised"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[first + j] = scale * x[first + j] - dlogits[first + j] / sum",
           "categorical: dlog_px on one term"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[first + j] = scale * x[first + j]",
           "categorical: softmax dropped"),
    Change("simd/likelihood.c", "SUM_COLUMNS(sum, n, j, dlogits[first + j])", "SUM_COLUMNS(sum, n, j, dlogits[j])",
           "categorical: sum of the first group"),
    Change("likelihood.pyx", "self.o.dspread_row = cnp.PyArray_DATA(self.dspread), stride(self.dspread)",
           "self.o.dspread_row = cnp.PyArray_DATA(self.doutputs), stride(self.dspread)", "Gaussian: dlogvar in dmean"),
    Change("likelihood.pyx", "self.o.doutputs_row = stride(self.doutputs)", "self.o.doutputs_row = self.o.columns",
           "dmean with the stride of a matrix of its own"),
    Change("simd/likelihood.c", "(t.low ? 0 : below) - (t.high ? 0 : above)",
           "(t.low ? 0 : below) + (t.high ? 0 : above)", "logistic: sign"),
    Change("simd/likelihood.c", "(t.low ? 0 : below) - (t.high ? 0 : above)", "below - above", "logistic: no ends"),
    Change("simd/likelihood.c", "(t.b * below - t.a * above) -", "(t.b * below + t.a * above) -", "logistic: + a"),
    Change("simd/likelihood.c", "(t.low | t.high ? 0 : width)", "width", "logistic: the width of the ends"),
    Change("simd/likelihood.c", "t.w * exp_below_zero(-t.w) / -expm1", "t.w / -expm1", "logistic: exp(-w) dropped"),
    Change("simd/likelihood.c", "if (o->dspread) {", "if (!o->dspread) {", "logistic: no dv"),
    # Counts.
    Change(COUNTS, POISSON, "dlog_rates[j] = scale * (x[j] + exp_real(log_rates[j]))", "Poisson: sign"),
    Change(COUNTS, POISSON, "dlog_rates[j] = scale * x[j] - exp_real(log_rates[j])",
           "Poisson: dlog_px on one term"),
    Change(COUNTS, POISSON, "dlog_rates[j] = scale * (x[j] - log_rates[j])", "Poisson: the log-rate"),
    Change(COUNTS, MULTINOMIAL, "dlogits[j] = scale * (x[j] - dlogits[j] / sum)",
           "multinomial: n forgotten"),
    Change(COUNTS, MULTINOMIAL, "dlogits[j] = scale * (x[j] - n * dlogits[j])",
           "multinomial: not normalised"),
    Change(COUNTS, MULTINOMIAL, "dlogits[j] = scale * x[j]", "multinomial: softmax dropped"),
    Change(COUNTS, MULTINOMIAL, "dlogits[j] = scale * (x[j] - n / (REAL)o->columns)",
           "multinomial: uniform"),
    Change(COUNTS, NEGATIVE_BINOMIAL, "double dl = x[j] * rest + r * s", "negative binomial: sign"),
    Change(COUNTS, NEGATIVE_BINOMIAL, "double dl = x[j] * s - r * rest", "negative binomial: s for 1 - s"),
    Change(COUNTS, NEGATIVE_BINOMIAL, "double dl = x[j] * rest - s", "negative binomial: r forgotten"),
    Change(COUNTS, NEGATIVE_BINOMIAL, "double dl = x[j] - r * s", "negative binomial: 1 - s forgotten"),
    Change(COUNTS, DLOG_R, DLOG_R.replace(" - dl", ""), "dlog_r: dl dropped"),
    Change(COUNTS, DLOG_R, DLOG_R.replace("- dl", "+ dl"), "dlog_r: sign of dl"),
    Change(COUNTS, DLOG_R, DLOG_R.replace("r * (", "("), "dr for dlog_r"),
    Change(COUNTS, DLOG_R, DLOG_R.replace(" - softplus", ""), "dlog_r: log(1 + m / r) dropped"),
    Change(COUNTS, DLOG_R, DLOG_R.replace("scale * ", ""), "dlog_r: dlog_px dropped"),
    Change("simd/gamma.h", "log1p_double(x / b) + 0.5 * x /", "log1p_double(x / b) + x /", "digamma: factor 2"),
    Change("simd/gamma.h", "return -FMA_DOUBLE(p, y2, 1.0 / 12.0) * y2", "return FMA_DOUBLE(p, y2, 1.0 / 12.0) * y2",
           "digamma: sign of Stirling's rest"),
    Change("simd/gamma.h", "eight_reciprocals(r) - eight", "eight_reciprocals(r) + eight", "digamma: sign"),
    Change("simd/gamma.h", "return (2.0 * a + 7.0) *", "return (a + 7.0) *", "digamma: derivative of a (a + 7)"),
    Change("simd/gamma.h", "reciprocals(x + r);\n    return y + (r < STIRLING ? moved : 0.0)",
           "reciprocals(x + r);\n    return y", "digamma: not moved"),
    Change("count_likelihood.pyx", "o.set_dspread(dlog_r, ", "o.set_dspread(dlog_means, ",
           "dlog_r in dlog_means"),
    # What is not observed.
    Change("simd/likelihood.c", CLEAR_DLOGITS, CLEAR_DLOGITS.partition("CLEAR")[0], "Bernoulli: unobserved too"),
    Change("simd/likelihood.c", "CLEAR_UNOBSERVED(dmean);", "", "Gaussian: dmean of the unobserved"),
    Change("simd/likelihood.c", "CLEAR_UNOBSERVED(dlogvar);", "", "Gaussian: dlogvar of the unobserved"),
    Change("simd/likelihood.c", "REAL scale = ((const REAL *)o->dlog_px)[i] * GROUP_OBSERVED(i, g);",
           "REAL scale = ((const REAL *)o->dlog_px)[i];", "categorical: unobserved too"),
    Change("simd/likelihood.c", "OBSERVED_ROW(i)[o->edges[g]]", "OBSERVED_ROW(i)[g]", "categorical: another column"),
    Change(COUNTS, "CLEAR_UNOBSERVED(dlog_rates);", "", "Poisson: unobserved too"),
    Change(COUNTS, "CLEAR_UNOBSERVED(dlog_means);", "", "negative binomial: dlog_means of the unobserved"),
    Change(COUNTS, "CLEAR_UNOBSERVED(dlog_r);", "", "negative binomial: dlog_r of the unobserved"),
    Change("simd/observation.h", "(i) / o->samples * o->observed_row", "(i) * o->observed_row", "samples' rows"),
    Change("likelihood.pyx", "last.observed != NULL", "False", "both in one pass"),
    # Products that leave out zeros.
    Change("simd/zeros.c", "word &= word - 1", "word &= word - 1, word &= word - 1", "zeros: every other entry"),
    Change("simd/zeros.c", "const REAL *row = b + k * b_k;", "const REAL *row = b;", "zeros: the first row of a strip"),
    Change("simd/zeros.c", "BROADCAST(a[k * a_k])", "BROADCAST(a[k])", "zeros: the stride of x.T"),
    Change("simd/zeros.c", "resume = word > 0 || p->accumulate", "resume = word > 0", "zeros: dW anew"),
    Change("simd/zeros.c", "resume = word > 0 || p->accumulate", "resume = p->accumulate", "zeros: the last word"),
    Change("simd/zeros.c", "if (!word && skips) continue;", "if (!word) continue;", "zeros: empty rows not written"),
    Change("simd/zeros.c", "int skips = word > 0;", "int skips = resume;", "zeros: a negative zero kept"),
    Change("simd/zeros.c", "(uint64_t)(x[j] != 0) << j", "(uint64_t)(x[j] > 0) << j", "zeros: left-overs below 0"),
    Change("simd/zeros.c", "square[i + width] ^= swap;", "", "zeros: mask half turned"),
    Change("simd/zeros.c", "= square[l];", "= square[0];", "zeros: one column of the mask"),
    Change("simd/zeros.c", "if (p->b_sums) sum_rows", "if (p->b_sums && 0) sum_rows", "zeros: no db"),
    Change("simd/zeros.c", "if (resume) memcpy(sums, c,", "if (0) memcpy(sums, c,", "zeros: ragged columns anew"),
    Change("simd/zeros.c", "transpose(columns, depth, b, b_column, packed, width);",
           "transpose(columns, depth, b, b_column + 1, packed, width);", "zeros: dx, stride of W"),
    Change("simd/zeros.c", "first_row(m, entries, thread + 1, threads), 0", "first_row(m, entries, thread, threads), 0",
           "zeros: rows of dW left out"),
    Change("tape.pyx", "                del tape.made[place]", "                pass", "zeros: an old mask"),
    # Adam.
    Change("simd/optimizer.c", FIRST_MOMENT, "m[i] = beta1 * m[i] + g", "Adam: m, factor dropped"),
    Change("simd/optimizer.c", FIRST_MOMENT, "m[i] = beta2 * m[i] + rest1 * g", "Adam: m decays with beta2"),
    Change("simd/optimizer.c", SECOND_MOMENT, "v[i] = beta2 * v[i] + rest2 * g", "Adam: v, not squared"),
    Change("simd/optimizer.c", SECOND_MOMENT, "v[i] = beta2 * v[i] + rest1 * (g * g)", "Adam: v with 1 - beta1"),
    Change("simd/optimizer.c", UPDATE, UPDATE.replace("-=", "+="), "Adam: uphill"),
    Change("simd/optimizer.c", UPDATE, UPDATE.replace(" + epsilon", ""), "Adam: epsilon forgotten"),
    Change("simd/optimizer.c", "(REAL)(a->epsilon * a->correction2)", "(REAL)a->epsilon",
           "Adam: epsilon not corrected"),
    Change("simd/optimizer.c", "(REAL)(learning_rate * a->correction2 / a->correction1)",
           "(REAL)(learning_rate * a->correction2)", "Adam: m not corrected"),
    Change("simd/optimizer.c", "(REAL)(learning_rate * a->correction2 / a->correction1)",
           "(REAL)(learning_rate / a->correction1)", "Adam: v not corrected"),
    Change("simd/optimizer.c", UPDATE, UPDATE.replace("+ decay", "- decay"), "AdamW: away from zero"),
    Change("simd/optimizer.c", UPDATE, UPDATE.replace(" + decay * values[i]", ""), "AdamW: decay forgotten"),
    Change("simd/optimizer.c", UPDATE, UPDATE.replace("decay * values[i]", "decay"), "AdamW: by a constant"),
    Change("simd/optimizer.c", "(REAL)(learning_rate * a->decay)", "(REAL)a->decay",
           "AdamW: decay without the rate"),
    Change("simd/optimizer.c", "+ l2 * values[i]", "+ decay * values[i]", "decay <-> l2"),
    Change("simd/optimizer.c", "REAL g = scale * grads[i]", "REAL g = grads[i]", "Adam: scale forgotten"),
    Change("simd/optimizer.c", "a->learning_rate * a->rates[tensor]", "a->learning_rate", "Adam: pace forgotten"),
    Change("simd/optimizer.c", "(REAL)(-2 * a->rates[tensor])", "(REAL)(2 * a->rates[tensor])", "natural step: uphill"),
    Change("simd/optimizer.c", "(REAL)(-2 * a->rates[tensor])", "(REAL)(-a->rates[tensor])",
           "natural step: Fisher information forgotten"),
    Change("simd/optimizer.c", "values[i] += log1p_above_minus_one(", "values[i] += (", "natural step: no logarithm"),
    Change("simd/optimizer.c", NATURAL, "(REAL)-0.9 ? (REAL)-0.9 : growth", "natural step: less than a half"),
    Change("optimizer.pyx", "a.l2 = scale, decay,", "a.l2 = decay, scale,", "scale <-> decay"),
    Change("optimizer.pyx", "sqrt(1 - a.beta2 ** <double>step)", "1 - a.beta2 ** <double>step", "Adam: no square root"),
    Change("simd/optimizer.c", "a->tensors; tensor++) {\n        const double",
           "1; tensor++) {\n        const double",
           "Adam: the first tensor alone"),
]  # fmt: skip
