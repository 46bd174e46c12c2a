"""``torch.load`` reads whole objects only on request since PyTorch 2.6.

    torch.save(model, path)                      torch.save(model, path)
    model = torch.load(path)                 →   model = torch.load(path, weights_only=False)

Only a file that the script itself wrote with a whole object in it is loaded so; state dicts load as they always did.
Source: https://docs.pytorch.org/docs/stable/generated/torch.load.html (weights_only is True by default since 2.6).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Piece, Script, end_of

_WHOLE = {"model", "optimizer", "scheduler", "criterion", "config"}


@dataclass(frozen=True, slots=True)
class WholeObjectLoad:
    """Asks for whole objects where the script loads what it saved as such."""

    name: str = "whole_object_load"
    words: tuple[str, ...] = ("torch.load", "import load")

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Every ``torch.load(path)`` whose path, letter by letter, is one where a whole object was saved, and no other."""
        saved: dict[str, bool] = {}
        for call in _calls(script, "torch.save"):
            if len(call.args) >= 2 and (path := _path(call.args[1], script)):
                saved[path] = saved.get(path, False) or _holds_object(call.args[0], script)
        for call in _calls(script, "torch.load"):
            if not call.args or any(k.arg in ("weights_only", None) for k in call.keywords):
                continue
            if saved.get(_path(call.args[0], script)):
                last = max([*call.args, *call.keywords], key=end_of)
                piece = Piece(end_of(last), end_of(last), ", weights_only=False")
                meaning = (
                    "since PyTorch 2.6 `torch.load` raises when the file holds a whole object, as this script saves one there; "
                    "`weights_only=False` loads it, and runs code from the file: load only files that you trust"
                )
                if script.rest(last, call).strip(" \t\r\n,") == ")":
                    yield Modernisation(call.lineno, end_of(call)[0], (piece,), meaning)


def _calls(script: Script, function: str) -> list[ast.Call]:
    return [c for c in script.all(ast.Call) if script.full_name(c.func) == function]


def _holds_object(node: ast.expr, script: Script) -> bool:
    """Whether a module, an optimizer or the like is in it, and not only its ``state_dict()``."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Dict(values=elements):
            return any(_holds_object(e, script) for e in elements)
        case ast.Name():
            return script.role(node) in _WHOLE
    return False


def _path(node: ast.expr, script: Script) -> str:
    """The text of a path; of an open file, that of the path that was opened."""
    if isinstance(node, ast.Name):
        values = script.values(node) or ()
        opened = [
            v.args[0] for v in values if isinstance(v, ast.Call) and script.full_name(v.func) == "open" and v.args
        ]
        if opened and len(opened) == len(values):
            texts = {ast.unparse(path) for path in opened}
            return texts.pop() if len(texts) == 1 else ""
    return ast.unparse(node)


MODERNIZER = WholeObjectLoad()
