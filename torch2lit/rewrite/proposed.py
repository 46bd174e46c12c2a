"""The texts of accepted proposals: what their words in braces stand for, and the imports that they need."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..plan.draft import Draft
from ..plan.proposals import numbered, word
from ..program import Edit
from ..recover.syntax import Source
from .module import Names


def name_imports(draft: Draft, names: Names) -> None:
    """Decide how each thing that a proposal imports is called: by its own name where that is free in the file."""
    for number, proposal in enumerate(draft.accepted):
        for full in proposal.imports:
            module, _, name = full.rpartition(".")
            names.words[word(name, number)] = _called(draft, names, module, name)


def _called(draft: Draft, names: Names, module: str, name: str) -> str:
    full = f"{module}.{name}" if module else name
    if (own := next((n for n, origin in draft.roles.origins.items() if origin == full), "")) and not _rebound(
        draft, own
    ):
        return own
    if not module:
        draft.imports += [name] if name not in draft.imports else []
        return name
    if name in names.taken:
        return full.replace("lightning", names.lightning, 1)
    draft.named_imports.append((module, name))
    return name


def _rebound(draft: Draft, name: str) -> bool:
    return draft.roles.key(draft.nest.entry.scope, name) is not None


def around_fit(draft: Draft, names: Names) -> tuple[list[str], list[str]]:
    """The lines before the Trainer is made and those behind the call of `fit`."""
    found: tuple[list[str], list[str]] = ([], [])
    for number, proposal in enumerate(draft.accepted):
        for lines, texts in zip(found, (proposal.before_fit, proposal.after_fit), strict=True):
            lines += [filled(draft, names, numbered(text, proposal, number)) for text in texts]
    return found


def definitions(draft: Draft, names: Names) -> list[str]:
    """The functions and classes that proposals bring."""
    found = [numbered(text, one, number) for number, one in enumerate(draft.accepted) for text in one.definitions]
    return [filled(draft, names, text) for text in found]


def fit_arguments(draft: Draft, names: Names) -> list[str]:
    """Further arguments of the call of `fit`."""
    found = [numbered(text, one, number) for number, one in enumerate(draft.accepted) for text in one.fit]
    return [filled(draft, names, text) for text in found]


def classes_of(draft: Draft, names: Names) -> list[tuple[str, ast.stmt]]:
    """The classes that proposals bring, each with the first statement that becomes other source, and may use it."""
    found = []
    for number, proposal in enumerate(draft.accepted):
        for text in proposal.classes:
            first = min(proposal.texts, key=lambda s: s.lineno)
            found.append((filled(draft, names, numbered(text, proposal, number)), first))
    return found


def data_of(draft: Draft, names: Names) -> str:
    """What `fit` gets in place of the loaders, "" when it gets those."""
    found = [(number, proposal) for number, proposal in enumerate(draft.accepted) if proposal.data]
    return next((filled(draft, names, numbered(one.data, one, number)) for number, one in found), "")


def filled(draft: Draft, names: Names, text: str) -> str:
    """A text with the words in braces filled in."""
    own = {"{lightning}": names.lightning, "{module}": names.instance, "{trainer}": names.trainer}
    for key, meant in (own | draft.words | names.words).items():
        text = text.replace(key, meant)
    return text


def named_import_edit(source: Source, module: str, names: Sequence[str]) -> Edit | None:
    """``from MODULE import NAME, NAME`` where imports of that form stand; None when the file has them all."""
    imports = [s for s in source.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    there = {
        a.name for n in imports if isinstance(n, ast.ImportFrom) and n.module == module for a in n.names if not a.asname
    }
    if not (missing := [name for name in names if name not in there]):
        return None
    first = next((s for s in imports if isinstance(s, ast.ImportFrom) and _sorts_behind(s, module)), None)
    place = first.lineno - 1 if first is not None else max((s.end_lineno or s.lineno for s in imports), default=0)
    return Edit(place, place, f"from {module} import {', '.join(missing)}\n")


def _sorts_behind(node: ast.ImportFrom, module: str) -> bool:
    return node.level == 0 and (node.module or "") > module and node.module != "__future__"
