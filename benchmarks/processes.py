"""Contestants in processes of their own: the idle ones sleep, and what others use of the machine meanwhile is seen; and
whether two processors are close to each other."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MOST_FOREIGN_LOAD = 0.05  # of one processor, during a turn
MOST_REPEATS = 20
CLOSE = 90  # nanoseconds for a message between processors that share a cache; others take twice as long


def busy_seconds():
    """Seconds of processor time that all processes have used since the machine started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(int(fields[i]) for i in (0, 1, 2, 5, 6)) / TICKS  # user, nice, system, irq, softirq


def process_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def serve(answer):
    """The child's side: for every line that is read, print what ``answer(line)`` returns."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(answer(line.strip()), flush=True)


class Contestant:
    """The parent's side: a script, started anew with these arguments, that calls ``serve``.

    ``missing`` is None, or the last line of what the child said when it could not start.
    """

    def __init__(self, script, *arguments):
        self.process = subprocess.Popen([sys.executable, script, *arguments], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        self.missing, self.thrown_away = None, 0
        if self.process.stdout.readline().strip() != "ready":
            self.missing = (self.process.stderr.read().strip().splitlines() or ["no message"])[-1]

    def ask(self, line):
        """The answer, whatever else the machine did."""
        print(line, file=self.process.stdin, flush=True)
        return self.process.stdout.readline()

    def ask_undisturbed(self, line):
        """The answer; asked again where other processes used the machine meanwhile."""
        for _ in range(MOST_REPEATS):
            busy, own, start = busy_seconds(), process_seconds(self.process.pid), time.perf_counter()
            answer = self.ask(line)
            foreign = busy_seconds() - busy - (process_seconds(self.process.pid) - own)
            if foreign < MOST_FOREIGN_LOAD * (time.perf_counter() - start):
                break
            self.thrown_away += 1
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Neighbours:
    """Two processors, and how long a message takes from one to the other (neighbours.c, compiled here)."""

    def __init__(self):
        self.processors = sorted(os.sched_getaffinity(0))[:2]
        self.program = Path(tempfile.mkdtemp()) / "neighbours"
        source = Path(__file__).with_name("neighbours.c")
        try:
            subprocess.run(["cc", "-O2", "-pthread", str(source), "-o", str(self.program)], check=True)
        except (OSError, subprocess.CalledProcessError):
            self.program = None

    def are_close(self):
        """True if they share a cache; also where nothing tells: with one processor, or without a compiler."""
        if self.program is None or len(self.processors) < 2:
            return True
        command = [str(self.program), *map(str, self.processors)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) < CLOSE
