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
ACCUMULATE = "\n    p.accumulate, p.activation = accumulate, IDENTITY"
OVERWRITE = "\n    p.accumulate, p.activation = 0, IDENTITY"
PACK_TRANSPOSED = "panel[k * PANEL + j] = b[k * b_k + j * b_column]"
RELU = "dx[j] = y[j] > 0 ? dy[j] : 0"
RESUME = "int resume = k > 0 || p->accumulate"
DB_START = "if (db && !accumulate) memset"
TANH = "dx[j] = dy[j] * (1 - y[j] * y[j])"
SIGMOID = "dx[j] = dy[j] * (y[j] * (1 - y[j]))"
SOFTPLUS = "dx[j] = dy[j] * one_minus_exp_real(y[j])"
COLUMN_SUM = "db[j] += dx[j]"
NEXT_ROW = "dy += dy_row, y += y_row, dx += dx_row"
THROUGH_SIGMA = "dlogvar[j] *= exp_real(logvar[j] / 2) / 2"
KL_LOGVAR = "dlogvar[j] = dkl * (expm1_real(logvar[j]) / 2)"
BERNOULLI = "dlogits[j] = scale * (x[j] - sigmoid_real(logits[j]))"
GAUSSIAN_MEAN = "dmean[j] = scale * ((x[j] - mean[j]) * exp_real(-logvar[j]))"
GAUSSIAN_LOGVAR = "dlogvar[j] = scale * ((difference * difference * exp_real(-logvar[j]) - 1) / 2)"
CATEGORICAL = "dlogits[j] = scale * (x[j] - exp_real(logits[j] - max) / sum)"
FIRST_MOMENT = "m[i] = beta1 * m[i] + rest1 * g"
SECOND_MOMENT = "v[i] = beta2 * v[i] + rest2 * (g * g)"
UPDATE = "values[i] -= rate * (m[i] / (sqrt_real(v[i]) / correction2 + epsilon))"

