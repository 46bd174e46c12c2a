"""Whole runs of public scripts that the project chose itself, and how each conversion did: writes docs/OWN_JOBS.md.

    python tests/benchmarks/own_jobs.py --jobs FILE --rows FILE [--rows FILE ...]

``--jobs`` is a Python file whose JOBS are dicts with ``repo``, ``path`` and ``arch``, and ``name`` where a file comes twice. ``--rows`` are
the judge's answers as JSON lines: ``name``, ``rung``, ``mechanism`` and ``note``; of several for one job the last counts. With ``--corpus
FOLDER``, which holds a checkout ``OWNER__NAME`` of each repository, the page tells which jobs are programs of several files. Nothing is run.
"""

from __future__ import annotations

import argparse
import json
import re
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

from coverage import ARCHETYPES

from torch2lit.recover.neighbours import Neighbours, imported_modules

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "OWN_JOBS.md"
MEANINGS = {
    "L5": "bit-identical, same saves and numbers",
    "L4": "bit-identical",
    "L3": "differs, and a finding says so",
    "SILENT": "differs, and no finding says so",
    "L2": "does not run to its end",
    "L1": "refused",
    "L0": "no answer",
    "CRASH": "no answer",
}


def name_of(job: dict[str, Any]) -> str:
    """A job's name as the judge writes it."""
    text = f"{job['repo'].split('/')[1]}-{job.get('name') or job['path']}"
    return re.sub(r"[^\w.-]+", "_", text)[:90]


def shape_of(job: dict[str, Any], corpus: Path | None) -> str:
    """Notebook, script or program of several files, and its archetype."""
    kind = "notebook" if job["path"].endswith(".ipynb") else "script"
    if corpus is not None and kind == "script":
        file = corpus / job["repo"].replace("/", "__") / job["path"]
        neighbours = Neighbours(file.as_posix())
        if any(neighbours.file(module) is not None for module in imported_modules(file.read_bytes())):
            kind = "several files"
    return f"{kind}; {ARCHETYPES.get(job.get('arch', ''), 'other')}"


def page(jobs: list[dict[str, Any]], rows: dict[str, dict[str, Any]], corpus: Path | None) -> str:
    """The page as Markdown: jobs whose raw script does not run here are left out."""
    ran = [(job, rows[name_of(job)]) for job in jobs if name_of(job) in rows and rows[name_of(job)]["rung"] != "SKIP"]
    ran.sort(key=lambda pair: (pair[0]["repo"].lower(), pair[0]["path"].lower(), name_of(pair[0])))
    counts = Counter(row["rung"] for _job, row in ran)
    kinds = Counter(shape_of(job, corpus).partition(";")[0] for job, _row in ran)
    lines = [
        "# Our own jobs",
        "",
        f"{len(ran)} public scripts that were run before and after their conversion, on tiny synthetic data on one CPU: "
        + ", ".join(
            f"{n} {kind}" + ("s" if kind != "several files" else " (programs)") for kind, n in sorted(kinds.items())
        )
        + ". Every backward pass and every optimizer step is compared: losses, learning rates and a hash of all parameters. Made by",
        "`python tests/benchmarks/own_jobs.py`.",
        "",
        "| how it did | jobs |",
        "| --- | ---: |",
        *(f"| {rung}: {MEANINGS[rung]} | {counts[rung]} |" for rung in MEANINGS if counts[rung]),
        "",
        "| repository | file | shape | rung | mechanism | steps |",
        "| --- | --- | --- | --- | --- | ---: |",
    ]
    for job, row in ran:
        steps = re.match(r"(\d+) steps", row["note"])
        cells = [
            job["repo"],
            f"`{job['path']}`",
            shape_of(job, corpus),
            row["rung"],
            row["mechanism"],
            steps[1] if steps else row["note"].partition(":")[0],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Read the answers and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=Path, required=True, action="append")
    parser.add_argument("--rows", type=Path, required=True, action="append")
    parser.add_argument("--corpus", type=Path)
    given = parser.parse_args()
    jobs: dict[str, dict[str, Any]] = {}
    for file in given.jobs:
        jobs |= {name_of(job): job for job in runpy.run_path(str(file))["JOBS"]}
    rows: dict[str, dict[str, Any]] = {}
    for file in given.rows:
        rows |= {row["name"]: row for line in file.read_text("utf-8").splitlines() if (row := json.loads(line))}
    text = page(list(jobs.values()), rows, given.corpus)
    PAGE.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
