"""Use the library in every way in which threads and processes can go wrong, many times; print a table of what did.

    python tests/repeat_processes.py                        every scenario 200 times
    python tests/repeat_processes.py -n 20 fork loky        these alone, 20 times

A repetition is wrong where a number, of encoding, scoring, sampling or training, differs by a bit from what one thread
computes alone, and dead where nothing is heard of it for two minutes. Each scenario runs in a process of its own, which
says "ok" after each repetition; one that is dead is ended and a new one does the rest. What is slow to start (pools of
new interpreters, torch) is used for several repetitions and then started anew.
"""

import argparse
import concurrent.futures
import contextlib
import gc
import hashlib
import importlib.util
import itertools
import multiprocessing
import os
import random
import selectors
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np

REPETITIONS = 200
SILENCE = 120  # seconds without a word after which a repetition is dead
SCENARIOS = {}


def scenario(function):
    """A generator that does the thing once for each ``yield``; an exception is a wrong repetition."""
    SCENARIOS[function.__name__] = function
    return function


# What is computed, and its right bits.


def rows(n=400):
    return np.random.default_rng(0).random((n, 40), dtype=np.float32)


def make(seed=0):
    import pyvae

    return pyvae.VAE.mlp(40, latent_dim=3, hidden=(96,), seed=seed)


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


def answers(model):
    X = rows()
    return digest(*model.encode(X), model.elbo(X), model.log_likelihood(X[:50], n_samples=20), model.sample(30))


def learned(seed=0):
    import pyvae

    model = make(seed)
    pyvae.train(model, rows(), epochs=2, batch_size=150, seed=seed, progress=False)
    return digest(model.parameters.values)


def everything(model):
    """At module level, so that pools can call it."""
    return answers(model), learned()


def serial_everything(model):
    """In a forked child, whose kernels must not have more than one thread; the twins' products are NumPy's affair."""
    import pyvae

    right = everything(model)
    assert pyvae.get_num_threads() == 1
    assert kernel_threads() == 0 or pyvae._kernels.KERNELS == "reference"
    return right


def alone(work, *arguments):
    import pyvae

    with pyvae.threads(1):
        return work(*arguments)


def ask(right, *found):
    for answer in found:
        assert answer == right, "wrong bits"


def tasks():
    """Threads of this process, as the system counts them."""
    return len(os.listdir("/proc/self/task"))


def kernel_threads():
    """Threads of this process that are not Python's: the helpers of all runtimes."""
    return tasks() - threading.active_count()


