"""The golden cases in fixtures/: what a folder holds, and what must be true of every conversion."""

from __future__ import annotations

import ast
import functools
import importlib
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from dataclasses import fields as fields_of
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from claims import untrue_claims

from torch2lit.api import convert_source
from torch2lit.findings import SEVERITIES, Finding
from torch2lit.options import Options
from torch2lit.program import Conversion, Fate, LedgerEntry, Mechanism, Outcome

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
KEYS = {
    "options",
    "run",
    "arguments",
    "verify",
    "outcome",
    "mechanism",
    "findings",
    "contains",
    "lacks",
    "mistake",
    "legacy",
    "today",
    "processes",
    "needs",
}
OWN_FILES = {"raw.py", "converted.py", "findings.txt", "case.toml"}


@dataclass(frozen=True, slots=True)
class Case:
    """One folder. ``mistakes`` are (old, new): an edit of raw.py that stands for the construct mishandled.

    ``legacy``: raw.py runs on an older torch, and here under tests/legacy_torch.py. ``today`` are edits (old, new), made by
    a person, for what no emulation makes Python again. ``processes``: how many torchrun starts, or "own" for a script that
    starts them itself; such a case is run by tests/test_distributed.py alone. ``run`` is False where a package is missing that the case ``needs``.
    """

    name: str
    raw: str
    options: Options = field(default_factory=Options)
    run: bool = True
    arguments: tuple[str, ...] = ()
    verify: str = "identical"
    outcomes: frozenset[str] = frozenset({"converted"})
    mechanisms: frozenset[str] = frozenset()
    findings: frozenset[str] | None = None
    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    mistakes: tuple[tuple[str, str], ...] = ()
    legacy: bool = False
    processes: int | str | None = None
    today: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> Path:
        return FIXTURES / self.name

    @property
    def runnable(self) -> str:
        """The raw script as this Python reads it."""
        text = self.raw
        for old, new in self.today:
            text = text.replace(old, new)
        return text

    @property
    def converted_file(self) -> Path:
        return self.folder / "converted.py"

    @property
    def findings_file(self) -> Path:
        return self.folder / "findings.txt"


def read(path: Path) -> str:
    """The text of a file with its own newlines."""
    return path.read_bytes().decode("utf-8")


def load(name: str) -> Case:
    """The case in this folder. Raises ValueError when case.toml holds a key or a value that means nothing."""
    folder = FIXTURES / name
    settings = folder / "case.toml"
    data: dict[str, Any] = tomllib.loads(read(settings)) if settings.exists() else {}
    if unknown := sorted(data.keys() - KEYS):
        raise ValueError(f"{settings}: unknown {', '.join(unknown)}")
    if unknown := sorted(data.get("options", {}).keys() - {f.name for f in fields_of(Options)}):
        raise ValueError(f"{settings}: unknown option {', '.join(unknown)}")
    return Case(
        name=name,
        raw=read(folder / "raw.py"),
        options=Options(**data.get("options", {})),
        run=data.get("run", "processes" not in data) and all(map(find_spec, data.get("needs", ()))),
        arguments=tuple(data.get("arguments", ())),
        verify=_known(settings, "verify", data.get("verify", "identical"), {"identical", "flagged"}).pop(),
        outcomes=frozenset(_known(settings, "outcome", data.get("outcome", "converted"), {o.value for o in Outcome})),
        mechanisms=frozenset(_known(settings, "mechanism", data.get("mechanism", []), {m.value for m in Mechanism})),
        findings=frozenset(data["findings"]) if "findings" in data else None,
        contains=tuple(data.get("contains", ())),
        lacks=tuple(data.get("lacks", ())),
        mistakes=tuple((m["old"], m["new"]) for m in data.get("mistake", ())),
        legacy=data.get("legacy", False),
        processes=data.get("processes"),
        today=tuple((m["old"], m["new"]) for m in data.get("today", ())),
    )


def _known(settings: Path, key: str, value: str | list[str], known: set[str]) -> set[str]:
    values = {value} if isinstance(value, str) else set(value)
    if unknown := sorted(values - known):
        raise ValueError(f"{settings}: {key} {', '.join(unknown)} is none of {', '.join(sorted(known))}")
    return values


@functools.cache
def names() -> tuple[str, ...]:
    """The names of all cases, sorted."""
    return tuple(sorted(path.parent.name for path in FIXTURES.glob("*/raw.py")))


@functools.cache
def case(name: str) -> Case:
    return load(name)


@functools.cache
def conversion(name: str) -> Conversion:
    """The engine's answer for a case, computed once per session."""
    c = case(name)
    return convert_source(c.raw, "raw.py", c.options)


