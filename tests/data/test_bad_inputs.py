"""What users hand in: the bad is refused in one sentence that names it, the good gives the bits of a plain array."""

import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import pyvae
from pyvae.data.wrapped import Rows

ROWS, COLUMNS = 6, 4
PLAIN = (np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS) % 5 == 0).astype(np.float32)  # 0 and 1: of every type
MODELS = {
    word: pyvae.VAE.mlp(COLUMNS, latent_dim=COLUMNS, hidden=(3,), likelihood=word)
    for word in ("bernoulli", "gaussian", "poisson")
}
MODELS["one-hot"] = pyvae.VAE.mlp(COLUMNS, COLUMNS, (3,), likelihood=pyvae.Categorical([COLUMNS]))
MODELS["mixed"] = pyvae.VAE.mlp(COLUMNS, COLUMNS, (3,), likelihood=pyvae.Mixed([pyvae.Gaussian(2), pyvae.Poisson(2)]))
MODELS["float64"] = MODELS["gaussian"].astype(np.float64)


class Tensor:
    """What arrays of other libraries have in common."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error

    def __array__(self, dtype=None, copy=None):
        if self.error is not None:
            raise self.error
        return np.asarray(self.values, dtype)


def changed(value, place=(3, 2), dtype=None):
    """The plain array with another value in one place."""
    X = PLAIN.astype(dtype or np.float64)
    X[place] = value
    return X


def frame(**columns):
    """A DataFrame of the plain array, some columns of it replaced."""
    pandas = pytest.importorskip("pandas", reason="DataFrames are pandas', which is not installed")
    table = pandas.DataFrame(PLAIN, columns=["age", "height", "width", "colour"])
    for name, values in columns.items():
        table[name] = values(pandas) if callable(values) else values
    return table


def sparse(kind, X=PLAIN):
    from scipy import sparse

    return getattr(sparse, kind)(X)


# What no function takes: what it is, how to make it, and what is said of it after the argument's name. TypeError.
OF_WRONG_TYPE = [
    ("complex", lambda: PLAIN.astype(complex), " must hold real numbers, not complex numbers"),
    ("text", lambda: PLAIN.astype(str), " must hold real numbers, not text"),
    ("bytes", lambda: PLAIN.astype("S3"), " must hold real numbers, not bytes"),
    ("dates", lambda: PLAIN.astype("M8[D]"), " must hold real numbers, not dates"),
    ("spans", lambda: PLAIN.astype("m8[s]"), " must hold real numbers, not spans of time"),
    ("records", lambda: np.zeros(6, [("a", "f4"), ("b", "f4")]), " must hold real numbers, not records of a, b"),
    ("void", lambda: np.zeros((6, 4), "V4"), " must hold real numbers, not |V4"),
    ("object None", lambda: changed(None, dtype=object), "[3, 2] is None, but it must be a real number"),
    ("object text", lambda: changed("3.5", dtype=object), "[3, 2] is '3.5', but it must be a real number"),
    ("object complex", lambda: changed(1j, dtype=object), "[3, 2] is 1j, but it must be a real number"),
    ("object dict", lambda: changed({"a": [1] * 99}, dtype=object), "[3, 2] is {'a': [1, 1, 1,"),
    ("None", lambda: None, " must be an array (rows, features), or a list of rows, not None"),
    ("generator", lambda: (row for row in PLAIN), " or a list of rows, not of type generator"),
    ("dict", lambda: {"a": [1, 2]}, " or a list of rows, not of type dict"),
    ("file name", lambda: "rows.csv", " must be an array, not the name of a file: pyvae.datasets.load reads"),
    ("list with None", lambda: [[1, 0, 0, 1], [1, 0, None, 1]], "[1, 2] is None, but it must be a real number"),
    ("list with text", lambda: [[1, 0, 0, "1"]], " must hold real numbers, not text"),
    ("masked", lambda: np.ma.masked_equal(PLAIN, 1),
     "[0, 0] is masked: fill it, drop the row, or give ArraySource(X, missing=True)"),
    ("tensor with a gradient", lambda: Tensor(0, RuntimeError("it has a\ngradient.")),
     " must be an array, which no Tensor becomes here: it has a gradient"),
    ("tensor of text", lambda: Tensor([["a"]]), " must hold real numbers, not text"),
    ("column of text", lambda: frame(colour=lambda pd: pd.array(["red"] * 6, "string")),
     " must hold real numbers, but its column 'colour' holds string"),
    ("column of dates", lambda: frame(age=np.zeros(6, "M8[s]")), " but its column 'age' holds dates"),
    ("column of categories", lambda: frame(age=lambda pd: pd.Categorical([1, 2] * 3)), " 'age' holds category"),
    ("column of complex", lambda: frame(age=np.full(6, 1j)), " but its column 'age' holds complex numbers"),
    ("column of objects", lambda: frame(width=np.array([0, 1, {}, 0, 0, 0], object)), "[2, 2] (width) is {}, but"),
]  # fmt: skip

# And what has no such shape or values: ValueError.
OF_WRONG_VALUE = [
    ("object huge", lambda: changed(Fraction(10**400), dtype=object), "[3, 2] is larger than float64 holds"),
    ("object whole", lambda: changed(10**30, dtype=object), "[3, 2] is 1000000000000000000000000000000, but"),
    ("0-d", lambda: np.float32(3), " must be two-dimensional, (rows, features), not of shape ()"),
    ("number", lambda: 3, " must be two-dimensional, (rows, features), not of shape ()"),
    ("1-d", lambda: PLAIN[0], " not of shape (4,): reshape(1, -1) makes it one row, reshape(-1, 1) one column"),
    ("3-d", lambda: PLAIN[None], " must be two-dimensional, (rows, features), not of shape (1, 6, 4)"),
    ("no rows", lambda: PLAIN[:0], " must have at least one row and one column, not the shape (0, 4)"),
    ("no columns", lambda: PLAIN[:, :0], " must have at least one row and one column, not the shape (6, 0)"),
    ("empty list", lambda: [], " must be two-dimensional, (rows, features), not of shape (0,)"),
    ("ragged", lambda: [[1, 0, 0, 1], [1, 0]], " must be a table of numbers: row 1 has 2 columns, but row 0"),
    ("ragged deeper", lambda: [[1, 0], [1, [0]]], " must be a table of numbers"),
    ("wrong width", lambda: np.zeros((6, 5)), " must have "),
    ("nan", lambda: changed(np.nan), "[3, 2] is nan, but"),
    ("inf", lambda: changed(np.inf), "[3, 2] is inf, but"),
    ("-inf", lambda: changed(-np.inf, dtype=np.float32), "[3, 2] is -inf, but"),
    ("nan float16", lambda: changed(np.nan, dtype=np.float16), "[3, 2] is nan, but"),
    ("nan big-endian", lambda: changed(np.nan, dtype=">f8"), "[3, 2] is nan, but"),
    ("nan in a list", lambda: changed(np.nan).tolist(), "[3, 2] is nan, but"),
    ("beyond float32", lambda: changed(1e39), "[3, 2] is 1e+39, but float32 ends at 3.4e+38"),
    ("beyond float32 below", lambda: changed(-1e300), "[3, 2] is -1e+300, but float32 ends at 3.4e+38"),
    ("long double", lambda: changed(np.longdouble("1e400"), dtype=np.longdouble), "[3, 2] is inf, but"),
    ("whole", lambda: changed(2**24 + 1, dtype=np.int64), "[3, 2] is 16777217, but float32 rounds whole"),
    ("whole below", lambda: changed(-(2**31), dtype=np.int32), "[3, 2] is -2147483648, but float32 rounds"),
    ("whole uint64", lambda: changed(2**64 - 1, dtype=np.uint64), "[3, 2] is 18446744073709551615, but"),
    ("column with nan", lambda: frame(width=[0, 1, np.nan, 0, 0, 0]), "[2, 2] (width) is missing: fill it"),
    ("column with inf", lambda: frame(width=[0, 1, np.inf, 0, 0, 0]), "[2, 2] (width) is inf, but"),
    ("column of Int64 with NA", lambda: frame(height=lambda pd: pd.array([0, 1, 0, 0, None, 1], "Int64")),
     "[4, 1] (height) is missing: fill it, drop the row, or give ArraySource(X, missing=True)"),
    ("column of boolean with NA", lambda: frame(height=lambda pd: pd.array([None, True] * 3, "boolean")),
     "[0, 1] (height) is missing"),
    ("column of large keys", lambda: frame(age=np.full(6, 2**40)).astype("int64"), "[0, 0] (age) is 1099511627776"),
    ("no column", lambda: frame()[[]], " must have at least one row and one column"),
]  # fmt: skip

SPARSE = [
    ("complex", lambda: sparse("csr_matrix").astype(complex), " must hold real numbers, not complex numbers"),
    ("nan", lambda: sparse("coo_array", changed(np.nan)), "[3, 2] is nan, but"),
    ("inf", lambda: sparse("csc_matrix", changed(np.inf)), "[3, 2] is inf, but"),
    ("whole", lambda: sparse("csr_array", changed(2**24 + 1, dtype=np.int64)), "[3, 2] is 16777217, but float32"),
    ("1-d", lambda: sparse("coo_array", PLAIN[0]), " must have at least one row and one column, not the shape (4,)"),
    ("no rows", lambda: sparse("csr_array", PLAIN[:0]), " must have at least one row and one column"),
    ("wrong width", lambda: sparse("csr_array", np.zeros((6, 5))), " must have "),
]  # fmt: skip

# What some likelihoods do not take.
RANGES = [
    ("bernoulli", changed(1.5), "[3, 2] is 1.5, but the Bernoulli likelihood takes numbers from 0 to 1"),
    ("bernoulli", changed(-0.25), "[3, 2] is -0.25, but the Bernoulli likelihood takes numbers from 0 to 1"),
    (
        "bernoulli",
        changed(255, dtype=np.uint8),
        "[3, 2] is 255, but the Bernoulli likelihood takes numbers from 0 to 1",
    ),
    ("bernoulli", changed(1 + 1e-6), "[3, 2] is 1.000001, but the Bernoulli likelihood takes numbers from 0 to 1"),
    ("poisson", changed(0.5), "[3, 2] is 0.5, but the Poisson likelihood takes whole numbers from 0"),
    ("poisson", changed(-1, dtype=np.int8), "[3, 2] is -1, but the Poisson likelihood takes whole numbers from 0"),
    ("mixed", changed(-1, dtype=np.int8), "[3, 2] is -1, but the Poisson likelihood takes whole numbers from 0"),
    ("one-hot", np.ones((1, 4)), "[0, 0] is 1, but the Categorical likelihood takes one-hot groups: "),
    ("float64", changed(np.nan), "[3, 2] is nan, but the Gaussian likelihood takes real numbers"),
]

EPS = np.zeros((ROWS, COLUMNS))
QUIET = {"epochs": 1, "progress": False}
# How arguments are handed in: the argument's name, and a call with the model and what takes its place.
CALLS = {
    "train": ("X", lambda model, X: pyvae.train(model, X, **QUIET)),
    "train, X_val": ("X_val", lambda model, X: pyvae.train(model, PLAIN, X_val=X, **QUIET)),
    "encode": ("X", lambda model, X: model.encode(X)),
    "reconstruct": ("X", lambda model, X: model.reconstruct(X)),
    "elbo": ("X", lambda model, X: model.elbo(X)),
    "elbo_terms": ("X", lambda model, X: model.elbo_terms(X)),
    "log_likelihood": ("X", lambda model, X: model.log_likelihood(X, n_samples=3)),
    "loss_and_gradients": ("x", lambda model, X: model.loss_and_gradients(X, EPS)),
    "check_gradients": ("X", lambda model, X: pyvae.check_gradients(model, X)),
    "ArraySource": ("X", lambda model, X: model.elbo(pyvae.ArraySource(X))),
    "decode": ("Z", lambda model, X: model.decode(X)),
    "eps": ("eps", lambda model, X: model.loss_and_gradients(PLAIN, X)),
}


def refuse(call, error, model, words, folder, given=None):
    """The call raises the error with one sentence that has the words; nothing is changed, nothing written."""
    before = model.parameters.values.tobytes(), model.parameters.grads.tobytes(), _bytes(given)
    with pytest.raises(error) as raised:
        call()
    message = str(raised.value)
    assert type(raised.value) is error and words in message
    assert "\n" not in message and not message.removesuffix("...").endswith((".", " ", ":")) and len(message) < 250
    assert (model.parameters.values.tobytes(), model.parameters.grads.tobytes(), _bytes(given)) == before
    assert not list(folder.iterdir())
    return message


def _bytes(given):
    return given.tobytes() if isinstance(given, np.ndarray) and given.dtype != object else repr(given)


TABLES = [(*case, TypeError) for case in OF_WRONG_TYPE] + [(*case, ValueError) for case in OF_WRONG_VALUE]


@pytest.mark.parametrize(("make", "words", "error"), [case[1:] for case in TABLES], ids=[case[0] for case in TABLES])
def test_bad_tables(make, words, error, tmp_path, monkeypatch):
    """By every function that takes a table."""
    monkeypatch.chdir(tmp_path)
    model = MODELS["gaussian"]
    for name, (argument, call) in CALLS.items():
        X = make()
        if (X is None and name == "train, X_val") or ("float32 ends" in words and name == "check_gradients"):
            continue  # no rows to validate on; gradients are checked in float64
        message = refuse(lambda call=call, X=X: call(model, X), error, model, words, tmp_path, X)
        assert re.match(rf"{argument}\b", message), message


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in SPARSE], ids=[case[0] for case in SPARSE])
def test_bad_sparse_matrices(make, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MODELS["gaussian"]
    for name, (argument, call) in CALLS.items():
        error = TypeError if "complex" in words else ValueError
        if name == "ArraySource":
            error, expected = TypeError, "must be a dense array, not a sparse"
        else:
            expected = words
        message = refuse(lambda call=call: call(model, make()), error, model, expected, tmp_path)
        assert re.match(rf"{argument}\b", message), message


@pytest.mark.parametrize(("kind", "X", "words"), RANGES, ids=[f"{kind} {words[:14]}" for kind, _, words in RANGES])
def test_values_that_a_likelihood_does_not_take(kind, X, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = MODELS[kind]
    for argument, call in [called for name, called in CALLS.items() if name not in ("decode", "eps")]:
        valid = np.eye(COLUMNS, dtype=np.float32)[[0] * ROWS] if kind == "one-hot" else PLAIN
        if argument == "X_val":
            message = refuse(
                lambda X=X, valid=valid: pyvae.train(model, valid, X_val=X, **QUIET),
                ValueError, model, argument + words, tmp_path, X,
            )  # fmt: skip
        else:
            message = refuse(lambda call=call, X=X: call(model, X), ValueError, model, argument + words, tmp_path, X)
        assert message.startswith(argument)


class Weighted(pyvae.DataSource):
    """Rows with weights, as a user's own source hands them out."""

    n_features = COLUMNS

    def __init__(self, **batch):
        self.batch = batch

    def __len__(self):
        return ROWS

    def gather(self, rows, noise=None, out=None):
        x = np.empty((len(rows), COLUMNS), np.float32) if out is None else out
        x[...] = PLAIN[rows]
        return pyvae.Batch(x, **{"rows": rows, **self.batch})


