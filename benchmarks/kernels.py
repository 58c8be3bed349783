"""Every kernel: checked, then timed, against its NumPy twin (whose products are BLAS) and against the machine's limit.

    python benchmarks/kernels.py [--rounds 15] [--json FILE] [--png FILE]

The limits are measured in the same rounds: of products the multiply-adds that all threads can do in registers, of Adam
a pass over the same four arrays that computes next to nothing (limits.c, compiled here; without a compiler there are no
limits). Kernels, twins and limits are a process each, as BLAS's waiting threads would slow down whoever comes next in
theirs. Rounds are interleaved; printed are medians over rounds, and medians of the ratios within a round. The twin of
the normal numbers is NumPy's Generator.standard_normal, on one thread each.
"""

import argparse
import ctypes
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from processes import Contestant, serve

import pyvae
from pyvae import _kernels
from pyvae._kernels import elementwise_ref, likelihood_ref, optimizer_ref
from pyvae.workspace import aligned_empty

PRODUCTS = [(128, 784, 400), (32, 784, 400), (512, 784, 400), (20, 784, 200), (256, 1024, 1024), (256, 64, 32)]
N_WEIGHTS = 650_000


def compiled_limits():
    """limits.c as a library; None where there is no compiler."""
    folder = tempfile.mkdtemp()
    library = Path(folder) / "limits.so"
    source = Path(__file__).with_name("limits.c")
    command = ["cc", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", str(source), "-o", str(library)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    limits = ctypes.CDLL(str(library))
    limits.multiply_adds.restype = ctypes.c_double
    limits.multiply_adds.argtypes = (ctypes.c_ssize_t, ctypes.c_int)
    limits.streams.argtypes = (ctypes.c_ssize_t, *[ctypes.c_void_p] * 4, ctypes.c_int)
    return limits


def array(*shape, seed=0):
    out = aligned_empty(shape, np.float32)
    out[...] = np.random.default_rng(seed).standard_normal(shape)
    return out


def product_cases(limits, threads):
    """(name, ours, twin, limit): three products of each shape, and the limit for as many multiply-adds."""
    for rows, n_in, n_out in PRODUCTS:
        x, W, b, dy = array(rows, n_in), array(n_in, n_out, seed=1), array(n_out, seed=2), array(rows, n_out, seed=3)
        y, dx, dW = array(rows, n_out), array(rows, n_in), array(n_in, n_out)
        count = rows * n_in * n_out
        limit = None if limits is None else lambda count=count: limits.multiply_adds(count, threads)
        name = f"{rows}x{n_in}x{n_out}"

        def twin_forward(x=x, W=W, b=b, y=y):
            np.matmul(x, W, out=y)
            y += b

        yield (
            f"y = x W + b   {name}",
            lambda x=x, W=W, b=b, y=y: _kernels.dense(x, W, b, None, y),
            twin_forward,
            limit,
            y,
        )
        yield (
            f"dx = dy W'    {name}", lambda dy=dy, W=W, dx=dx: _kernels.dense_dx(dy, W, dx),
            lambda dy=dy, W=W, dx=dx: np.matmul(dy, W.T, out=dx), limit, dx,
        )  # fmt: skip
        yield (
            f"dW = x' dy    {name}", lambda x=x, dy=dy, dW=dW: _kernels.dense_dW(x, dy, dW),
            lambda x=x, dy=dy, dW=dW: np.matmul(x.T, dy, out=dW), limit, dW,
        )  # fmt: skip


def pass_cases(limits, threads):
    """The passes over arrays."""
    x, logits, log_px, dlogits = abs(array(128, 784)) % 1, array(128, 784), array(128), array(128, 784)
    yield (
        "Bernoulli log-likelihood 128x784", lambda: _kernels.bernoulli(x, logits, log_px),
        lambda: likelihood_ref.bernoulli(x, logits, log_px), None, log_px,
    )  # fmt: skip
    dlog_px = np.ones(128, np.float32)
    yield (
        "Bernoulli gradient 128x784", lambda: _kernels.bernoulli_backward(dlog_px, x, logits, dlogits),
        lambda: likelihood_ref.bernoulli_backward(dlog_px, x, logits, dlogits), None, dlogits,
    )  # fmt: skip
    for activation in ("relu", "tanh", "softplus"):
        a, out = array(128, 400), array(128, 400)
        yield (
            f"{activation} 128x400", lambda a=a, f=activation, out=out: _kernels.activate(a, f, out),
            lambda a=a, f=activation, out=out: elementwise_ref.activate(a, f, out), None, out,
        )  # fmt: skip
    values, grads, m, v = (array(N_WEIGHTS, seed=i) for i in range(4))
    v[...] **= 2
    start = [values.copy(), m.copy(), v.copy()]
    extents = np.array([(0, N_WEIGHTS)])

    def step(function):
        values[...], m[...], v[...] = start
        function(values, grads, m, v, 1e-3, 0.9, 0.999, 1e-8, 10, extents)

    step(_kernels.adam)
    ours = values.copy()
    step(optimizer_ref.adam)
    assert np.allclose(ours, values, rtol=1e-5, atol=1e-7), "Adam"
    others = [array(N_WEIGHTS, seed=i) for i in range(4)]
    yield (
        f"Adam, {N_WEIGHTS} weights", lambda: _kernels.adam(values, grads, m, v, 1e-9, 0.9, 0.999, 1e-8, 10, extents),
        lambda: optimizer_ref.adam(values, grads, m, v, 1e-9, 0.9, 0.999, 1e-8, 10),
        None if limits is None else lambda: limits.streams(N_WEIGHTS, *(a.ctypes.data for a in others), threads), None,
    )  # fmt: skip
    normals, rng = np.empty((1000, 1000), np.float32), np.random.default_rng(0)
    rows = np.arange(1000)

    def ours_on_one_thread():
        with pyvae.threads(1):
            _kernels.normal((1, 2), 3, rows, normals)

    yield (
        "normals, a million, one thread", ours_on_one_thread,
        lambda: rng.standard_normal(normals.shape, dtype=np.float32, out=normals), None, None,
    )  # fmt: skip


def verify(name, ours, twin, out):
    """Both leave the same in `out`, to float32's accuracy."""
    if out is None:
        return
    ours()
    result = out.copy()
    twin()
    scale = np.abs(out).max()
    error = np.abs(result - out).max() / scale
    assert error < 1e-4, f"{name}: kernel and twin differ by {error:g} of the largest number"


def seconds(function, warm_up=0.03, at_least=0.03):
    """Of one call, from as many as take 30 milliseconds, after 30 in which the threads wake up and spread out."""
    for duration in (warm_up, at_least):
        count, total, start = 0, 0.0, time.perf_counter()
        while total < duration:
            function()
            count += 1
            total = time.perf_counter() - start
    return total / count


def all_cases():
    threads, limits = pyvae.get_num_threads(), compiled_limits()
    return [*product_cases(limits, threads), *pass_cases(limits, threads)]


def child(who):
    """One of kernel, twin and limit: answers the number of a case with microseconds, or "none"."""
    place = {"kernel": 1, "twin": 2, "limit": 3}[who]
    functions = [case[place] for case in all_cases()]
    serve(lambda i: "none" if functions[int(i)] is None else 1e6 * seconds(functions[int(i)]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    names = []
    for name, ours, twin, _, out in all_cases():
        verify(name, ours, twin, out)
        names.append(name)
    contestants = {who: Contestant(__file__, "--child", who) for who in ("kernel", "twin", "limit")}
    print(f"{pyvae.get_num_threads()} threads, {_kernels.info()['isa']}; us per call; ratios within rounds")
    print(f"{'':34} {'kernel':>9} {'twin':>9} {'limit':>9}  {'twin/k.':>7} {'of limit':>8}")
    results = {}
    for i, name in enumerate(names):
        rounds = [{who: c.ask_undisturbed(i).strip() for who, c in contestants.items()} for _ in range(options.rounds)]
        there = [who for who in contestants if rounds[0][who] != "none"]
        times = {who: [float(r[who]) for r in rounds] for who in there}
        ratios = {
            who: statistics.median(t / k for t, k in zip(times[who], times["kernel"], strict=True)) for who in there
        }
        line = f"{name:34} " + " ".join(
            f"{statistics.median(times[who]) if who in there else '':9{'.1f' if who in there else ''}}"
            for who in contestants
        )
        share = f"{100 * ratios['limit']:7.0f}%" if "limit" in there else ""
        print(f"{line}  {ratios['twin']:6.2f}x {share}".rstrip(), flush=True)
        results[name] = {
            "microseconds": times, "twin_over_kernel": ratios["twin"], "share_of_limit": ratios.get("limit"),
        }  # fmt: skip
    for contestant in contestants.values():
        contestant.close()
    if options.json:
        options.json.write_text(json.dumps({"info": _kernels.info(), "results": results}, indent=1) + "\n")
    if options.png:
        draw(results, options.png)


def draw(results, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.28 * len(results) + 0.8), dpi=120, layout="constrained")
    axes = figure.subplots()
    names = list(results)[::-1]
    axes.barh(names, [results[name]["twin_over_kernel"] - 1 for name in names], left=1)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    axes.set_xlabel("time of NumPy / time of the kernel")
    axes.tick_params(axis="y", labelsize=8, labelfontfamily="monospace")
    figure.savefig(path)


if __name__ == "__main__":
    main()