def digest(result: Conversion) -> str:
    """What findings.txt holds: outcome and mechanism, a line per finding, the ledger counted by fate."""
    lines = [" ".join([result.outcome.value, *([result.mechanism.value] if result.mechanism else [])])]
    lines += [f"{f.line}:{f.code} {f.slug} {f.severity} {f.message}" for f in result.findings]
    counts = Counter(entry.fate for entry in result.ledger)
    if counts:
        lines.append("ledger: " + ", ".join(f"{counts[fate]} {fate.value}" for fate in Fate))
    return "\n".join(lines) + "\n"


def disappointments(c: Case, result: Conversion) -> list[str]:
    """Where a conversion is not what case.toml asks for."""
    told = []
    if result.outcome.value not in c.outcomes:
        why = result.error or result.reason or "; ".join(f.message for f in result.findings)
        told.append(f"outcome {result.outcome.value} ({why}), wanted {' or '.join(sorted(c.outcomes))}")
    if result.outcome is Outcome.CONVERTED and c.mechanisms:
        mechanism = result.mechanism.value if result.mechanism else "none"
        if mechanism not in c.mechanisms:
            told.append(f"mechanism {mechanism}, wanted {' or '.join(sorted(c.mechanisms))}")
    slugs = {f.slug for f in result.findings}
    if c.findings is not None and slugs != c.findings:
        told.append(f"findings {sorted(slugs)}, wanted {sorted(c.findings)}")
    told += [f"the output lacks {text!r}" for text in c.contains if text not in result.after]
    told += [f"the output holds {text!r}" for text in c.lacks if text in result.after]
    return told


def broken_laws(raw: str, result: Conversion) -> list[str]:
    """Every law that this conversion breaks, whatever the case asks for; [] when it is sound."""
    told = [*_odd_result(raw, result)]
    if result.outcome is Outcome.CONVERTED:
        try:
            ast.parse(result.after)
        except SyntaxError as error:
            return [*told, f"the output does not compile: {error}"]
        told += _new_complaints(raw if parses(raw) else result.after, result.after)
        told += _newlines_changed(raw, result.after)
        told += lost_comments(raw, result)
        if parses(raw):
            told += ledger_gaps(raw, result.after, result.ledger)
            told += _touched(raw, result)
            told += untrue_claims(raw, result)
    return told


def parses(text: str) -> bool:
    """Whether this Python reads the text."""
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _odd_result(raw: str, result: Conversion) -> Iterator[str]:
    if result.before != raw:
        yield "`before` is not the text that was given"
    if result.outcome is Outcome.CONVERTED:
        if result.after == raw:
            yield "converted, but nothing changed"
        if result.mechanism is None:
            yield "converted, but by no mechanism"
    elif result.after != raw:
        yield f"{result.outcome.value}, but the text changed"
    if result.outcome is Outcome.REFUSED and not any(f.severity == "refused" and f.line for f in result.findings):
        yield "refused, but no finding says what stood in the way and where"
    if result.outcome is Outcome.FAILED and not result.error:
        yield "failed, but no error says why"
    last = raw.count("\n") + 1
    for f in result.findings:
        if not (0 <= f.line <= last and f.column >= 1 and f.severity in SEVERITIES and f.message and f.remedy):
            yield f"finding out of shape: {f}"
    if list(result.findings) != sorted(result.findings):
        yield "findings are not sorted"


def _new_complaints(raw: str, after: str) -> list[str]:
    """Unbound names, and unused imports and variables, that the raw script did not have."""
    old = {text for _, text in _complaints(raw)}
    return [f"line {line}: {text}" for line, text in _complaints(after) if text not in old]


def _complaints(text: str) -> list[tuple[int, str]]:
    checker = importlib.import_module("pyflakes.checker")  # there are no stubs for it
    messages = importlib.import_module("pyflakes.messages")

    serious = (
        messages.UndefinedName,
        messages.UndefinedLocal,
        messages.UndefinedExport,
        messages.UnusedImport,
        messages.UnusedVariable,
        messages.ReturnOutsideFunction,
        messages.DuplicateArgument,
        messages.FStringMissingPlaceholders,
    )
    found = checker.Checker(ast.parse(text), filename="raw.py").messages
    return [(m.lineno, str(m.message % m.message_args)) for m in found if isinstance(m, serious)]


def _newlines_changed(raw: str, after: str) -> list[str]:
    styles = set(re.findall(r"\r\n|\r|\n", raw))
    new = set(re.findall(r"\r\n|\r|\n", after)) - styles
    return [f"newlines {sorted(new)} in the output, {sorted(styles)} in the raw script"] if new else []


def comments(text: str) -> list[tuple[int, str]]:
    """Every comment with its line."""
    tokens = tokenize.generate_tokens(io.StringIO(text, newline="").readline)
    return [(t.start[0], t.string.strip()) for t in tokens if t.type == tokenize.COMMENT]