def train(**options):
    return lambda model: pyvae.train(model, PLAIN, **{**QUIET, **options})


def weighted(**batch):
    return lambda model: pyvae.train(model, Weighted(**batch), **QUIET)


BAD_ARGUMENTS = [
    (lambda m: m.sample("3"), "n must be a whole number from 1 to 4294967296, not '3'"),
    (lambda m: m.sample(n=2.0), "n must be a whole number from 1 to 4294967296, not 2.0"),
    (lambda m: m.sample(n=True), "n must be a whole number from 1 to 4294967296, not True"),
    (lambda m: m.sample(n=np.True_), "n must be a whole number from 1"),
    (lambda m: m.sample(n=-1), "n must be a whole number from 1 to 4294967296, not -1"),
    (lambda m: m.sample(n=10**30), "n must be a whole number from 1 to 4294967296, not 1000000"),
    (lambda m: m.sample(n=np.array([3])), "n must be a whole number from 1 to 4294967296, not array("),
    (lambda m: m.sample(n=None), "n must be a whole number from 1 to 4294967296, not None"),
    (lambda m: m.sample(2, seed=-1), "seed must be a whole number of at least 0, not -1"),
    (lambda m: m.sample(2, seed=1.0), "seed must be a whole number of at least 0, not 1.0"),
    (lambda m: m.elbo(PLAIN, seed="0"), "seed must be a whole number of at least 0, not '0'"),
    (lambda m: m.elbo(PLAIN, seed=None), "seed must be a whole number of at least 0, not None"),
    (lambda m: m.elbo(PLAIN, n_samples=0), "n_samples must be a whole number from 1 to 4294967296"),
    (lambda m: m.elbo(PLAIN, n_samples=True), "n_samples must be a whole number from 1"),
    (lambda m: m.elbo(PLAIN, n_samples=10**30), "n_samples must be a whole number from 1"),
    (lambda m: m.log_likelihood(PLAIN, n_samples="9"), "n_samples must be a whole number from 1"),
    (lambda m: m.log_likelihood(PLAIN, n_samples=2.5), "n_samples must be a whole number from 1"),
    (lambda m: m.log_likelihood(PLAIN, 3, seed=True), "seed must be a whole number of at least 0"),
    (lambda m: pyvae.check_gradients(m, PLAIN, n_samples="1"), "n_samples must be a whole number from 1"),
    (lambda m: pyvae.check_gradients(m, PLAIN, n_samples=0), "n_samples must be a whole number from 1"),
    (lambda m: pyvae.check_gradients(m, PLAIN, seed=-1), "seed must be a whole number from 0, not -1"),
    (lambda m: pyvae.check_gradients(m, PLAIN, seed=0.5), "seed must be a whole number from 0, not 0.5"),
    (lambda m: pyvae.check_gradients(m, PLAIN, tolerance="1"), "tolerance must be a number from 0"),
    (lambda m: pyvae.check_gradients(m, PLAIN, tolerance=np.nan), "tolerance must be a number from 0"),
    (lambda m: pyvae.check_gradients(m, PLAIN, beta="1"), "beta must be a number from 0, not '1'"),
    (lambda m: m.loss_and_gradients(PLAIN, EPS, beta=-1), "beta must be a number from 0, not -1"),
    (lambda m: m.loss_and_gradients(PLAIN, EPS, beta=True), "beta must be a number from 0, not True"),
    (lambda m: m.loss_and_gradients(PLAIN, EPS[:5]), "eps must have k rows for each of the 6 rows of x"),
    (lambda m: pyvae.set_num_threads("2"), "n must be a whole number of threads from 1 to 1024, not '2'"),
    (lambda m: pyvae.set_num_threads(2.0), "n must be a whole number of threads from 1 to 1024, not 2.0"),
    (lambda m: pyvae.set_num_threads(10**30), "n must be a whole number of threads from 1 to 1024"),
    (lambda m: pyvae.set_num_threads(np.True_), "n must be a whole number of threads from 1 to 1024"),
    (lambda m: pyvae.threads(-1).__enter__(), "n must be a whole number of threads from 1 to 1024"),
    (lambda m: pyvae.set_matmul_precision(["high"]), "precision must be one of highest, high, medium"),
    (train(epochs=True), "epochs must be a whole number of at least 0, not True"),
    (train(epochs="3"), "epochs must be a whole number of at least 0, not '3'"),
    (train(batch_size=2.0), "batch_size must be a whole number of at least 1, not 2.0"),
    (train(batch_size=0), "batch_size must be a whole number of at least 1, not 0"),
    (train(learning_rate="fast"), "learning_rate must be a number above 0, not 'fast'"),
    (train(learning_rate=True), "learning_rate must be a number above 0, not True"),
    (train(learning_rate=np.complex64(1)), "learning_rate must be a number above 0"),
    (train(learning_rate=np.array([0.1])), "learning_rate must be a number above 0, not array([0.1])"),
    (train(learning_rate=b"1"), "learning_rate must be a number above 0, not b'1'"),
    (train(learning_rate=10**400), "learning_rate must be a number above 0, not 1000"),
    (train(learning_rate=np.nan), "learning_rate must be a number above 0, not nan"),
    (train(beta=-1), "beta must be a number from 0, not -1"),
    (train(clip_norm=0), "clip_norm must be a number above 0, not 0"),
    (train(weight_decay=np.inf), "weight_decay must be a number from 0, not inf"),
    (train(validation_fraction="half"), "validation_fraction must be a number from 0 and below 1"),
    (train(seed=1.5), "seed must be a whole number of at least 0, not 1.5"),
    (train(n_samples=-2), "n_samples must be a whole number of at least 1, not -2"),
    (lambda m: pyvae.ArraySource(PLAIN, scale="1"), "scale must be a number above 0, not '1'"),
    (lambda m: pyvae.ArraySource(PLAIN, scale=True), "scale must be a number above 0, not True"),
    (lambda m: pyvae.ArraySource(PLAIN, binarize=True), "binarize must be None, 'threshold' or 'draw'"),
    (lambda m: pyvae.ArraySource(PLAIN).gather([[0]]), "rows must be one-dimensional, not of shape (1, 1)"),
    (lambda m: pyvae.VAE.mlp(4, hidden="400"), "hidden must be a list of sizes, such as (400, 200), not '400'"),
    (lambda m: pyvae.VAE.mlp(4, hidden=(0,)), "n_out must be a whole number of at least 1, not 0"),
    (lambda m: pyvae.VAE.mlp(4, hidden=400), "hidden must be a list of sizes, such as (400, 200), not 400"),
    (weighted(weight=np.full(ROWS, -1.0)), "weight[0] must be a finite number from 0, not -1"),
    (weighted(weight=[1, 1, np.nan, 1, 1, 1]), "weight[2] must be a finite number from 0, not nan"),
    (weighted(weight=np.ones(5)), "weight of a Batch must have the shape (6,), not (5,)"),
    (weighted(weight=np.zeros(ROWS)), "weight must not be 0 for every row of a batch"),
    (weighted(observed=np.ones(ROWS, bool)), "observed of a Batch must have the shape (6, 4), not (6,)"),
    (weighted(rows=np.arange(5)), "rows of a Batch must be one number for each of its 6, not 5"),
]  # fmt: skip
ARGUMENTS_OF_WRONG_TYPE = [
    (lambda m: pyvae.ArraySource(PLAIN).gather([0.5]), "rows must be whole numbers, not float64"),
    (lambda m: pyvae.ArraySource(PLAIN).gather(PLAIN[:, 0] > 0), "rows must be whole numbers, not bool"),
    (weighted(weight=["heavy"] * ROWS), "weight must hold real numbers, not "),
    (weighted(rows=np.arange(6.0)), "rows must be whole numbers, not float64"),
    (lambda m: pyvae.Batch(PLAIN.tolist()), "x of a Batch must be a two-dimensional array of float32 or"),
    (lambda m: pyvae.Batch(PLAIN.astype(int)), "x of a Batch must be a two-dimensional array of float32 or"),
]  # fmt: skip


