"""Kernels called in ways that nobody thought of: hypothesis draws sizes, places in memory, values and wrong arguments.

A call is drawn for a case of the catalogue in kernel_cases.py: its sizes and values, and for each array where it lies
(any distance from the alignment of 64 bytes, rows and columns any number of steps apart or backwards, column-major,
one row many times, byte-swapped, read-only). What surrounds an array is filled with canaries. Then

- results are those of the same call with plain arrays on one thread, to the bit, whatever the values;
- results are the twin's, within the case's bound, unless numbers are so large that they overflow on the way;
- no canary and no input has changed;
- a call with a wrong argument ends in an exception, or in a result within its output, never in anything worse.

By default few calls are drawn, the same ones every time; ``pytest -m slow`` draws many, and new ones.
"""

import zlib
from typing import NamedTuple

import numpy as np
import pytest
from kernel_cases import CASE, EDGES, LEVELS, NATIVE, REALS, Array, Sizes, assert_within, cpu, every_case, runtime

hypothesis = pytest.importorskip("hypothesis", reason="calls are drawn by hypothesis, which is not installed")
st = hypothesis.strategies

FEW, MANY = 8, 400
examples = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])


@pytest.fixture(autouse=True)
def level_and_threads_are_put_back():
    level, threads = cpu.get_level(), runtime.get_num_threads()
    yield
    cpu.set_level(level)
    runtime.set_num_threads(threads)


def fuzz(check, call, examples, name):
    """check(call) for so many draws of the strategy ``call``; few ones are always the same, different for each name."""
    check = hypothesis.given(call)(check)
    if examples == FEW:
        check = hypothesis.seed(zlib.crc32(name.encode()))(check)
    checks = list(hypothesis.HealthCheck)
    hypothesis.settings(max_examples=examples, deadline=None, database=None, suppress_health_check=checks)(check)()


# --- Where an array lies ---------------------------------------------------------------------------------------------

CANARY = 0xA5


class Place(NamedTuple):
    """Where an array lies in memory, and how; steps are those between neighbours along the first and the last axis."""

    offset: int = 0  # in elements, from a multiple of 64 bytes
    odd_bytes: int = 0  # and so many bytes more
    gap: int = 0  # elements after each row
    row_step: int = 1
    column_step: int = 1
    order: str = "C"
    repeated: bool = False  # its first row in place of all
    swapped: bool = False
    read_only: bool = False


OFFSETS, GAPS, ROW_STEPS = st.integers(0, 15), st.sampled_from([0, 0, 1, 3, 16]), st.sampled_from([1, 1, 2, -1, -3])
RARELY = st.sampled_from([False, False, False, True])
INPUT = st.tuples(
    OFFSETS, st.sampled_from([0, 0, 0, 1]), GAPS, ROW_STEPS, st.sampled_from([1, 1, 1, 2, -1]), st.sampled_from("CCF"),
    RARELY, RARELY, RARELY,
).map(lambda place: Place(*place))  # fmt: skip
OUTPUT = OFFSETS.map(Place)
OUTPUT_ROWS_APART = st.tuples(OFFSETS, st.just(0), GAPS, ROW_STEPS).map(lambda place: Place(*place))


class Placed:
    """A copy of an array at such a place; the rest of the memory around and between its elements holds canaries."""

    def __init__(self, a, place):
        dtype = a.dtype.newbyteorder() if place.swapped else a.dtype
        kept = a[:1] if place.repeated else a
        steps = [1] * a.ndim
        steps[0] = place.row_step if a.ndim > 1 else 1
        steps[-1] = place.column_step
        outer = [size * abs(step) for size, step in zip(kept.shape, steps, strict=True)]
        outer[-1] += place.gap
        first = 64 + place.offset * dtype.itemsize + place.odd_bytes
        self.memory = np.full(first + int(np.prod(outer)) * dtype.itemsize + 128, CANARY, np.uint8)
        start = -self.memory.ctypes.data % 64 + first
        self.inside = np.ndarray(outer, dtype, self.memory, start, order=place.order)[..., : outer[-1] - place.gap]
        self.inside = self.inside[tuple(slice(None, None, step) for step in steps)]
        self.inside[...] = kept
        self.before = self.memory.copy()
        self.array = np.broadcast_to(self.inside, a.shape) if place.repeated else self.inside[...]
        self.array.flags.writeable = not (place.repeated or place.read_only)

    def check_unchanged(self):
        assert np.array_equal(self.memory, self.before), "wrote to an input"

    def check_canaries(self):
        """The last thing that is done with it: what is inside becomes canaries as well, and then all must be."""
        self.inside[...] = np.frombuffer(bytes([CANARY]) * self.inside.itemsize, self.inside.dtype)[0]
        assert np.all(self.memory == CANARY), "wrote outside an output"