CHANGES = [
    # Products: strides, packing, accumulation.
    Change("dense.pyx", DENSE_DX, DENSE_DX.replace("1, 1, stride(W_)", "1, stride(W_), 1"), "dx = da W, no transpose"),
    Change("dense.pyx", DENSE_DX, DENSE_DX.replace("1, 1, stride(W_)", "1, 1, p.columns"), "dx: stride of W'"),
    Change("dense.pyx", DENSE_DW, DENSE_DW.replace("1, stride(x_)", "stride(x_), 1"), "dW = x da, no transpose"),
    Change("dense.pyx", DENSE_DW, DENSE_DW.replace("stride(dy_), 1", "1, stride(dy_)"), "dW = x' da', one too many"),
    Change("dense.pyx", DENSE_DW + ACCUMULATE, DENSE_DW + ACCUMULATE.replace("= accumulate", "= 0"), "dW overwritten"),
    Change("dense.pyx", DENSE_DX + OVERWRITE, DENSE_DX + OVERWRITE.replace("= 0", "= 1"), "dx added to what was there"),
    Change("simd/dense.c", RESUME, "int resume = k > 0", "products never accumulate"),
    Change("simd/dense.c", RESUME, "int resume = p->accumulate", "blocks of k forgotten"),
    Change("simd/dense.c", PACK_TRANSPOSED, "panel[k * PANEL + j] = b[k * b_k]", "dx: one column of W' for all"),
    Change("simd/dense.c", PACK_TRANSPOSED, "panel[k * PANEL + j] = b[j * b_column]", "dx: one row of W' for all"),
    Change("simd/dense.c", "if (b_column == 1) {", "if (1) {", "dx: W' packed like W"),
    Change(
        "simd/dense.c",
        "memcpy(patch + i * PANEL, c + i * c_row, sizeof(REAL) * columns);\n    }",
        "memcpy(patch + i * PANEL, c, sizeof(REAL) * columns);\n    }",
        "dW accumulates on the first row at the right edge",
    ),
    Change(
        "simd/dense.c",
        "right##i = *(const vector_in_memory *)(c + i * c_row + WIDTH)",
        "right##i = *(const vector_in_memory *)(c + i * c_row)",
        "dW accumulates on the wrong half",
    ),
    # Activations and column sums.
    Change("simd/dense.c", RELU, "dx[j] = y[j] < 0 ? dy[j] : 0", "relu: comparison turned round"),
    Change("simd/dense.c", RELU, "dx[j] = y[j] >= 0 ? dy[j] : 0", "relu: dead units let through"),
    Change("simd/dense.c", RELU, "dx[j] = y[j] > 0 ? dy[j] * y[j] : 0", "relu: times y"),
    Change("simd/dense.c", TANH, "dx[j] = dy[j] * (1 - y[j])", "tanh: 1 - y"),
    Change("simd/dense.c", TANH, "dx[j] = dy[j] * (1 + y[j] * y[j])", "tanh: 1 + y^2"),
    Change("simd/dense.c", TANH, "dx[j] = dy[j] - y[j] * y[j]", "tanh: dy - y^2"),
    Change("simd/dense.c", SIGMOID, "dx[j] = dy[j] * (1 - y[j])", "sigmoid: 1 - y"),
    Change("simd/dense.c", SIGMOID, "dx[j] = dy[j] * (1 - y[j] * y[j])", "sigmoid: tanh's derivative"),
    Change("simd/dense.c", SIGMOID, "dx[j] = dy[j] * (y[j] * (y[j] - 1))", "sigmoid: sign"),
    Change("simd/dense.c", SOFTPLUS, "dx[j] = dy[j] * sigmoid_real(y[j])", "softplus: sigmoid of y, not of x"),
    Change("simd/dense.c", SOFTPLUS, "dx[j] = dy[j] * exp_real(-y[j])", "softplus: exp(-y)"),
    Change("simd/dense.c", COLUMN_SUM, "db[j] += dy[j]", "db sums dy, not da"),
    Change("simd/dense.c", COLUMN_SUM, "db[j] = dx[j]", "db: the last row's alone"),
    Change("simd/dense.c", COLUMN_SUM, "db[j] -= dx[j]", "db: sign"),
    Change("simd/dense.c", COLUMN_SUM, "db[j] += 2 * dx[j]", "db: factor 2"),
    Change("simd/dense.c", DB_START, "if (db && accumulate) memset", "db: accumulate turned round"),
    Change("simd/dense.c", DB_START, "if (0) memset", "db: always accumulates"),
    Change("simd/dense.c", NEXT_ROW, "dy += dy_row, dx += dx_row", "y of the first row for all"),
    Change("simd/dense.c", NEXT_ROW, "dy += y_row, y += y_row, dx += dx_row", "dy with the stride of y"),
    Change("dense.pyx", "y + first, y_row, activation", "y, y_row, activation", "y: the first columns for all tasks"),
    Change("dense.pyx", "else db + first, accumulate", "else db, accumulate", "db: the first columns for all tasks"),
    Change("dense.pyx", "def column_sums(x, out, accumulate=True)", "def column_sums(x, out, accumulate=False)",
           "column sums overwritten by default"),
    Change(
        "dense.pyx",
        "row, sums,\n                            accumulate_)",
        "row, sums,\n                            1)",
        "column sums always accumulate",
    ),
    Change(
        "dense.pyx", "activation, dx, db=None, accumulate=True)", "activation, dx, db=None, accumulate=False)",
        "db overwritten by default",
    ),
    Change("simd/vmath.h", "return 2 * t / (1 + t);", "return t / (1 + t);", "softplus: factor 1/2"),
    Change("simd/vmath.h", "return 2 * t / (1 + t);", "return 2 * t / (1 + t * t);", "softplus: tanh of y"),
    # The posterior.
    Change("simd/gaussian.c", "dmu[j] += dz[j]", "dmu[j] = dz[j]", "dmu: the last sample's alone"),
    Change("simd/gaussian.c", "dmu[j] += dz[j]", "dmu[j] += dz[j] * eps[j]", "dmu: times eps"),
    Change("simd/gaussian.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] = dz[j] * eps[j]", "dlogvar: last sample"),
    Change("simd/gaussian.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] += dz[j] + eps[j]", "dlogvar: dz + eps"),
    Change("simd/gaussian.c", "dlogvar[j] += dz[j] * eps[j]", "dlogvar[j] += eps[j]", "dlogvar: dz dropped"),
    Change("simd/gaussian.c", "dz_, s, n), *eps = row_of(eps_, s, n)", "dz_, s, n), *eps = row_of(eps_, i, n)",
           "eps of another sample"),
    Change("simd/gaussian.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(logvar[j]) / 2", "exp(logvar) for sigma"),
    Change("simd/gaussian.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(logvar[j] / 2)", "dlogvar: factor 2"),
    Change("simd/gaussian.c", THROUGH_SIGMA, "dlogvar[j] *= exp_real(-logvar[j] / 2) / 2", "dlogvar: 1 / sigma"),
    Change("simd/gaussian.c", "dmu[j] = dkl * mu[j]", "dmu[j] = mu[j]", "KL: dkl dropped"),
    Change("simd/gaussian.c", "dmu[j] = dkl * mu[j]", "dmu[j] = dkl * logvar[j]", "KL: logvar for mu"),
    Change("simd/gaussian.c", KL_LOGVAR, "dlogvar[j] = dkl * (exp_real(logvar[j]) / 2)", "KL: - 1 dropped"),
    Change("simd/gaussian.c", KL_LOGVAR, "dlogvar[j] = dkl * expm1_real(logvar[j])", "KL: factor 2"),
    Change("simd/gaussian.c", KL_LOGVAR, "dlogvar[j] = dkl * (expm1_real(mu[j]) / 2)", "KL: mu for logvar"),
    Change("simd/gaussian.c", "dkl = ((const REAL *)dkl_)[i]", "dkl = ((const REAL *)dkl_)[begin]", "KL: another dkl"),
    Change("gaussian.pyx", "q, dz_data,\n                                          eps_data, dmu_data, dlogvar_data",
           "q, dz_data,\n                                          dz_data, dmu_data, dlogvar_data", "dz for eps"),
    Change("gaussian.pyx", "eps_data, dmu_data, dlogvar_data", "eps_data, dlogvar_data, dmu_data", "dmu <-> dlogvar"),
    Change("gaussian.pyx", "q, dkl_data, dmu_data,\n                              dlogvar_data",
           "q, dkl_data, dlogvar_data,\n                              dmu_data", "KL: dmu <-> dlogvar"),
    Change(
        "gaussian.pyx",
        "table.kl_backward(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows)",
        "table.kl_backward(0, min(<Py_ssize_t>ROWS_PER_TASK, rows)",
        "KL: rows after the first 16 left out",
    ),
    Change(
        "gaussian.pyx",
        "table.reparameterize_backward(t * ROWS_PER_TASK, min((t + 1) * ROWS_PER_TASK, rows)",
        "table.reparameterize_backward(0, min(<Py_ssize_t>ROWS_PER_TASK, rows)",
        "samples: rows after the first 16 left out",
    ),
    # Likelihoods.
    Change("simd/likelihood.c", BERNOULLI, "dlogits[j] = scale * (x[j] + sigmoid_real(logits[j]))", "Bernoulli: x + p"),
    Change("simd/likelihood.c", BERNOULLI, "dlogits[j] = x[j] - sigmoid_real(logits[j])", "Bernoulli: no dlog_px"),
    Change("simd/likelihood.c", BERNOULLI, "dlogits[j] = scale * (x[j] - tanh_real(logits[j]))", "Bernoulli: tanh"),
    Change("simd/likelihood.c", BERNOULLI, "dlogits[j] = scale * (x[j] - softplus_real(logits[j]))",
           "Bernoulli: softplus"),
    Change(
        "simd/likelihood.c",
        "const REAL *x = X_ROW(i), *logits = OUTPUT_ROW(i);\n        REAL *dlogits",
        "const REAL *x = X_ROW(begin), *logits = OUTPUT_ROW(i);\n        REAL *dlogits",
        "Bernoulli: the first x for all rows",
    ),
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
    Change("simd/likelihood.c", "if (!dlogvar_) continue;", "if (dlogvar_) continue;", "Gaussian: no dlogvar"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[j] = scale * (x[j] - exp_real(logits[j] - max))",
           "categorical: not normalised"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[j] = scale * x[j] - exp_real(logits[j] - max) / sum",
           "categorical: dlog_px on one term"),
    Change("simd/likelihood.c", CATEGORICAL, "dlogits[j] = scale * x[j]", "categorical: softmax dropped"),
    Change("simd/likelihood.c", "+ i * dlogits_row + o->edges[g]", "+ i * dlogits_row", "categorical: first group"),
    Change("likelihood.pyx", "backward(t * step, min((t + 1) * step, rows), o, dlog_px_data",
           "backward(0, min(step, rows), o, dlog_px_data", "likelihoods: rows after the first task left out"),
    Change("likelihood.pyx", "table.gaussian_backward(t * step, min((t + 1) * step, rows)",
           "table.gaussian_backward(0, min(step, rows)", "Gaussian: rows after the first task left out"),
    # Adam.
    Change("simd/adam.c", FIRST_MOMENT, "m[i] = beta1 * m[i] + g", "Adam: m, factor dropped"),
    Change("simd/adam.c", FIRST_MOMENT, "m[i] = beta2 * m[i] + rest1 * g", "Adam: m decays with beta2"),
    Change("simd/adam.c", SECOND_MOMENT, "v[i] = beta2 * v[i] + rest2 * g", "Adam: v, not squared"),
    Change("simd/adam.c", SECOND_MOMENT, "v[i] = beta2 * v[i] + rest1 * (g * g)", "Adam: v with 1 - beta1"),
    Change("simd/adam.c", UPDATE, UPDATE.replace("-=", "+="), "Adam: uphill"),
    Change("simd/adam.c", UPDATE, UPDATE.replace(" / correction2", ""), "Adam: v not corrected"),
    Change("simd/adam.c", UPDATE, UPDATE.replace(" + epsilon", ""), "Adam: epsilon forgotten"),
    Change("simd/adam.c", UPDATE, "values[i] -= rate * (m[i] / ((sqrt_real(v[i]) + epsilon) / correction2))",
           "Adam: epsilon before the correction"),
    Change("simd/adam.c", "(REAL)(adam->learning_rate / adam->correction1)", "(REAL)adam->learning_rate",
           "Adam: m not corrected"),
    Change("adam.pyx", "sqrt(1 - a.beta2 ** <double>step)", "1 - a.beta2 ** <double>step", "Adam: no square root"),
    Change("adam.pyx", "table.update(&a, t * CHUNK, min((t + 1) * CHUNK, size)",
           "table.update(&a, 0, min(<Py_ssize_t>CHUNK, size)", "Adam: weights after the first chunk left out"),
]  # fmt: skip