def in_threads(*works):
    """What the works, done at once in a thread each, return."""
    results, start = [None] * len(works), threading.Barrier(len(works))

    def run(i):
        start.wait()
        try:
            results[i] = works[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def fork_and_ask(right, model):
    """A forked child computes on one thread, while its parent goes on with all."""
    child = os.fork()
    if child == 0:
        try:
            ask(right, serial_everything(model))
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        finally:
            os._exit(1)
    ask(right, everything(model))
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    ask(right, everything(model))


def new_python(code, *arguments, **environment):
    """A new interpreter that runs this code, to which the functions of this file are known."""
    indent = code[: len(code) - len(code.lstrip())]
    command = [sys.executable, "-c", "from repeat_processes import *" + code.replace(indent, "\n"), *arguments]
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
    variables = os.environ | {"PYTHONPATH": path} | environment
    return subprocess.Popen(command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def run_python(code, *arguments, **environment):
    """What it prints."""
    with new_python(code, *arguments, **environment) as program:
        said = program.communicate()[0]
    assert program.returncode == 0, f"exit status {program.returncode}"
    return said.split()


# Processes.


@scenario
def fork():
    """after use, while the parent goes on"""
    model = make()
    right = alone(everything, model)
    ask(right, everything(model))
    while True:
        fork_and_ask(right, model)
        yield


@scenario
def fork_from_a_thread():
    """that has used kernels, while the main thread uses them too"""
    model = make()
    right = alone(everything, model)
    while True:
        in_threads(lambda: (everything(model), fork_and_ask(right, model)), lambda: ask(right, everything(model)))
        yield


@scenario
def fork_amid_work():
    """while three other threads train"""
    model = make()
    right, done = alone(everything, model), threading.Event()

    def train():
        while not done.is_set():
            learned()

    threads = [threading.Thread(target=train, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        while True:
            fork_and_ask(right, model)
            yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@scenario
def fork_before_use():
    """a new interpreter each time, which forks before it has called a kernel"""
    right = " ".join(alone(everything, make()))
    code = """
        fork_and_ask(tuple(sys.argv[1].split()), make())
        print("fine")
    """
    while True:
        ask(["fine"], run_python(code, right))
        yield


def pools(make_pool, each, work=everything):
    """``each`` repetitions with a pool, then a new one."""
    model = make()
    right = alone(everything, model)
    while True:
        with make_pool() as pool:
            for _ in range(each):
                ask(right, *pool.map(work, [model] * 3))
                yield


@scenario
def multiprocessing_pool():
    """forked after use"""
    everything(make())
    return pools(lambda: multiprocessing.get_context("fork").Pool(2), 1, serial_everything)


@scenario
def multiprocessing_spawn():
    return pools(lambda: multiprocessing.get_context("spawn").Pool(2), 10)


@scenario
def multiprocessing_forkserver():
    return pools(lambda: multiprocessing.get_context("forkserver").Pool(2), 10)


@scenario
def multiprocessing_forkserver_that_has_imported_pyvae():
    multiprocessing.set_forkserver_preload(["pyvae"])
    return pools(lambda: multiprocessing.get_context("forkserver").Pool(2), 10, serial_everything)


@scenario
def futures_of_processes():
    context = multiprocessing.get_context("fork")
    return pools(lambda: concurrent.futures.ProcessPoolExecutor(2, mp_context=context), 1, serial_everything)


@scenario
def futures_of_threads():
    return pools(lambda: concurrent.futures.ThreadPoolExecutor(3), 1)


def joblib_calls(backend, jobs, each, work=everything):
    import joblib
    from joblib.externals import loky

    model = make()
    right = alone(everything, model)
    while True:
        for _ in range(each):
            ask(right, *joblib.Parallel(jobs, backend=backend)(joblib.delayed(work)(model) for _ in range(jobs)))
            yield
        if backend == "loky":
            loky.get_reusable_executor().shutdown(wait=True)


@scenario
def joblib_loky():
    return joblib_calls("loky", 2, 10)


@scenario
def joblib_threading():
    return joblib_calls("threading", 8, 1)


@scenario
def joblib_multiprocessing():
    everything(make())
    return joblib_calls("multiprocessing", 2, 1, serial_everything)


# Threads.


@scenario
def eight_threads_and_one_model():
    """encoding, scoring, sampling, and training models of their own"""
    model, X = make(), rows()
    works = [
        lambda: digest(*model.encode(X)),
        lambda: digest(model.elbo(X)),
        lambda: digest(model.log_likelihood(X, n_samples=20)),
        lambda: digest(model.sample(300, mean=False)),
        lambda: digest(model.reconstruct(X)),
        lambda: answers(model),
        lambda: learned(0),
        lambda: learned(1),
    ]
    right = [alone(work) for work in works]
    while True:
        ask(right, in_threads(*works))
        yield


@scenario
def numbers_of_threads_that_change():
    """set by one thread, while three others work, one of them with a number of its own"""
    import pyvae

    model = make()
    right, asked = alone(everything, model), pyvae.get_num_threads()

    def with_its_own():
        with pyvae.threads(3):
            return everything(model)

    while True:
        threads = concurrent.futures.ThreadPoolExecutor(3)
        futures = [
            threads.submit(work) for work in (lambda: everything(model), with_its_own, lambda: everything(model))
        ]
        for n in itertools.cycle((1, 2, 5, 3)):
            pyvae.set_num_threads(n)
            if all(future.done() for future in futures):
                break
        ask(right, *(future.result() for future in futures))
        threads.shutdown()
        pyvae.set_num_threads(asked)
        yield


@scenario
def precisions():
    """two threads with a precision each, overlapping, and one without"""
    import pyvae

    model = make()

    def at(precision):
        with pyvae.set_matmul_precision(precision):
            found = everything(model)
            assert pyvae.get_matmul_precision() == precision
        assert pyvae.get_matmul_precision() == "highest"
        return found

    works = [lambda: at("medium"), lambda: at("high"), lambda: everything(model), lambda: at("medium")]
    right = [alone(work) for work in works]
    while True:
        ask(right, in_threads(*works))
        assert pyvae.get_matmul_precision() == "highest"
        yield


@scenario
def models_that_go():
    """made and forgotten in threads: none is left"""

    def work():
        model = make()
        found = everything(model)
        return weakref.ref(model), found

    right = alone(work)[1]
    while True:
        left = in_threads(*[work] * 4)
        ask(right, *(found for _, found in left))
        gc.collect()
        assert not any(model() for model, _ in left)
        yield


@scenario
def exit_amid_work():
    """the interpreter ends while daemon threads encode and train"""
    code = """
        model, ready = make(), threading.Barrier(4)
        def work(what):
            ready.wait()
            while True:
                what()
        for what in (lambda: answers(model), lambda: answers(model), learned):
            threading.Thread(target=work, args=(what,), daemon=True).start()
        ready.wait()
        threading.Event().wait(float(sys.argv[1]))
        print("fine")
    """
    while True:
        ask(["fine"], run_python(code, str(random.random() * 0.05)))
        yield


# Signals.


@scenario
def alarms():
    """a handler in Python every millisecond, while kernels run"""
    model = make()
    right, rung = alone(everything, model), []
    signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    while True:
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        found = everything(model)
        signal.setitimer(signal.ITIMER_REAL, 0)
        ask(right, found)
        assert rung, "the handler was not called"
        rung.clear()
        yield


@scenario
def ctrl_c():
    """while encoding, at a random moment; and in training by a handler that raises"""
    import pyvae

    model, X = make(), rows()
    right = alone(everything, model)

    class Enough(Exception):
        pass

    def enough(number, frame):
        raise Enough

    def until(error, seconds, work):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            while True:
                work()
        except error:
            pass

    while True:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        until(KeyboardInterrupt, 0.001 + random.random() * 0.02, lambda: model.encode(X))
        signal.signal(signal.SIGALRM, enough)
        until(Enough, 0.001 + random.random() * 0.02, lambda: pyvae.train(make(), X, epochs=1, progress=False))
        ask(right, everything(model))
        yield


# Other runtimes, and the environment.


def use_torch():
    import torch

    x = torch.ones(300, 300, requires_grad=True)
    torch.tanh(x @ x).sum().backward()


def use_scikit_learn():
    from sklearn.cluster import KMeans

    KMeans(5, n_init=1, max_iter=5, random_state=0).fit(np.random.default_rng(0).random((2000, 10)))


def beside(module, use, first, each=10):
    """``each`` repetitions in a new interpreter: our kernels, those of the other library, ours, and so on."""
    right = " ".join(alone(everything, make()))
    code = f"""
        import {module if first else "pyvae"}
        import {"pyvae" if first else module}
        right, model = tuple(sys.argv[1].split()), make()
        for _ in sys.stdin:
            ask(right, everything(model))
            {use}()
            in_threads(lambda: ask(right, everything(model)), {use})
            fork_and_ask_beside(right, model)
            print("fine", flush=True)
    """
    while True:
        with new_python(code, right) as program:
            for _ in range(each):
                print(file=program.stdin, flush=True)
                ask("fine\n", program.stdout.readline())
                yield


def fork_and_ask_beside(right, model):
    """fork_and_ask, where other libraries' threads may be around."""
    child = os.fork()
    if child == 0:
        os._exit(0 if everything(model) == right else 1)
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
    ask(right, everything(model))


@scenario
def torch_first():
    return beside("torch", "use_torch", True)


@scenario
def torch_later():
    return beside("torch", "use_torch", False)


@scenario
def scikit_learn_first():
    return beside("sklearn.cluster", "use_scikit_learn", True)


@scenario
def scikit_learn_later():
    return beside("sklearn.cluster", "use_scikit_learn", False)


@scenario
def threadpoolctl_limits():
    """where OpenMP is allowed one thread, a kernel wakes no other"""
    import threadpoolctl

    model = make()
    right = alone(everything, model)

    def limited():
        with threadpoolctl.threadpool_limits(1):
            before = kernel_threads()
            found = everything(model)
            assert kernel_threads() == before
        return found

    while True:
        ask(right, *in_threads(limited), everything(model))
        yield


def settings():
    """Environment, processors that the process may use, and how many threads that makes."""
    import pyvae
    from pyvae._kernels.processors import physical_cores

    n = physical_cores()
    if pyvae._kernels.info()["openmp"]:
        for word, threads in {"1": 1, "2": 2, "8": 8, "0": n, "many": n, "4,2": 4, "": n}.items():
            yield {"OMP_NUM_THREADS": word}, None, threads
        yield {}, {min(os.sched_getaffinity(0))}, 1
        yield {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "4"}, None, 4
    else:
        n = 1
    for name, words in {
        "OMP_DYNAMIC": ("true", "false"),
        "OMP_WAIT_POLICY": ("active", "passive"),
        "OMP_PROC_BIND": ("true", "false", "close"),
        "OMP_NESTED": ("true",),
        "GOMP_SPINCOUNT": ("0",),
    }.items():
        for word in words:
            yield {name: word}, None, n


@scenario
def environment():
    """a new interpreter for each setting: as many threads as it says, and not one more"""
    right = " ".join(alone(everything, make()))
    code = """
        before = tasks() - 1
        if sys.argv[2]:
            os.sched_setaffinity(0, set(map(int, sys.argv[2].split(","))))
        import pyvae
        ask(tuple(sys.argv[1].split()), everything(make()))
        assert tasks() <= before + pyvae.get_num_threads(), tasks()
        print(pyvae.get_num_threads())
    """
    for variables, processors, threads in itertools.cycle(list(settings())):
        found = run_python(code, right, ",".join(map(str, processors or ())), **variables)
        assert found == [str(threads)], (variables, processors, found)
        yield


# The watchdog.


def play(name, n):
    """In a process of its own: the scenario n times, a line for each."""
    repetitions = SCENARIOS[name]()
    try:
        for _ in range(n):
            next(repetitions)
            print("ok", flush=True)
    except Exception as error:
        print(f"wrong {type(error).__name__}: {error}".replace("\n", " ")[:2000], flush=True)
    repetitions.close()


def watch(name, n, silence):
    """How many repetitions were done, dead and wrong, with the first words about what was wrong."""
    done, dead, wrong, words = 0, 0, 0, ""
    while done < n:
        command = [sys.executable, str(Path(__file__).resolve()), "--play", name, "-n", str(n - done)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as program:
            heard, listener = b"", selectors.DefaultSelector()
            listener.register(program.stdout, selectors.EVENT_READ)
            while listener.select(silence):
                news = os.read(program.stdout.fileno(), 4096)
                if not news:
                    break
                heard += news
            else:
                dead += 1
                done += 1
            with contextlib.suppress(ProcessLookupError):  # all that it started, too
                os.killpg(program.pid, signal.SIGKILL)
        lines = heard.decode().splitlines()
        done += len(lines)
        problems = [line for line in lines if line != "ok"]
        if program.returncode not in (0, -signal.SIGKILL) and not problems:
            problems = [f"wrong exit status {program.returncode}"]
            done += 1
        wrong += len(problems)
        words = words or "; ".join(problems)
    return done, dead, wrong, words


def missing(name):
    """What the scenario needs and this installation has not."""
    for start, module in {"torch": "torch", "scikit_learn": "sklearn", "joblib": "joblib"}.items():
        if name.startswith(start) and not installed(module):
            return module
    return "threadpoolctl" if "threadpoolctl" in name and not installed("threadpoolctl") else None


def installed(module):
    """Whether it is more than a folder, as tests/sklearn is beside this file."""
    specification = importlib.util.find_spec(module)
    return specification is not None and specification.origin is not None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="SCENARIO")
    parser.add_argument("-n", type=int, default=REPETITIONS, help="repetitions of each (default: %(default)s)")
    parser.add_argument(
        "--silence", type=float, default=SILENCE, help="seconds, until it is dead (default: %(default)s)"
    )
    parser.add_argument("--play", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        return play(options.play, options.n)
    failed = 0
    print(f"{'scenario':<52} {'repetitions':>11} {'deadlocks':>9} {'wrong':>5}", flush=True)
    for name in options.scenarios or SCENARIOS:
        if missing(name):
            print(f"{name:<52} {missing(name)} is not installed", flush=True)
            continue
        done, dead, wrong, words = watch(name, options.n, options.silence)
        failed += dead + wrong
        print(f"{name:<52} {done:>11} {dead:>9} {wrong:>5}  {words}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