# --- Calls -----------------------------------------------------------------------------------------------------------

TINY = float(np.finfo(np.float32).tiny)
VALUES = {  # that are strewn among the normal numbers
    "normal": (),
    "mixed": (0.0, -0.0, TINY / 4, -TINY / 4, 1e-3, 1.0, -1.0, 40.0, -40.0),
    "wild": (0.0, TINY / 4, TINY, 1e4, 1e30, -1e30, 3e38, -3e38, np.inf, -np.inf, np.nan),
}


class Strewn(np.random.Generator):
    """Random numbers with special ones among them."""

    def __init__(self, seed, special):
        super().__init__(np.random.PCG64(seed))
        self.special = special

    def standard_normal(self, shape):
        x = super().standard_normal(shape)
        return np.where(super().random(shape) < 0.3, self.choice(self.special, shape), x) if self.special else x

    def random(self, shape):
        x = super().random(shape)
        return np.where(x < 0.2, np.round(5 * x), x) if self.special else x  # 0 and 1 among them


class Call(NamedTuple):
    """One way to call a kernel."""

    sizes: Sizes
    real: type
    values: str
    seed: int
    level: str
    threads: int
    places: dict  # name of an array: Place

    def arguments(self, case):
        with np.errstate(all="ignore"):
            arguments = case.make(self.sizes, self.real, Strewn(self.seed, VALUES[self.values]))
        for name, place in self.places.items():
            if place.repeated:
                arguments[name] = np.broadcast_to(arguments[name][:1], arguments[name].shape)
        return arguments


SIZE = st.one_of(st.integers(0, 40), st.sampled_from(EDGES))


@st.composite
def calls(draw, case):
    sizes = Sizes(draw(SIZE), draw(st.integers(1, 4)), draw(SIZE), draw(SIZE))
    hypothesis.assume(sizes.B * sizes.k * sizes.D <= 40_000 and sizes.B * sizes.D * sizes.H <= 2_000_000)
    places = {}
    for name, spec in {**case.inputs, **case.outputs}.items():
        if isinstance(spec, Array):
            output = OUTPUT_ROWS_APART if case.any_row_stride and len(spec.shape) > 1 else OUTPUT
            places[name] = draw(output if name in case.outputs else INPUT)
            if spec.dtype is not None:
                places[name] = places[name]._replace(repeated=False)
    return Call(
        sizes, draw(st.sampled_from(REALS)), draw(st.sampled_from(list(VALUES))), draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(LEVELS)), draw(st.integers(1, 4)), places,
    )  # fmt: skip


def run(case, arguments):
    """The native kernel's results by name."""
    returned = case.function(NATIVE)(**arguments)
    if returned is not None:
        return {"returned": np.asarray(returned)}
    return {name: np.array(arguments[name], order="C") for name in case.outputs}


def bits(a):
    """Bytes, with all NaN alike, whose sign and payload nobody promises."""
    return np.where(np.isnan(a), np.nan, a).tobytes()


def flushed(a):
    """Subnormal numbers as the zeros that the kernels take them for."""
    return np.where(np.abs(a) < np.finfo(a.dtype).tiny, a.dtype.type(0), a)


@every_case
@examples
def test_a_call_is_the_plain_call_and_the_twins(case, examples):
    def check(call):
        arguments = call.arguments(case)
        cpu.set_level(call.level)
        runtime.set_num_threads(1)
        plain = run(case, {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in arguments.items()})

        placed = {name: Placed(arguments[name], place) for name, place in call.places.items()}
        runtime.set_num_threads(call.threads)
        results = run(case, arguments | {name: p.array for name, p in placed.items()})
        for name, p in placed.items():
            p.check_canaries() if name in case.outputs else p.check_unchanged()
        for name, result in results.items():
            assert bits(result) == bits(plain[name]), f"{name} depends on places or threads"
        if call.values != "wild":
            floats = {name: flushed(arguments[name]) for name in case.floats(with_outputs=True)}
            assert_within(case, arguments | floats, plain, call.real)

    fuzz(check, calls(case), examples, str(case))


# --- Wrong arguments -------------------------------------------------------------------------------------------------

