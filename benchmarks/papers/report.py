"""Writes README's table of papers' figures from the records in benchmarks/results/papers.

    python benchmarks/papers/report.py

The table stands between two comments in README.md: one row for each record, with what was published and what was
measured, the hours of training, and the commit that was trained.
"""

import json
import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RECORDS = REPOSITORY / "benchmarks" / "results" / "papers"
BEGIN, END = "<!-- papers: made by benchmarks/papers/report.py -->", "<!-- end of papers -->"


def figures(numbers):
    return "; ".join(f"{name} {value if isinstance(value, int) else f'{value:.2f}'}" for name, value in numbers.items())


def line(path):
    record = json.loads(path.read_text())
    script = f"benchmarks/papers/{record['script']}.py"
    return (
        f"| {record['what']} | {figures(record['published'])} | {figures(record['figures'])} | "
        f"{record['training_hours']:.1f} on {record['threads']} thread{'s' * (record['threads'] > 1)} | "
        f"{record['commit']} | `python {script} {path.stem}` |"
    )


def by_numbers(path):
    """For sorting: nvae-z5 before nvae-z10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.stem)]


def main():
    readme = REPOSITORY / "README.md"
    table = [
        "| protocol | published | here | hours | commit | command |",
        "|---|---|---|---|---|---|",
        *map(line, sorted(RECORDS.glob("*.json"), key=by_numbers)),
    ]
    text = re.sub(
        f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: "\n".join([BEGIN, *table, END]), readme.read_text(),
        flags=re.DOTALL,
    )  # fmt: skip
    readme.write_text(text)


if __name__ == "__main__":
    main()
