"""Writes README's performance table from what frameworks.py measured.

    python benchmarks/frameworks.py --json benchmarks/results/frameworks.json --png docs/frameworks.png
    python benchmarks/report.py

The table stands between two comments in README.md. Figures are medians over rounds; the ratio is the median, over
rounds, of the time of the best float32 competitor of that round to ours, so that above 1 we are ahead.
"""

import json
import statistics
from pathlib import Path

from workloads import WORKLOADS

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results" / "frameworks.json"
START, END = "<!-- performance: made by benchmarks/report.py -->\n", "<!-- end of performance -->\n"
OURS = ("pyvae", "pyvae medium")


def present(row):
    return {name: entry for name, entry in row.items() if "times" in entry}


def ratio(row, ours, rivals):
    """Median over rounds of the best rival's time to ours."""
    rounds = zip(*(row[name]["times"] for name in rivals), strict=True)
    return statistics.median(min(times) / own for times, own in zip(rounds, row[ours]["times"], strict=True))


def table(measured):
    names = list(dict.fromkeys(name for row in measured["results"].values() for name in present(row)))
    in_bf16 = "pyvae medium" in names
    lines = [
        f"| workload | {' | '.join(names)} | best float32 / pyvae |" + " best / pyvae medium |" * in_bf16,
        "|" + "---|" * (len(names) + 2 + in_bf16),
    ]
    for workload, row in measured["results"].items():
        there = present(row)
        rivals = [name for name in there if name not in OURS]
        exact = [name for name in rivals if "bf16" not in name]
        cells = [f"{there[name]['milliseconds']:.3g}" if name in there else "missing" for name in names]
        ratios = [ratio(there, "pyvae", exact), *([ratio(there, "pyvae medium", rivals)] if in_bf16 else [])]
        lines.append(
            f"| {workload}: {WORKLOADS[workload]} | " + " | ".join([*cells, *map("{:.2f}".format, ratios)]) + " |"
        )
    return lines


def main():
    measured = json.loads(RESULTS.read_text())
    rounds = len(next(iter(present(next(iter(measured["results"].values()))).values()))["times"])
    machine = measured["machine"]
    text = "\n".join([
        f"Milliseconds per training step, medians of {rounds} interleaved rounds on {machine['processors']} processors "
        f"({machine['cpu']}, {machine['kernels'].removesuffix(', bf16 by None')}, {machine['date']}); higher ratios "
        "are better for us.",
        "",
        *table(measured),
        "",
    ])  # fmt: skip
    path = REPOSITORY / "README.md"
    before, _, rest = path.read_text().partition(START)
    _, _, after = rest.partition(END)
    path.write_text(before + START + text + END + after)


if __name__ == "__main__":
    main()