WRONG_ARRAYS = {
    "None": lambda a: None,
    "a list": lambda a: a.tolist(),
    "a number": lambda a: 1.0,
    "no dimensions": lambda a: np.array(1, a.dtype),
    "a dimension more": lambda a: a[..., None],
    "a dimension less": lambda a: a[0] if len(a) else a.ravel(),
    "transposed": lambda a: a.T,
    "no rows": lambda a: a[:0],
    "a row less": lambda a: a[:-1],
    "a row more": lambda a: np.zeros((len(a) + 1, *a.shape[1:]), a.dtype),
    "a column less": lambda a: a[..., :-1],
    "a column more": lambda a: np.zeros((*a.shape[:-1], a.shape[-1] + 1), a.dtype),
    **{f"of {dtype}": lambda a, dtype=dtype: np.zeros(a.shape, dtype) for dtype in ("f2", "f4", "f8", "i4", "i8", "O")},
    "of complex": lambda a: np.zeros(a.shape, complex),
    "of records": lambda a: np.zeros(a.shape, [("a", np.float32)]),
}
WRONG_NUMBERS = (
    None,
    -1,
    2**32,
    2**63 - 1,
    2**64 - 1,
    2**70,
    1.5,
    np.nan,
    -np.inf,
    "x",
    (),
    (-1, 2**32),
    [[1]],
    object(),
)


@st.composite
def wrong_calls(draw, case):
    """A call, and a few of its arguments with what becomes of them: a wrong value, or another argument's array."""
    call = draw(calls(case))
    names = draw(st.lists(st.sampled_from([*case.inputs, *case.outputs]), min_size=1, max_size=2, unique=True))
    wrong = {}
    for name in names:
        if name in call.places:
            wrong[name] = draw(st.sampled_from([*WRONG_ARRAYS, *(f"= {other}" for other in call.places)]))
        else:
            wrong[name] = draw(st.sampled_from(WRONG_NUMBERS))
    strides = draw(INPUT)._replace(repeated=False)  # for outputs: any
    places = {name: strides if name in wrong else place for name, place in call.places.items()}
    return call._replace(places=places), wrong


@every_case
@examples
def test_wrong_arguments_are_refused_or_do_no_harm(case, examples):
    def check(draw):
        call, wrong = draw
        arguments = call.arguments(case)
        for name, value in wrong.items():
            arguments[name] = WRONG_ARRAYS[value](arguments[name]) if value in list(WRONG_ARRAYS) else value
        placed = {}
        for name, place in call.places.items():
            a = arguments[name]
            if isinstance(a, np.ndarray) and a.ndim and a.dtype.kind in "fiu":
                placed[name] = Placed(a, place)
                arguments[name] = placed[name].array
        for name, value in wrong.items():
            if isinstance(value, str) and value.startswith("= "):
                arguments[name] = arguments[value[2:]]
        cpu.set_level(call.level)
        runtime.set_num_threads(call.threads)
        try:
            case.function(NATIVE)(**arguments)
        except (TypeError, ValueError, OverflowError, IndexError):
            pass
        written = [arguments[name] for name in case.outputs]
        for p in placed.values():
            p.check_canaries() if any(p.array is out for out in written) else p.check_unchanged()

    fuzz(check, wrong_calls(case), examples, str(case))


# --- Tensors of an arena ---------------------------------------------------------------------------------------------

EXTENTS = st.lists(st.integers(0, 20_000), max_size=12).map(
    lambda edges: np.reshape(edges[: len(edges) // 2 * 2], (-1, 2))
)
RISING = EXTENTS.map(lambda extents: np.sort(extents, axis=None).reshape(-1, 2))


@examples
@pytest.mark.parametrize("kernel", ["adam", "natural_step", "clear"])
def test_what_lies_between_tensors_is_left_alone(kernel, examples):
    """A tensor is moved as if there were no others, and the gaps not at all; extents that do not rise are refused."""
    case = CASE[kernel]

    def check(draw):
        size, extents, seed, threads = draw
        arguments = case.make(Sizes(size, 1, 1, 1), np.float32, seed)
        whole, parts = ({k: np.array(v) if k in case.outputs else v for k, v in arguments.items()} for _ in range(2))
        runtime.set_num_threads(threads)
        edges = [0, *extents.ravel(), size]
        if edges != sorted(edges):
            with pytest.raises(ValueError, match="extents must rise"):
                case.function(NATIVE)(**parts, extents=extents)
            whole = arguments
        else:
            case.function(NATIVE)(**whole)
            case.function(NATIVE)(**parts, extents=extents)
        inside = np.zeros(size, bool)
        for first, end in extents:
            inside[first:end] = True
        for name in case.outputs:
            right = np.where(inside, whole[name], arguments[name])
            assert right.tobytes() == parts[name].tobytes(), name

    sizes, seeds = st.integers(0, 20_000), st.integers(0, 2**32 - 1)
    fuzz(check, st.tuples(sizes, st.one_of(RISING, EXTENTS), seeds, st.integers(1, 4)), examples, kernel)