ARGUMENTS = [(*case, ValueError) for case in BAD_ARGUMENTS] + [(*case, TypeError) for case in ARGUMENTS_OF_WRONG_TYPE]


@pytest.mark.parametrize(("call", "words", "error"), ARGUMENTS, ids=[words for _, words, _ in ARGUMENTS])
def test_bad_arguments(call, words, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = pyvae.VAE.mlp(COLUMNS, latent_dim=COLUMNS, hidden=(3,))  # its own: a step clears the gradients
    assert refuse(lambda: call(model), error, model, words, tmp_path).startswith(words)


def strided(dtype=np.float32):
    X = np.zeros((3 * ROWS, 2 * COLUMNS), dtype)
    X[::3, 1::2] = PLAIN
    return X[::3, 1::2]


def unaligned():
    """As a field of packed records has it."""
    records = np.zeros(ROWS, np.dtype([("key", "u1"), ("x", "f4", COLUMNS)]))
    records["x"] = PLAIN
    return records["x"]


def mapped(dtype, folder, name="x.npy", **options):
    np.save(folder / name, PLAIN.astype(dtype))
    return np.load(folder / name, mmap_mode="r", **options)


GOOD = {
    **{
        f"{order}{code}": (lambda tmp_path, dtype=order + code: PLAIN.astype(dtype))
        for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "g")
        for order in "<>"
    },
    "bool": lambda tmp_path: PLAIN.astype(bool),
    "object": lambda tmp_path: PLAIN.astype(object),
    "object of Decimal": lambda tmp_path: np.array([[Decimal(int(x)) for x in row] for row in PLAIN]),
    "object of Fraction": lambda tmp_path: np.array([[Fraction(int(x)) for x in row] for row in PLAIN]),
    "object of NumPy's": lambda tmp_path: np.array([[np.bool(x) for x in row] for row in PLAIN], object),
    "Fortran order": lambda tmp_path: np.asfortranarray(PLAIN),
    "Fortran order, big-endian": lambda tmp_path: np.asfortranarray(PLAIN.astype(">f8")),
    "rows backwards": lambda tmp_path: np.ascontiguousarray(PLAIN[::-1])[::-1],
    "columns backwards": lambda tmp_path: np.ascontiguousarray(PLAIN[:, ::-1])[:, ::-1],
    "strided": lambda tmp_path: strided(),
    "strided uint8": lambda tmp_path: strided(np.uint8),
    "unaligned": lambda tmp_path: unaligned(),
    "read-only bytes": lambda tmp_path: np.frombuffer(PLAIN.tobytes(), np.float32).reshape(PLAIN.shape),
    "memory-mapped": lambda tmp_path: mapped(np.float32, tmp_path),
    "memory-mapped, big-endian": lambda tmp_path: mapped(">f8", tmp_path),
    "memory-mapped, Fortran order": lambda tmp_path: mapped(">f4", tmp_path).T.copy().T,
    "memory-mapped integers": lambda tmp_path: mapped(np.int64, tmp_path),
    "list": lambda tmp_path: PLAIN.tolist(),
    "list of whole numbers": lambda tmp_path: PLAIN.astype(int).tolist(),
    "tuple of arrays": lambda tmp_path: tuple(PLAIN),
    "list of lists and arrays": lambda tmp_path: [list(PLAIN[0]), *PLAIN[1:]],
    "matrix": lambda tmp_path: PLAIN.view(np.matrix),
    "masked array that masks nothing": lambda tmp_path: np.ma.masked_array(PLAIN),
    "__array__": lambda tmp_path: Tensor(PLAIN),
    "__array__ of float64": lambda tmp_path: Tensor(PLAIN.astype(np.float64)),
    "DataFrame": lambda tmp_path: frame(),
    "DataFrame of several types": lambda tmp_path: frame(
        age=PLAIN[:, 0].astype(np.int64), height=PLAIN[:, 1].astype(bool), width=PLAIN[:, 2].astype(object)
    ),
    "DataFrame of nullable types": lambda tmp_path: frame().astype(
        {"age": "Int64", "height": "Float32", "width": "boolean"}
    ),
    "DataFrame with its columns named twice": lambda tmp_path: frame().set_axis([1, 1, "x", "x"], axis=1),
    "DataFrame of another index": lambda tmp_path: frame().set_index(np.arange(ROWS)[::-1] * 10),
    "ArraySource": lambda tmp_path: pyvae.ArraySource(PLAIN),
    "rows of a source": lambda tmp_path: Rows(pyvae.ArraySource(np.vstack([PLAIN, PLAIN])), np.arange(ROWS)),
}  # fmt: skip


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_good_tables_are_the_plain_array(make, tmp_path):
    """To the bit, in everything that is computed of them; what was handed in is left as it was."""
    X, model = make(tmp_path), MODELS["bernoulli"]
    writeable = X.flags.writeable if isinstance(X, np.ndarray) else None
    before = _bytes(X)
    assert pyvae.data.as_source(X).gather(np.arange(ROWS)).x.tobytes() == PLAIN.tobytes()
    for call in (
        model.encode, model.reconstruct, model.elbo, model.elbo_terms,
        lambda X: model.log_likelihood(X, n_samples=3),
        lambda X: (model.loss_and_gradients(X, EPS), *model.parameters.grads),
    ):  # fmt: skip
        np.testing.assert_array_equal(call(X), call(PLAIN))
    trained = [pyvae.VAE.mlp(COLUMNS, latent_dim=2, hidden=(3,)) for _ in range(2)]
    for other, rows in zip(trained, (X, PLAIN), strict=True):
        pyvae.train(other, rows, epochs=2, batch_size=4, progress=False, seed=3)
    np.testing.assert_array_equal(trained[0].parameters.values, trained[1].parameters.values)
    assert _bytes(X) == before
    assert writeable is None or X.flags.writeable == writeable


