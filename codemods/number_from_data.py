"""``loss.data[0]`` was a Python number; now a loss has no dimension, and its number is ``loss.item()``.

    loss.data[0]                 →   loss.item()
    loss.data.cpu().numpy()[0]   →   loss.data.cpu().numpy()[()]

Up to PyTorch 0.3 a loss, a mean and a sum had one dimension of one element. ``x.data[0]`` of a longer tensor is its first
row, then and now: such code stays.
Source: https://pytorch.org/blog/pytorch-0_4_0-migration-guide/ (support for 0-dimensional tensors).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..program import Modernisation, Script, left, replaced

_DATA = re.compile(r"([\s)]*)\.\s*data\s*\[\s*0\s*\]")
_ARRAY = re.compile(r"(.*)\[\s*0\s*\]")


@dataclass(frozen=True, slots=True)
class NumberFromData:
    """Reads the number of tensors without a dimension by ``item()``; reports where the shape is not known."""

    name: str = "number_from_data"
    words: tuple[str, ...] = (".data[0]", ".numpy()[0]")

    def modernise(self, script: Script) -> Iterable[Modernisation]:
        """Every ``x.data[0]`` and ``x.data...numpy()[0]`` whose ``x`` has no dimension today."""
        old = _is_old(script)
        for node in script.all(ast.Subscript):
            match node:
                case ast.Subscript(
                    value=ast.Attribute(value=inner, attr="data"), slice=ast.Constant(value=0), ctx=ast.Load()
                ):
                    yield from self._number(script, node, inner, old)
                case ast.Subscript(
                    value=ast.Call(func=ast.Attribute(value=inner, attr="numpy"), args=[]) as call,
                    slice=ast.Constant(value=0),
                    ctx=ast.Load(),
                ) if script.scalar(inner) == "no dimension" and _ARRAY.fullmatch(script.rest(call, node)):
                    meaning = (
                        f"`{script.text(inner)}` had one element up to PyTorch 0.3 and has no dimension now: "
                        "`[0]` raises IndexError, `[()]` is the same number"
                    )
                    yield replaced(node, "[()]", meaning, after=call)

    def _number(self, script: Script, node: ast.Subscript, inner: ast.expr, old: bool) -> Iterable[Modernisation]:
        shape = script.scalar(inner)
        name = (
            script.text(inner) if isinstance(inner, ast.Name | ast.Call | ast.Attribute) else f"({script.text(inner)})"
        )
        found = _DATA.fullmatch(script.rest(inner, node))
        if shape == "no dimension" and found:
            meaning = (
                f"`{name}.data[0]` was a Python number up to PyTorch 0.3 and raises IndexError now: "
                f"`{name}.item()` is that number"
            )
            yield replaced(node, f"{found[1]}.item()", meaning, after=inner)
        elif shape == "one element" and found and old:
            meaning = (
                f"`{name}.data[0]` was a Python number up to PyTorch 0.3; now it raises IndexError, or is a tensor if `{name}` "
                f"still has a dimension: `{name}.item()` is that number"
            )
            yield replaced(node, f"{found[1]}.item()", meaning, after=inner, certain=False)
        elif old or shape:
            meaning = (
                f"`{name}.data[0]` stays: up to PyTorch 0.3 it was a number or a row; now it raises IndexError if `{name}` is "
                f"a mean, a sum or a loss: write `{name}.item()` then"
            )
            yield left(node, meaning)


def _is_old(script: Script) -> bool:
    """Whether the file may be written for a torch before 0.4: it wraps its tensors, or takes names that are not seen."""
    if any(alias.name == "*" for alias in script.all(ast.alias)):
        return True
    return any(script.full_name(c.func) == "torch.autograd.Variable" for c in script.all(ast.Call))


MODERNIZER = NumberFromData()