def _said(comment: str) -> str:
    """What a comment says: black puts a blank after its sign."""
    return comment.lstrip("#").strip()


def lost_comments(raw: str, result: Conversion) -> list[str]:
    """Comments that are neither in the output nor named in the ledger or a finding."""
    left = Counter(_said(text) for _, text in comments(result.after))
    named = [entry.source + "\n" + entry.reason for entry in result.ledger] + [f.message for f in result.findings]
    lost = []
    for line, text in comments(raw):
        if left[_said(text)]:
            left[_said(text)] -= 1
        elif not any(text in words for words in named):
            lost.append(f"line {line}: comment lost: {text}")
    return lost


def ledger_gaps(raw: str, after: str, ledger: tuple[LedgerEntry, ...]) -> list[str]:
    """Statements of the training program that the ledger does not hold exactly once.

    An entry is a statement with all that is in it, or the header of one whose body has entries of its own.
    """
    told = []
    if not ledger:
        return ["the ledger is empty"]
    for line, statements in sorted(_training_statements(raw, after).items()):
        held = [entry for entry in ledger if entry.line <= line <= entry.end_line]
        if len(held) not in (1, len(statements)):
            source = ast.unparse(statements[0]).splitlines()[0]
            told.append(f"line {line}: {len(held)} ledger entries for: {source}")
    return told


def _training_statements(raw: str, after: str) -> dict[int, list[ast.stmt]]:
    """By first line, what must be in the ledger.

    That is the epoch loop and the batch loop around each backward(), the function between them, and every
    function that is gone from the output.
    """
    tree = ast.parse(raw)
    functions: dict[str, ast.FunctionDef] = {}
    for node in ast.walk(tree):  # outer ones first: a method of a model may have the name of a function
        if isinstance(node, ast.FunctionDef):
            functions.setdefault(node.name, node)
    left = {n.name for n in ast.walk(ast.parse(after)) if isinstance(n, ast.FunctionDef)}
    found: dict[int, list[ast.stmt]] = {}
    between: set[str] = set()
    for owner, loops in _calls_in_loops(tree, "backward"):
        _take(loops[-2:-1] or loops, found)
        if owner and len(loops) < 2 and not _makes_optimizer(functions.get(owner)):
            between.add(owner)
    for name in between:
        around = [loops for _, loops in _calls_in_loops(tree, name) if loops]
        for loops in around:
            _take(loops[-1:], found)
        if around:
            _take(functions[name].body, found)
    for name in functions.keys() - left:
        _take(functions[name].body, found)
    return found


def _makes_optimizer(function: ast.FunctionDef | None) -> bool:
    """Whether a function makes the optimizer that it uses: calls of it are whole trainings then, not epochs."""
    return function is not None and any(
        isinstance(n, ast.Assign) and ast.unparse(n.value).startswith(("torch.optim.", "optim.")) for n in function.body
    )


def _take(body: Sequence[ast.stmt], found: dict[int, list[ast.stmt]]) -> None:
    for statement in body:
        for inner in ast.walk(statement):
            if isinstance(inner, ast.stmt) and inner not in found.setdefault(inner.lineno, []):
                found[inner.lineno].append(inner)


def _calls_in_loops(
    tree: ast.AST, goal: str, owner: str = "", loops: tuple[ast.stmt, ...] = ()
) -> Iterator[tuple[str, tuple[ast.stmt, ...]]]:
    """For every call of ``goal``: the function around it, and the loops there, outermost first."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield from _calls_in_loops(node, goal, node.name)
        elif isinstance(node, ast.For | ast.While):
            yield from _calls_in_loops(node, goal, owner, (*loops, node))
        elif not isinstance(node, ast.ClassDef):
            if isinstance(node, ast.Call) and _called(node) == goal:
                yield owner, loops
            yield from _calls_in_loops(node, goal, owner, loops)


def _called(call: ast.Call) -> str:
    f = call.func
    return f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""


def _touched(raw: str, result: Conversion) -> Iterator[str]:
    """Statements at the top of the file that are in no ledger entry must come out byte for byte, in order."""
    lines = raw.splitlines(keepends=True)
    place = 0
    for statement in ast.parse(raw).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            continue  # an import that nothing needs any more may go
        first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", ()))])
        last = statement.end_lineno or first
        if any(entry.line <= last and first <= entry.end_line for entry in result.ledger):
            continue
        text = "".join(lines[first - 1 : last])
        where = result.after.find(text, place)
        if where < 0:
            yield f"line {first}: in no ledger entry, but not left as it was: {lines[first - 1].strip()}"
        else:
            place = where + len(text)


def reviews(result: Conversion) -> list[Finding]:
    """The findings that ask for a review."""
    return [f for f in result.findings if f.severity == "review"]