@pytest.mark.parametrize("rows", [PLAIN[:1], PLAIN[:, :1]], ids=["one row", "one feature"])
def test_one_of_either_is_enough(rows):
    model = pyvae.VAE.mlp(rows.shape[1], latent_dim=1, hidden=(2,))
    pyvae.train(model, rows, epochs=1, progress=False)
    assert np.isfinite(model.elbo(rows)).all() and model.reconstruct(rows).shape == rows.shape


@pytest.mark.parametrize("dtype", ["u1", "f4", "f8", ">f4", ">f8"])
def test_what_the_kernels_read_stays_on_disk(dtype, tmp_path):
    source = pyvae.ArraySource(mapped(dtype, tmp_path))
    assert isinstance(source.X, np.memmap) and source.X.dtype == np.dtype(dtype)


def test_whole_numbers_that_float32_holds():
    """Counts up to 2^24 keep their value, as integers and as float64; larger float64 are rounded as all of them are."""
    for dtype in (np.int64, np.uint32, np.float64, object):
        X = np.array([[2**24, 2**24 - 1, 7, 0]]).astype(dtype)
        assert pyvae.ArraySource(X).gather([0]).x.astype(np.int64).tolist() == [[2**24, 2**24 - 1, 7, 0]]
    rounded = pyvae.ArraySource(np.array([[2.0**24 + 1]])).gather([0])
    assert rounded.x[0, 0] == 2**24


def test_a_model_in_float64_takes_what_float64_holds():
    """float32 ends at 3.4e38; the same rows are within float64's reach."""
    assert np.isfinite(MODELS["float64"].encode(changed(1e39))[0]).all()
    with pytest.raises(ValueError, match=r"^Z\[0, 1\] is 1e\+40, but float32 ends at 3.4e\+38$"):
        MODELS["gaussian"].decode([[0, 1e40, 0, 0]])


def test_a_data_frame_names_its_columns_among_rows_held_out():
    """Though training sees a part of the rows, by other numbers."""
    table = frame(width=[0.5, 0.5, 0.5, 0.5, 7, 0.5])
    with pytest.raises(ValueError, match=r"^X\[4, 2\] \(width\) is 7, but the Bernoulli likelihood takes"):
        pyvae.train(MODELS["bernoulli"], table, validation_fraction=0.2, **QUIET)
