"""How many files of a list of real scripts convert, by archetype and mechanism: writes docs/COVERAGE.md.

    python tests/benchmarks/coverage.py --corpus FOLDER --list FILE

FILE has a line ``OWNER/NAME<TAB>PATH<TAB>ARCHETYPE`` for each script, FOLDER a checkout ``OWNER__NAME`` of each repository. Nothing is run.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from torch2lit.api import convert
from torch2lit.checks import unbound_names
from torch2lit.program import Conversion, Mechanism, Outcome

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "COVERAGE.md"
COLUMNS = (*(m.value for m in Mechanism), "refused", "unchanged", "failed", "invalid")
ARCHETYPES = {
    "A01": "loops at module level",
    "A02": "both loops in one function",
    "A03": "train/test pair with parameters",
    "A04": "train/test pair on globals",
    "A05": "full batch, no loader",
    "A06": "engine in another file",
    "A07": "Trainer/Solver class",
    "A08": "several optimizers or steps",
    "A09": "iteration driven",
    "A10": "step function",
    "A11": "carried state",
    "A12": "reinforcement learning",
    "A13": "other optimization",
    "A14": "wrapped by a framework",
}


def answer(job: tuple[Path, str]) -> tuple[str, str, str]:
    """The archetype, the column of the table, and what stood in the way."""
    path, archetype = job
    results = convert(path, jobs=1)
    entry = next(one for one in results if Path(one.path) == path)
    if entry.outcome is Outcome.CONVERTED and any(_is_broken(one) for one in results):
        return archetype, "invalid", ""
    if entry.outcome is Outcome.CONVERTED and entry.mechanism is not None:
        return archetype, entry.mechanism.value, ""
    refusals = [f.slug for f in entry.findings if f.severity == "refused"]
    return archetype, entry.outcome.value, refusals[0] if refusals else entry.error or entry.reason


def _is_broken(one: Conversion) -> bool:
    if one.outcome is not Outcome.CONVERTED or one.path.endswith(".ipynb"):
        return False
    try:
        ast.parse(one.after)
    except SyntaxError:
        return True
    try:
        return bool(unbound_names(one.after) - unbound_names(one.before))
    except SyntaxError:
        return False  # the raw file is for an older Python


def page(rows: list[tuple[str, str, str]]) -> str:
    """The page as Markdown."""
    cells = Counter((archetype, column) for archetype, column, _why in rows)
    lines = [
        "# Coverage",
        "",
        f"{len(rows)} training scripts and notebooks of public repositories, converted without being run, by archetype and mechanism. Made by",
        "`python tests/benchmarks/coverage.py`.",
        "",
        "| archetype | files | converted | " + " | ".join(COLUMNS) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(COLUMNS),
    ]
    mechanisms = [m.value for m in Mechanism]
    for archetype in [*sorted({r[0] for r in rows}), "all"]:
        counts = [
            sum(n for (a, c), n in cells.items() if c == column and archetype in (a, "all")) for column in COLUMNS
        ]
        total, converted = sum(counts), sum(counts[: len(mechanisms)])
        name = f"{archetype} {ARCHETYPES.get(archetype, '')}".strip()
        shown = " | ".join(str(n) if n else "" for n in counts)
        lines.append(f"| {name} | {total} | {100 * converted / max(total, 1):.0f} % | {shown} |")
    lines += ["", "What stood in the way:", "", "| files | finding |", "| ---: | --- |"]
    reasons = Counter(why for _a, column, why in rows if why and column not in mechanisms)
    lines += [f"| {n} | {why[:100]} |" for why, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Convert every file of the list and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    jobs = []
    for line in given.list.read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            repository, path, archetype = line.split("\t")[:3]
            file = given.corpus / repository.replace("/", "__") / path
            if file.is_file():
                jobs.append((file, archetype))
    with ProcessPoolExecutor(given.jobs) as pool:
        rows = list(pool.map(answer, jobs, chunksize=4))
    PAGE.write_text(page(rows), "utf-8")
    print(page(rows))


if __name__ == "__main__":
    main()
