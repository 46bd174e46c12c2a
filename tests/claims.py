"""What a conversion says of itself, checked against its text: each answer is a list of claims that are not true."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter

from torch2lit.new_lines import origins_of
from torch2lit.program import Conversion, Fate, Outcome

_GONE = re.compile(r"gone with its statement: (#.*)$")
_PASSES = re.compile(r"\b(\d+) (backward pass|optimizer step)(?:e?s) per batch$")
_BACKWARD = {"backward", "manual_backward"}


def untrue_claims(raw: str, result: Conversion) -> list[str]:
    """All of them."""
    if result.outcome is not Outcome.CONVERTED:
        return []
    return [
        *comments_that_are_there(raw, result),
        *docstrings_without_a_word(raw, result),
        *kept_lines_that_are_gone(result),
        *lines_without_an_origin(raw, result),
        *backward_passes_miscounted(raw, result),
        *words_of_the_inside(result),
    ]


def comments_that_are_there(raw: str, result: Conversion) -> list[str]:
    """Comments that are told to be gone and stand in the output as often as before."""
    before, after = Counter(_comments(raw)), Counter(_comments(result.after))
    told: list[str] = []
    for found in result.findings:
        gone = _GONE.match(found.message)
        if gone is not None and after[_said(gone.group(1))] >= max(1, before[_said(gone.group(1))]):
            told.append(f"line {found.line}: comment is told to be gone and is there: {gone.group(1)}")
    return told


def docstrings_without_a_word(raw: str, result: Conversion) -> list[str]:
    """Docstrings that are neither in the output nor told to be gone."""
    left = Counter(text for _, text in _docstrings(result.after))
    told = {f.line for f in result.findings if f.slug == "comment-removed"}
    lost = []
    for line, text in _docstrings(raw):
        if left[text]:
            left[text] -= 1
        elif line not in told:
            lost.append(f"line {line}: docstring lost: {text[:40]}")
    return lost


def kept_lines_that_are_gone(result: Conversion) -> list[str]:
    """Statements that the ledger calls kept and whose line the output does not hold."""
    lines = {line.strip()[:400] for line in result.after.splitlines()}
    return [
        f"line {entry.line}: told to be kept, and gone: {entry.source}"
        for entry in result.ledger
        if entry.fate is Fate.KEPT and entry.source and entry.source.splitlines()[0].strip() not in lines
    ]


def lines_without_an_origin(raw: str, result: Conversion) -> list[str]:
    """Lines of the output of which no origin is told, or a wrong one."""
    after, before = result.after.splitlines(), raw.splitlines()
    told: list[str] = []
    reached = 0
    for origin in origins_of(result):
        if origin.line != reached + 1:
            told.append(f"output line {reached + 1}: its origin is not told once")
        reached = origin.end_line
        for line in range(origin.line, origin.end_line + 1):
            number = origin.raw + line - origin.line
            if origin.kind == "kept" and before[number - 1 : number] != after[line - 1 : line]:
                told.append(f"output line {line}: told to be the raw line {number}, and is not")
        if origin.kind == "written" and origin.raw:
            told.append(f"output line {origin.line}: written, but with a raw line")
    if reached != len(after):
        told.append(f"output lines from {reached + 1} on have no origin")
    return told


def backward_passes_miscounted(raw: str, result: Conversion) -> list[str]:
    """Notes of several backward passes per batch that no path through the batch has."""
    told: list[str] = []
    tree: ast.Module | None = None
    for found in result.findings:
        said = _PASSES.search(found.message)
        if found.slug != "manual-optimization" or said is None or said.group(2) != "backward pass":
            continue
        tree = tree or ast.parse(raw)
        body = _body_around(tree, found.line)
        if body is not None and (most := _most(body)) < int(said.group(1)) and not _calls_of_own(tree, body):
            told.append(f"line {found.line}: {said.group(1)} backward passes are told, and a path has {most}")
    return told


def words_of_the_inside(result: Conversion) -> list[str]:
    """Findings in words that only torch2lit's own code knows."""
    inside = re.compile(r"\b(?:nest|fate|draft|frame|_t2l\w*|would be unbound|edit of lines)\b")
    return [
        f"line {found.line}: `{word.group()}` in a message to users: {found.message}"
        for found in result.findings
        if (word := inside.search(re.sub(r"`[^`]*`", "", found.message)))
    ]


def _body_around(tree: ast.Module, line: int) -> list[ast.stmt] | None:
    """The body of the outermost loop but one, or of the function, around a line: what one batch runs."""
    loops = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.For | ast.While) and n.lineno <= line <= (n.end_lineno or n.lineno)
    ]
    loops.sort(key=lambda n: n.lineno)
    return loops[min(1, len(loops) - 1)].body if loops else None


def _calls_of_own(tree: ast.Module, body: list[ast.stmt]) -> bool:
    """Whether the body calls functions of the file, or loops, so that one line may run several times."""
    own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    for node in (n for s in body for n in ast.walk(s)):
        if isinstance(node, ast.For | ast.While):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in own:
                return True
    return False


def _most(body: list[ast.stmt]) -> int:
    return sum(_most_of(statement) for statement in body)


def _most_of(statement: ast.stmt) -> int:
    match statement:
        case ast.If(body=body, orelse=orelse):
            return max(_most(body), _most(orelse))
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
            return _most(body) + max([_most(orelse), *(_most(h.body) for h in handlers)]) + _most(final)
        case ast.With(body=body):
            return _most(body)
        case ast.FunctionDef():
            return 0
    return sum(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in _BACKWARD
        for n in ast.walk(statement)
    )


def _comments(text: str) -> list[str]:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text, newline="").readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [_said(t.string) for t in tokens if t.type == tokenize.COMMENT]


def _said(comment: str) -> str:
    return comment.strip().lstrip("#").strip()


def _docstrings(text: str) -> list[tuple[int, str]]:
    owners = (
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    )
    return sorted((n.body[0].lineno, " ".join(d.split())) for n in owners if (d := ast.get_docstring(n)))
