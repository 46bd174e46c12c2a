"""Backward and step of a script that scales its gradients, as they are when Lightning scales them."""

from __future__ import annotations

import ast

from .draft import Draft


def loss_of(draft: Draft, backward: ast.Call) -> ast.expr:
    """What a backward pass starts from: without the scale, when Lightning scales."""
    assert isinstance(backward.func, ast.Attribute)
    value = backward.func.value
    if draft.mixed is not None and draft.mixed.made is not None and isinstance(value, ast.Call):
        return value.args[0]
    return value


def scaled_optimizer(draft: Draft, step: ast.Call) -> ast.expr | None:
    """The optimizer of ``scaler.step(optimizer)``, when Lightning scales; None for any other step."""
    return step.args[0] if draft.mixed is not None and draft.mixed.made is not None else None
