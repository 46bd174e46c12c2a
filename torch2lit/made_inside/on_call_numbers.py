"""Whether all that an optimizer or schedule is made of besides its parameters is numbers, which nothing changes in place.

Adam(self.net.parameters(), lr=args.lr, betas=(args.beta, 0.9))      but not      Adam(self.net.parameters(), betas=args.betas)
"""

from __future__ import annotations

import ast

from ..recover.syntax import dotted, walk

_NUMBERS = {
    "lr", "weight_decay", "momentum", "eps", "dampening", "nesterov", "amsgrad", "alpha", "centered", "maximize", "rho", "lr_decay",
    "momentum_decay", "step_size", "gamma", "last_epoch", "T_max", "eta_min", "T_0", "T_mult", "total_iters", "power", "factor",
    "start_factor", "end_factor", "max_lr", "base_lr", "total_steps", "epochs", "steps_per_epoch",
}  # fmt: skip
_BY_A_NUMBER = ("StepLR", "ExponentialLR", "CosineAnnealingLR", "PolynomialLR", "ConstantLR")
"""Schedules of which the first argument behind the optimizer is a number."""


def has_numbers_only(made: ast.Assign) -> bool:
    """Whether no argument behind the first one may be something that holds numbers, unless it is written out."""
    call = made.value
    if not isinstance(call, ast.Call):
        return False
    kind = dotted(call.func).rpartition(".")[2]
    first = "lr" if not kind.endswith("LR") or kind in _BY_A_NUMBER else ""
    labels = ["params", first, *([""] * len(call.args))]
    given = [*zip(labels, call.args, strict=False), *((k.arg or "", k.value) for k in call.keywords)]
    return all(_is_number(label, value) for label, value in given)


def _is_number(label: str, value: ast.expr) -> bool:
    if label == "params":
        return all(_is_group(group) for group in walk(value) if isinstance(group, ast.Dict))
    match value:
        case ast.Constant():
            return True
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(_is_number("lr", part) for part in parts)
    return label in _NUMBERS or label == "optimizer"


def _is_group(group: ast.Dict) -> bool:
    keys = [k.value if isinstance(k, ast.Constant) else "" for k in group.keys]
    return all(_is_number(str(key), value) for key, value in zip(keys, group.values, strict=True))
