"""Gradient clipping becomes the Trainer's, where it clips exactly the same gradients.

    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)   →   Trainer(gradient_clip_val=1.0)

Lightning sums the norm over the optimizer's parameters group by group. With one group of ``model.parameters()`` that is
the same sum in the same order; with other groups the last bit differs, so the call stays in its hook then.
Source: https://lightning.ai/docs/pytorch/stable/advanced/training_tricks.html#gradient-clipping
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ..program import Claim, Site


@dataclass(frozen=True, slots=True)
class ClipGradients:
    """Claims ``clip_grad_norm_`` and ``clip_grad_value_`` between backward and step in automatic optimization."""

    name: str = "clip_gradients"

    def claim(self, site: Site) -> Claim | None:
        """Claim a plain clipping of all of the one optimizer's parameters with a fixed bound."""
        if not (site.automatic and site.between):
            return None
        match site.statement:
            case ast.Expr(
                value=ast.Call(
                    func=function,
                    args=[
                        ast.Call(func=ast.Attribute(value=model, attr="parameters"), args=[], keywords=[]),
                        bound,
                    ],
                    keywords=[],
                )
            ):
                kind = ast.unparse(function).rpartition(".")[2]
            case ast.Expr(
                value=ast.Call(
                    func=function,
                    args=[ast.Call(func=ast.Attribute(value=model, attr="parameters"), args=[], keywords=[])],
                    keywords=[ast.keyword(arg="max_norm" | "clip_value", value=bound)],
                )
            ):
                kind = ast.unparse(function).rpartition(".")[2]
            case _:
                return None
        if kind not in ("clip_grad_norm_", "clip_grad_value_") or not site.optimizes_all(model):
            return None
        value = site.at_entry(bound)
        if not value:
            return None
        trainer = [("gradient_clip_val", value)]
        if kind == "clip_grad_value_":
            trainer.append(("gradient_clip_algorithm", '"value"'))
        return Claim("Trainer(gradient_clip_val=...)", "Lightning clips the same gradients", trainer=tuple(trainer))


IDIOM = ClipGradients()
