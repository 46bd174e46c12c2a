"""Docstrings of functions whose bodies stand in hooks: that of the training goes to the module, that of the validation to its hook."""

from __future__ import annotations

import ast
import textwrap

from ..plan.draft import VALIDATION_STEP, Draft
from ..plan.moved import moved_functions


def with_docstrings(draft: Draft, text: str) -> str:
    """The class's source with the docstrings of the functions that leave the text; those without a place are left out."""
    removed = moved_functions(draft, with_others=True)
    validating = draft.validation.frame.scope if draft.validation is not None else None
    around = [f.scope for f in draft.validation.frames] if draft.validation is not None else []
    around += [frame.scope for frame in draft.nest.clearing]
    trained = [f for f in removed if f not in around and _docstring(draft, f)]
    if trained:
        text = _below(text, "class ", _docstring(draft, trained[0]), "    ")
    if isinstance(validating, ast.FunctionDef) and validating in removed:
        told = _docstring(draft, validating)
        if told and not (trained and told == _docstring(draft, trained[0])):
            text = _below(text, f"    def {VALIDATION_STEP}(", told, "        ")
    return text


def _docstring(draft: Draft, function: ast.FunctionDef) -> str:
    """The docstring's text as it stands, its further lines without the function's indentation; "" when there is none."""
    first = function.body[0]
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant) or len(function.body) == 1:
        return ""
    if not isinstance(first.value.value, str) or first.value.kind or first.lineno == function.lineno:
        return ""
    source = draft.source if draft.source.view is None else draft.source.view.raw
    lines = source.lines[first.lineno - 1 : first.end_lineno]
    head = lines[0].strip("\r\n")[first.col_offset :]
    if not head.startswith(('"', "'")) or (first.end_lineno == first.lineno and not head.rstrip().endswith(head[0])):
        return ""
    rest = textwrap.dedent("\n".join(line.rstrip("\r\n") for line in lines[1:]))
    return f"{head}\n{rest}".rstrip() if rest else head.rstrip()


def _below(text: str, head: str, docstring: str, indent: str) -> str:
    """The text with a docstring below the one line that begins so."""
    if not docstring:
        return text
    lines = text.split("\n")
    at = next((n for n, line in enumerate(lines) if line.startswith(head)), None)
    if at is None:
        return text
    following = next((line for line in lines[at + 1 :] if line.strip()), "")
    own = following[: len(following) - len(following.lstrip())]
    indent = own if len(own) > len(lines[at]) - len(lines[at].lstrip()) else indent
    written = [indent + line if line.strip() else line for line in docstring.split("\n")]
    return "\n".join([*lines[: at + 1], *written, *lines[at + 1 :]])
