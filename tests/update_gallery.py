"""Write what the gallery's programs become, prove what changed, and write docs/GALLERY.md: ``python tests/update_gallery.py [NAME...]``.

Read the diff before you commit it, as a reviewer would.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from gallery_cases import (  # noqa: E402
    GALLERY,
    PROOFS,
    converted,
    copy_of,
    digest_of,
    expected,
    gallery_names,
    proofs,
    write_expected,
)

from torch2lit.api import verify  # noqa: E402

PAGE = GALLERY.parent / "GALLERY.md"
_HEAD = """\
# Gallery

Own scripts of real size, notebooks and programs of several files, as people write them, and what they become. Made by `python tests/update_gallery.py`, which also runs
`torch2lit verify` on each; a test insists that the texts are current and that the proof is about these very texts.

| program | what it is | mechanism | findings | raw | converted | proof |
| --- | --- | --- | --- | --- | --- | --- |
"""


def main(wanted: list[str]) -> int:
    """Update the named entries, or all. The exit code is 1 when one does not train the same."""
    known = proofs() if PROOFS.exists() else {}
    bad = 0
    for name in wanted or gallery_names():
        with tempfile.TemporaryDirectory() as place:
            conversion, changed = converted(copy_of(name, Path(place)))
        write_expected(name, changed)
        if known.get(name, {}).get("digest") == digest_of(name):
            continue
        with tempfile.TemporaryDirectory() as place:
            entry = copy_of(name, Path(place))
            before = os.getcwd()
            os.chdir(entry.parent)
            try:
                result = verify(entry.name, timeout=300)
            finally:
                os.chdir(before)
        known[name] = {
            "digest": digest_of(name),
            "mechanism": conversion.mechanism.value if conversion.mechanism else conversion.outcome.value,
            "findings": sorted({found.slug for found in conversion.findings}),
            "status": result.status,
            "steps": max(result.comparison.steps) if result.comparison else 0,
        }
        print(f"{name}: {known[name]['mechanism']}, {result.status}")
        bad += not result.passed
    known = {name: known[name] for name in gallery_names() if name in known}
    PROOFS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    return 1 if bad else 0


def page() -> str:
    """The table of all entries."""
    return _HEAD + "".join(_row(name, proof) for name, proof in proofs().items())


def _row(name: str, proof: dict[str, object]) -> str:
    raw = next(file for file in ("train.py", "main.py", "train.ipynb") if (GALLERY / name / file).exists())
    others = sorted(file.name for file in (GALLERY / name).glob("*.py") if file.name != raw)
    beside = f" (with {', '.join(others)})" if others else ""
    after = ", ".join(f"[{file}](gallery/{name}/converted/{file})" for file in expected(name))
    findings = ", ".join(proof["findings"]) if isinstance(proof["findings"], list) else ""
    proven = f"{proof['steps']} steps {proof['status']}"
    told = " | ".join(
        [
            name,
            _about(GALLERY / name / raw),
            str(proof["mechanism"]),
            findings,
            f"[{raw}](gallery/{name}/{raw}){beside}",
            after,
            proven,
        ]
    )
    return f"| {told} |\n"


def _about(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        return "A notebook. " + "".join(json.loads(text)["cells"][0]["source"]).split("\n\n")[-1]
    return (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
