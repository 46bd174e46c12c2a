"""Write what golden cases expect from the engine's answer: ``python tests/update_fixtures.py [NAME...]``.

It writes converted.py and findings.txt; read the diff before you commit it. A case whose conversion breaks
a law is not written.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]

from fixture_cases import broken_laws, case, conversion, digest, disappointments, names  # noqa: E402
from notebook_cases import converted as converted_notebook  # noqa: E402
from notebook_cases import copy_of as copy_of_notebook  # noqa: E402
from notebook_cases import notebook_names  # noqa: E402
from notebook_cases import write_expected as write_notebook  # noqa: E402
from program_cases import converted, copy_of, program_names, write_expected  # noqa: E402

from torch2lit.program import Outcome  # noqa: E402


def main(wanted: list[str]) -> int:
    """Update the named cases, or all of them. The exit code is 1 when one could not be written."""
    bad = 0
    for name in [n for n in wanted or program_names() if n in program_names()]:
        with tempfile.TemporaryDirectory() as place:
            _conversions, files, digests = converted(copy_of(name, Path(place)))
        write_expected(name, files, digests)
        print(f"{name}: {digests.splitlines()[0]}")
    for name in [n for n in wanted or notebook_names() if n in notebook_names()]:
        with tempfile.TemporaryDirectory() as place:
            answer = converted_notebook(copy_of_notebook(name, Path(place)))
        write_notebook(name, answer)
        print(f"{name}: {digest(answer).splitlines()[0]}")
    for name in [n for n in wanted or names() if n not in {*program_names(), *notebook_names()}]:
        c, result = case(name), conversion(name)
        if told := broken_laws(c.raw, result):
            print(f"{name}: NOT written\n  " + "\n  ".join(told), file=sys.stderr)
            bad += 1
            continue
        for line in disappointments(c, result):
            print(f"{name}: {line}", file=sys.stderr)
        changed = _write(c.converted_file, result.after if result.outcome is Outcome.CONVERTED else None)
        changed |= _write(c.findings_file, digest(result))
        if changed:
            print(f"{name}: {digest(result).splitlines()[0]}")
    return 1 if bad else 0


def _write(path: Path, text: str | None) -> bool:
    """Make the file hold this text, or be gone. True when that changed something."""
    old = path.read_bytes() if path.exists() else None
    new = None if text is None else text.encode("utf-8")
    if new is None:
        path.unlink(missing_ok=True)
    elif new != old:
        path.write_bytes(new)
    return new != old


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
