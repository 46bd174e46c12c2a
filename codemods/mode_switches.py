"""``model = model.train()`` is ``model.train()``: the call gives back the module itself.

The module is an attribute now, and assigning it to itself again would only be noise.
Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.train (returns self).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class ModeSwitches:
    """Claims assignments of a model to what its own ``train()`` or ``eval()`` gives back."""

    name: str = "mode_switches"

    def claim(self, site: Site) -> Claim | None:
        """Claim ``x = x.train(...)`` and ``x = x.eval()``."""
        match site.statement:
            case ast.Assign(
                targets=[ast.Name(id=target)],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=name) as model, attr="train" | "eval")),
            ) if target == name and site.role(model) == "model":
                return Claim(site.hook, "the call gives back the module itself", _only_call)
        return None


def _only_call(node: cst.Assign) -> cst.Expr:
    return cst.Expr(node.value)


IDIOM = ModeSwitches()
