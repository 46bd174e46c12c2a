"""The text of a program in which a method begins with what its object's constructor made."""

from __future__ import annotations

import ast

from ..files.lines import dominant_newline, split_lines
from ..memory import is_python
from ..recover.syntax import Source, walk
from .on_call import OnCall
from .reworded import reworded


def made_on_call(source: Source, found: OnCall) -> tuple[str, dict[int, int], tuple[int, ...]] | None:
    """The text, the raw line of each of its lines, and the lines that make something; None when other code shares a line with it."""
    if not all(_stands_alone(source, statement) for statement in (*found.made, *found.named, _first(found.method))):
        return None
    newline = dominant_newline(source.text)
    lines = split_lines(source.text)
    gone: set[int] = set()
    instead: dict[int, list[str]] = {}
    """By the last line of each making what the constructor keeps in its place."""
    moved: list[tuple[str, int, bool]] = []
    """New lines with their raw ones, and whether they make something."""
    head = _first(found.method)
    indent = lines[head.lineno - 1].encode()[: head.col_offset].decode()
    for statement in found.made:
        start, end = statement.lineno, statement.end_lineno or statement.lineno
        own = lines[start - 1][: statement.col_offset]
        for number in range(_with_comments(lines, start, gone), start):
            moved.append((f"{indent}{lines[number - 1].strip()}{newline}", number, False))
            gone.add(number)
        inside = {node: word for node, word in found.words.items() if node in [*walk(statement)]}
        text = reworded(source, statement, inside).split("\n")
        behind = lines[end - 1].encode()[statement.end_col_offset or 0 :].decode().rstrip()
        for place, line in enumerate(text):
            last = behind if place == len(text) - 1 else ""
            moved.append((f"{indent}{line.rstrip().removeprefix(own)}{last}{newline}", start + place, True))
        gone |= {*range(start, end + 1)}
        instead[end] = [f"{own}{line}{newline}" for line in found.kept.get(statement, ())]
    for statement in found.named:
        gone |= {*range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)}
    made = _joined(lines, moved, gone, _place(lines, found.method), instead)
    return made if is_python(made[0]) else None  # a method that only made what is gone has no body any more


def _joined(
    lines: list[str],
    moved: list[tuple[str, int, bool]],
    gone: set[int],
    place: int,
    instead: dict[int, list[str]],
) -> tuple[str, dict[int, int], tuple[int, ...]]:
    text: list[str] = []
    raw: dict[int, int] = {}
    makers: list[int] = []
    for number, line in enumerate(lines, start=1):
        if number == place:
            for new, origin, makes in moved:
                text.append(new)
                raw[len(text)] = origin
                makers += [len(text)] if makes else []
        for kept in [line] if number not in gone else instead.get(number, []):
            text.append(kept)
            raw[len(text)] = number
    return "".join(text), raw, tuple(makers)


def _first(method: ast.FunctionDef) -> ast.stmt:
    """The first statement of a method behind its docstring."""
    documented = isinstance(method.body[0], ast.Expr) and isinstance(method.body[0].value, ast.Constant)
    return method.body[1] if documented and len(method.body) > 1 else method.body[0]


def _place(lines: list[str], method: ast.FunctionDef) -> int:
    """The line above which the method begins now: comments belong to what they stand above."""
    number = _first(method).lineno
    while lines[number - 2].strip().startswith("#"):
        number -= 1
    return number


def _with_comments(lines: list[str], start: int, gone: set[int]) -> int:
    """The first line of the comments that stand right above a statement."""
    while start - 1 not in gone and lines[start - 2].strip().startswith("#"):
        start -= 1
    return start


def _stands_alone(source: Source, statement: ast.stmt) -> bool:
    """Whether nothing but a comment shares the lines of a statement."""
    before = source.lines[statement.lineno - 1].encode()[: statement.col_offset]
    behind = source.lines[(statement.end_lineno or 1) - 1].encode()[statement.end_col_offset or 0 :].strip()
    compound = isinstance(statement, ast.For | ast.While | ast.If | ast.With | ast.Try)
    return not before.strip() and (compound or not behind or behind.startswith(b"#"))
