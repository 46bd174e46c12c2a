"""Optimizers that are built otherwise, or take turns otherwise."""

from __future__ import annotations

from ..compare import differing_tensors
from ..evidence import Cause, Evidence
from .rule import Rule, optimizers, other_settings, told

_NOT_SETTINGS = ("weights at the start", "lr", "tensors", "groups", "tensors per group")


def _turns(e: Evidence) -> Cause | None:
    """Another optimizer steps next, though both runs have the same ones."""
    if e.pair is None or e.pair[0].optimizer == e.pair[1].optimizer or len(optimizers(e.raw)) < 2:
        return None
    if "global_step" not in e.script:
        return None
    a, b = e.pair
    return Cause(
        "global_step counts the steps of every optimizer",
        f"Step {e.first.step} is taken by {a.optimizer} in the raw run and by {b.optimizer} in the converted one, which reads "
        "`global_step`: it grows by one at each step of each optimizer, not at each batch.",
        "Count batches in an attribute of the module, or use `batch_idx` and `self.current_epoch`.",
    )


def _other_optimizer(e: Evidence) -> Cause | None:
    if e.pair is None or e.pair[0].optimizer == e.pair[1].optimizer or _turns(e) is not None:
        return None
    if e.first.what != "optimizer" and len(optimizers(e.raw)) < 2:
        return None
    a, b = e.pair
    return Cause(
        "another optimizer, or another order of optimizers",
        f"Step {e.first.step} is taken by {a.optimizer} in the raw run and by {b.optimizer} in the converted one.",
        "Step the optimizers in the raw order under manual optimization, and build the same classes.",
    )


def _other_parameters(e: Evidence) -> Cause | None:
    if e.pair is None or not (
        e.first.what in ("learning rate", "parameters") or (e.first.what == "loss" and not e.index)
    ):
        return None
    a, b = (_tensors(e, side) for side in (0, 1))
    if not a or not b or a == b or e.pair[0].optimizer != e.pair[1].optimizer:
        return None
    modes = ""
    if e.pair[0].training[1] != e.pair[1].training[1]:
        modes = " They belong to other networks, too, which `self.train()` puts in training mode with the rest."
    return Cause(
        "other parameters in the optimizer",
        f"It holds {a} tensors in the raw run and {b} in the converted one.{modes}",
        "Give the optimizer the parameters of the network that the raw script trains, not `self.parameters()`, and call train() on "
        "that network alone: a teacher or a frozen part stays in eval mode.",
    )


def _groups(e: Evidence) -> Cause | None:
    if e.pair is None or e.first.what not in ("learning rate", "parameters"):
        return None
    facts = e.raw.of_kind("optimizer"), e.converted.of_kind("optimizer")
    parted = [d for d in other_settings(*facts) if d[0] in ("groups", "tensors per group")]
    if not parted or _other_parameters(e) is not None:
        return None
    settings = other_settings(*facts, without=("weights at the start",))
    return Cause(
        "parameter groups of the optimizer",
        f"The optimizers are built otherwise: {told(settings)}.",
        "Build the same parameter groups in configure_optimizers, with their own learning rates and weight decay.",
    )


def _settings(e: Evidence) -> Cause | None:
    if e.pair is None or e.first.what != "parameters" or _groups(e) is not None or _other_parameters(e) is not None:
        return None
    facts = e.raw.of_kind("optimizer"), e.converted.of_kind("optimizer")
    settings = other_settings(*facts, without=_NOT_SETTINGS)
    if not settings or e.pair[0].optimizer != e.pair[1].optimizer:
        return None
    return Cause(
        "settings of the optimizer",
        f"{told(settings).capitalize()}.",
        "Build the optimizer with the raw script's arguments.",
    )


def _order(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None or e.pair[0].gradient_norm != e.pair[1].gradient_norm:
        return None
    a, b = e.pair
    if not a.tensors or sorted(t.sha1 for t in a.tensors) != sorted(t.sha1 for t in b.tensors):
        return None
    return Cause(
        "order of the parameters",
        "The optimizers hold the same tensors in another order.",
        "Build the optimizer from the same expression as the raw script.",
    )


def writes_to_weights(e: Evidence) -> Cause | None:
    """Nothing that leads to a step differs, but the weights after it do."""
    if e.first.what != "parameters" or e.pair is None or e.pair[0].gradient_norm != e.pair[1].gradient_norm:
        return None
    if any(rule(e) is not None for rule in (*BUILT, *OPTIMIZERS)):
        return None
    a, b = e.pair
    some = f" {len(differing_tensors(a, b))} of {len(a.tensors)} tensors differ." if a.tensors else ""
    return Cause(
        "settings of the optimizer, or writes to the weights",
        f"Losses, learning rates and gradient norms are equal at step {e.first.step}, the weights after it are not.{some}",
        "Compare weight decay, momentum and betas, zero_grad(set_to_none=False), and code that writes "
        "weights (averaging, clamping).",
    )


def _tensors(e: Evidence, side: int) -> int:
    trace = (e.raw, e.converted)[side]
    assert e.pair is not None
    label = e.pair[side].optimizer
    for fact in trace.of_kind("optimizer"):
        if fact.name == label:
            return int(fact.settings["tensors"])
    return len(e.pair[side].tensors)


BUILT: tuple[Rule, ...] = (_other_parameters, _groups)
TURNS: tuple[Rule, ...] = (_turns, _other_optimizer)
OPTIMIZERS: tuple[Rule, ...] = (_settings, _order)
