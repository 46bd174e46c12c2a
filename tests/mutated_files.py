"""Golden cases' raw scripts with a few random faults of an editor: lines that are gone, twice, elsewhere or deeper, words and expressions that are others."""

from __future__ import annotations

import ast
import io
import random
import tokenize
import zlib
from collections.abc import Callable

from fixture_cases import case, names

Change = Callable[[random.Random, str], str]
_BLOCKS = ("if True:", "for _ in range(2):", "while True:", "with open(__file__) as _:", "try:", "def _():", "class _:")


def mutated(seed: int) -> str:
    """The text that this number stands for, always the same."""
    chance = random.Random(seed)
    text = _some_case(chance)
    for _ in range(chance.randint(1, 3)):
        if text.count("\n") > 2:
            text = chance.choice(CHANGES)(chance, text)
    return text


def _line_gone(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    del lines[_some_line(chance, lines)]
    return "".join(lines)


def _line_twice(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    place = _some_line(chance, lines)
    return "".join([*lines[: place + 1], *lines[place:]])


def _line_elsewhere(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    line = lines.pop(_some_line(chance, lines))
    place = _some_line(chance, lines)
    indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
    return "".join([*lines[:place], indent + line.lstrip(), *lines[place:]])


def _line_deeper(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    place = _some_line(chance, lines)
    lines[place] = f"    {lines[place]}" if chance.random() < 0.5 else lines[place].removeprefix("    ")
    return "".join(lines)


def _statement_in_a_block(chance: random.Random, text: str) -> str:
    if not (statements := [n for n in _nodes(text) if isinstance(n, ast.stmt)]):
        return text
    one = chance.choice(statements)
    lines = text.splitlines(keepends=True)
    first, last = one.lineno - 1, one.end_lineno or one.lineno
    indent = " " * one.col_offset
    if lines[first][: one.col_offset].strip():
        return text
    block = chance.choice(_BLOCKS)
    inside = [f"    {line}" for line in lines[first:last]]
    after = [f"{indent}finally:\n", f"{indent}    pass\n"] if block == "try:" else []
    return "".join([*lines[:first], f"{indent}{block}\n", *inside, *after, *lines[last:]])


def _other_expression(chance: random.Random, text: str) -> str:
    found = [n for n in _nodes(text) if isinstance(n, ast.expr)]
    pieces = {(n.lineno, n.col_offset, n.end_col_offset) for n in found if n.lineno == n.end_lineno}
    if len(pieces) < 2 or not text.isascii():
        return text
    lines = text.splitlines(keepends=True)
    (line, start, end), (other, begin, stop) = chance.sample(sorted(pieces, key=str), 2)
    lines[line - 1] = lines[line - 1][:start] + lines[other - 1][begin:stop] + lines[line - 1][end:]
    return "".join(lines)


def _other_word(chance: random.Random, text: str) -> str:
    words = _tokens(text, tokenize.NAME)
    return _with_token(text, chance.choice(words), chance.choice(words).string) if words else text


def _token_gone(chance: random.Random, text: str) -> str:
    tokens = _tokens(text, tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING)
    return _with_token(text, chance.choice(tokens), "") if tokens else text


def _cut_off(chance: random.Random, text: str) -> str:
    return text[: chance.randrange(len(text))] if text else text


def _end_of_another(chance: random.Random, text: str) -> str:
    other = _some_case(chance)
    return text + other[chance.randrange(len(other)) :]


CHANGES: tuple[Change, ...] = (
    _line_gone, _line_twice, _line_elsewhere, _line_elsewhere, _line_deeper, _statement_in_a_block, _statement_in_a_block,
    _other_expression, _other_expression, _other_expression, _other_word, _other_word, _token_gone, _cut_off, _end_of_another,
)  # fmt: skip
"""Those that mostly leave a program are there more than once."""


def _some_case(chance: random.Random) -> str:
    """A case of which a new one beside it changes nothing, unless it is the new one."""
    number = chance.randrange(1 << 32)
    return case(min(names(), key=lambda name: zlib.crc32(f"{number} {name}".encode()))).raw


def _some_line(chance: random.Random, lines: list[str]) -> int:
    written = [number for number, line in enumerate(lines) if line.strip()]
    return chance.choice(written or list(range(len(lines))))


def _nodes(text: str) -> list[ast.stmt | ast.expr]:
    try:
        return [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.stmt | ast.expr)]
    except (SyntaxError, ValueError):
        return []


def _tokens(text: str, *kinds: int) -> list[tokenize.TokenInfo]:
    try:
        return [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type in kinds]
    except (SyntaxError, tokenize.TokenError):
        return []


def _with_token(text: str, token: tokenize.TokenInfo, word: str) -> str:
    lines = text.splitlines(keepends=True)
    (first, start), (last, end) = token.start, token.end
    lines[first - 1 : last] = [lines[first - 1][:start] + word + lines[last - 1][end:]]
    return "".join(lines)
