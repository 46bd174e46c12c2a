"""Write docs/EXACTNESS.md from the traits and what their golden cases expect: ``python tests/update_exactness_doc.py``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from exactness_traits import SECTIONS, Trait  # noqa: E402
from fixture_cases import case  # noqa: E402

PAGE = Path(__file__).resolve().parent.parent / "docs" / "EXACTNESS.md"

_HEAD = """\
# What stays exact, and where it is proved

Made from `tests/exactness_traits.py` and the golden cases by `python tests/update_exactness_doc.py`; edit those, not this page.

Each row is a trait of raw scripts that trains differently when it is moved to Lightning without care. Its fixtures are raw scripts with that
trait. *exact* means that the tests run the script before and after conversion and compare every loss, learning rate, parameter, saved file
and printed line, bit for bit, *on every rank* when it runs in two processes (gloo, CPU); the last word is the mechanism (docs/ARCHITECTURE.md). *flagged* means that the conversion names the trait in a
finding. The edits under `[[mistake]]` in a fixture's `case.toml` do what a careless conversion would do, and the tests insist that they show.
"""
_FOOT = """\
## Not measured here

CUDA, nccl, several machines, SLURM, FSDP of whole modules and DeepSpeed.
"""


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, traits in SECTIONS.items():
        rows = [line for trait in traits for line in _rows(trait)]
        parts.append(
            "\n".join(
                [
                    f"## {title}\n",
                    "| trait | Lightning by itself | fixture | result |",
                    "| --- | --- | --- | --- |",
                    *rows,
                ]
            )
            + "\n"
        )
    return "\n".join([*parts, _FOOT])


def _rows(trait: Trait) -> list[str]:
    first, otherwise = trait.trait, trait.otherwise or "the same"
    lines = []
    for name in trait.fixtures:
        lines.append(f"| {first} | {otherwise} | [{name}](../fixtures/{name}/raw.py) | {result(name)} |")
        first = otherwise = ""
    return lines


def result(name: str) -> str:
    """What the tests hold a golden case to, in a few words."""
    c = case(name)
    told = c.findings_file.read_text(encoding="utf-8").splitlines()
    outcome, _, mechanism = told[0].partition(" ")
    flags = sorted({m[1] for line in told if (m := re.match(r"\d+:T2L\d+ ([\w-]+) (?:review|refused) ", line))})
    flagged = f"flagged: {', '.join(flags)}" if flags else ""
    if outcome != "converted":
        return flagged
    by = _by(c.converted_file.read_text(encoding="utf-8"), told)
    if (c.run or c.processes is not None) and c.verify == "identical":
        ranks = " on every rank" if c.processes is not None else ""
        return f"exact{ranks}, {mechanism}" + by + (f"; {flagged}" if flags else "")
    return flagged or f"told{by}"


_OF_LIGHTNING = {
    "ModelCheckpoint": "import .*ModelCheckpoint",
    "EarlyStopping": "import .*EarlyStopping",
    "KeepRandom": "class KeepRandom",
    "seed_everything": r"L\.seed_everything",
}


def _by(converted: str, told: list[str]) -> str:
    """Which callbacks of Lightning's do it, or why the script goes on doing it by hand."""
    found = [name for name, pattern in _OF_LIGHTNING.items() if re.search(pattern, converted)]
    kept = [m[1] for line in told if (m := re.match(r"\d+:T2L\d+ (?:checkpoint|resume)-kept \w+ [^:]*: (.*)", line))]
    if found:
        return f", by {' and '.join(found)}"
    return f", by hand: {kept[0]}" if kept else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
