"""Modules that are one and the same but for names: the later training takes the class of the earlier one.

One function that trains several models, or a loop that a notebook has twice, gives a module for each call of it. Where their code is the
same, word by word, the class is written once; a network that is called `model_1` in one and `model_2` in the other is `model` in it.
"""

from __future__ import annotations

import io
import keyword
import re
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..plan.module_names import RESERVED
from ..program import Edit
from .module import Names

_LAYOUT = (tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
_NO_TEXT = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
_FORMATTED, _FORMATTED_END = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
"""Up to Python 3.11 an f-string is one token: what it holds has to be the same in any case."""
_NUMBER = re.compile(r"_?[vV]?\d+$")


@dataclass(frozen=True, slots=True)
class Written:
    """One training's names and its edits of the file; ``models`` are the names of the networks that it trains."""

    names: Names
    edits: list[Edit]
    models: frozenset[str]

    @property
    def place(self) -> int | None:
        """Which edit holds the class, where that stands at the file's top level."""
        head = f"class {self.names.module}("
        found = [n for n, e in enumerate(self.edits) if any(line.startswith(head) for line in e.text.splitlines())]
        return found[0] if len(found) == 1 else None

    @property
    def own(self) -> dict[str, str]:
        """The names of its classes, by what they are for."""
        return {"module": self.names.module, "lazy": self.names.lazy_loader, "every": self.names.every_batch}


def united(first: Written, second: Written, taken: set[str]) -> tuple[list[Edit], list[Edit]] | None:
    """The edits of both with the first one's class for both; None where the classes are not the same, or do not stand in this order."""
    at, there = first.place, second.place
    if at is None or there is None or first.edits[at].start >= second.edits[there].start:
        return None
    classes = {second.own[use]: first.own[use] for use in first.own}
    pairs = _differing(first.edits[at].text, second.edits[there].text, classes)
    if pairs is None:
        return None
    attributes = {
        old: _common(old, other) or ("model" if old in first.models and other in second.models else "")
        for old, other in pairs.items()
    }
    words = _names(first.edits[at].text)
    new = [*attributes.values()]
    if len({*new}) < len(new) or any(not _may_be_called(name) or name in words - {*pairs} for name in new):
        return None
    if any(
        _is_named_outside(one, place, {*names})
        for one, place, names in ((first, at, pairs), (second, there, pairs.values()))
    ):
        return None
    module = _module_name(first.names.module, second.names.module, taken) if pairs else first.names.module
    named = {first.names.module: module}
    earlier = [
        replace(e, text=_with_attributes(_renamed(e.text, named), attributes) if n == at else _renamed(e.text, named))
        for n, e in enumerate(first.edits)
    ]
    spelled = {**classes, second.names.module: module}
    later = [replace(e, text="" if n == there else _renamed(e.text, spelled)) for n, e in enumerate(second.edits)]
    first.names.module = second.names.module = module
    return earlier, [e for e in later if e.text or e.start < e.end]


def _differing(text: str, other: str, classes: dict[str, str]) -> dict[str, str] | None:
    """The attributes that have other names in the second class; None where anything else is another one."""
    mine, theirs = _tokens(text), _tokens(other)
    if len(mine) != len(theirs):
        return None
    forth: dict[str, str] = {}
    back: dict[str, str] = {}
    formatted = 0
    for a, b in zip(mine, theirs, strict=True):
        if a.type != b.type:
            return None
        formatted += (a.type == _FORMATTED) - (a.type == _FORMATTED_END)
        if formatted and a.string != b.string:
            return None
        if a.type != tokenize.NAME:
            if a.string != b.string and a.type not in _NO_TEXT:
                return None
            continue
        said = classes.get(b.string, b.string)
        if forth.setdefault(a.string, said) != said or back.setdefault(said, a.string) != a.string:
            return None
    pairs = {a: b for a, b in forth.items() if a != b}
    return pairs if all(_is_given(mine, a) and _is_given(theirs, b) for a, b in pairs.items()) else None


def _is_given(tokens: Sequence[tokenize.TokenInfo], name: str) -> bool:
    """Whether a name is an argument of the constructor that is kept under it, and nothing else in the class."""
    start = next((n for n, t in enumerate(tokens) if t.string == "__init__"), None)
    if start is None:
        return False
    end = next((n for n in range(start + 1, len(tokens)) if tokens[n].string == "def"), len(tokens))
    close = next((n for n in range(start, end) if tokens[n].string == ")"), start)
    if name not in (t.string for t in tokens[start:close]):
        return False
    for n, token in enumerate(tokens):
        of_self = n > 1 and tokens[n - 1].string == "." and tokens[n - 2].string == "self"
        if token.string == name and not of_self and not (start < n < end and tokens[n - 1].string != "."):
            return False
    return True


def _is_named_outside(one: Written, place: int, names: set[str]) -> bool:
    """Whether the script reads such an attribute of the module, or gives the argument by its name."""
    texts = [e.text for n, e in enumerate(one.edits) if n != place]
    instance = re.escape(one.names.instance)
    patterns = [
        rf"\b{instance}\.{re.escape(name)}\b|\b{one.names.module}\([^)]*\b{re.escape(name)}\s*=" for name in names
    ]
    return any(re.search(pattern, text) for pattern in patterns for text in texts)


def _common(name: str, other: str) -> str:
    """What two names have in common that are numbered; "" for any others."""
    stem = _NUMBER.sub("", name)
    return stem if stem == _NUMBER.sub("", other) else ""


def _module_name(name: str, other: str, taken: set[str]) -> str:
    stem = _common(name, other)
    if len(stem) <= len("Lit") or stem in taken:
        return name
    taken.add(stem)
    return stem


def _may_be_called(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name not in RESERVED


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    return [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in _LAYOUT]


def _names(text: str) -> set[str]:
    return {t.string for t in _tokens(text) if t.type == tokenize.NAME}


def _renamed(text: str, classes: dict[str, str]) -> str:
    """The text with other names for classes that the script does not have."""
    changed = {old: new for old, new in classes.items() if old != new}
    if not changed:
        return text
    pattern = "|".join(map(re.escape, sorted(changed)))
    return re.sub(rf"\b(?:{pattern})\b", lambda found: changed[found.group()], text)


def _with_attributes(text: str, attributes: dict[str, str]) -> str:
    """A class with other names for attributes: what strings hold stays."""
    lines = text.splitlines(keepends=True)
    for token in reversed(_tokens(text)):
        if token.type == tokenize.NAME and token.string in attributes:
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = line[:start] + attributes[token.string] + line[end:]
    return "".join(lines)
