"""Gradient clipping becomes the Trainer's, where it clips exactly the same gradients.

    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   →   Trainer(gradient_clip_val=1.0)

Lightning sums the norm over the optimizer's parameters group by group. With one group of ``model.parameters()`` that is
the same sum in the same order; with other groups the last bit differs, so the call stays in its hook then.
Source: https://lightning.ai/docs/pytorch/stable/advanced/training_tricks.html#gradient-clipping
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site, TrainerSpec


@dataclass(frozen=True, slots=True)
class ClipGradients:
    """Claims ``clip_grad_norm_`` and ``clip_grad_value_`` between backward and step in automatic optimization."""

    name: str = "clip_gradients"

    def claim(self, site: Site) -> Claim | None:
        """Claim a plain clipping of all of the one optimizer's parameters with a fixed bound."""
        if not (site.automatic and site.between):
            return None
        match site.statement:
            case ast.Expr(value=ast.Call(func=function, args=arguments, keywords=keywords)):
                kind = ast.unparse(function).rpartition(".")[2]
            case _:
                return None
        given = _arguments(kind, arguments, keywords)
        match given.pop("parameters", None):
            case ast.Call(func=ast.Attribute(value=model, attr="parameters"), args=[], keywords=[]):
                pass
            case _:
                return None
        bound = given.pop("max_norm", None) or given.pop("clip_value", None)
        if bound is None or not all(_is_default(name, value) for name, value in given.items()):
            return None
        if not site.optimizes_all(model):
            return None
        value = site.at_entry(bound)
        if not value or site.may_be_array(bound):
            return None
        trainer = TrainerSpec().set("gradient_clip_val", value)
        if kind == "clip_grad_value_":
            trainer = trainer.set("gradient_clip_algorithm", '"value"')
        return Claim("Trainer(gradient_clip_val=...)", "Lightning clips the same gradients", trainer=trainer)


_PARAMETERS = {
    "clip_grad_norm_": ("parameters", "max_norm", "norm_type", "error_if_nonfinite", "foreach"),
    "clip_grad_value_": ("parameters", "clip_value", "foreach"),
}
_DEFAULTS = {"norm_type": 2, "error_if_nonfinite": False, "foreach": None}


def _arguments(kind: str, arguments: list[ast.expr], keywords: list[ast.keyword]) -> dict[str, ast.expr]:
    """What a clipping function is given, by name; nothing for another function or when not all is plain."""
    names = _PARAMETERS.get(kind, ())
    if len(arguments) > len(names) or any(k.arg not in names for k in keywords):
        return {}
    given = dict(zip(names, arguments, strict=False))
    return (
        {} if any(isinstance(a, ast.Starred) for a in arguments) else given | {k.arg or "": k.value for k in keywords}
    )


def _is_default(name: str, value: ast.expr) -> bool:
    """Whether an argument says what the Trainer does anyway."""
    return isinstance(value, ast.Constant) and value.value == _DEFAULTS[name]


IDIOM = ClipGradients()
