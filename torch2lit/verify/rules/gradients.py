"""Equal losses, other gradients: clipping, clearing, carrying over."""

from __future__ import annotations

from ..compare import losses_of
from ..events import Step, Trace
from ..evidence import Cause, Evidence
from .optimizers import BUILT, OPTIMIZERS, writes_to_weights
from .rule import LAST_BITS, Rule, close


def _clipping(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None:
        return None
    a, b = e.pair[0].gradient_norm, e.pair[1].gradient_norm
    raw_cap, converted_cap = _cap(e.raw), _cap(e.converted)
    raw_clips = 0 < raw_cap < b and _at_most(a, raw_cap)
    converted_clips = 0 < converted_cap < a and _at_most(b, converted_cap)
    if close(a, b) or not (raw_clips or converted_clips):
        return None
    whose, cap = ("raw", raw_cap) if a < b else ("converted", converted_cap)
    return Cause(
        "gradient clipping",
        f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} "
        f"converted; in the {whose} run many steps have exactly the norm {cap:.6g}.",
        "Clip in configure_gradient_clipping with the raw call; a clip inside training_step comes before "
        "backward and does nothing.",
    )


def _clearing(e: Evidence) -> Cause | None:
    """One run clears gradients between two steps where the other carries them on."""
    if e.first.what != "parameters" or e.pair is None or e.index == 0:
        return None
    a, b = e.pair
    if close(a.gradient_norm, b.gradient_norm) or bool(a.cleared) == bool(b.cleared):
        return None
    which, other = ("raw", "converted") if a.cleared else ("converted", "raw")
    return Cause(
        "zero_grad at other times",
        f"Before step {e.first.step} the {which} run cleared the gradients and the {other} run added to those of the step before: "
        f"their norm is {a.gradient_norm:.6g} raw and {b.gradient_norm:.6g} converted.",
        "Lightning clears gradients before every backward pass. To clear them where the raw loop does, override optimizer_zero_grad to do "
        "nothing and call zero_grad() there, or use manual optimization.",
    )


def _gradients(e: Evidence) -> Cause | None:
    if e.first.what != "parameters" or e.pair is None:
        return None
    if any(rule(e) for rule in (_clipping, _clearing, *BUILT, *OPTIMIZERS)):
        return None
    a, b = e.pair[0].gradient_norm, e.pair[1].gradient_norm
    if a == b:
        return None
    if close(a, b) and _weights_are_close(*e.pair):
        return Cause(
            "last bits of the gradients",
            f"Losses are equal and the gradient norms agree to {LAST_BITS:g} at step {e.first.step}: sums "
            "were taken in another order.",
            "Clip with the raw call over the raw parameters; do not merge two backward calls into one sum; "
            "keep autocast as it was.",
        )
    if e.index > 0 and (e.at_epoch_start or len(losses_of(e.raw, e.index)) > 1):
        return Cause(
            "gradients carried over the end of an epoch",
            f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} converted.",
            "Lightning clears gradients before validation; make on_validation_model_zero_grad do nothing.",
        )
    return Cause(
        "zero_grad, clipping or scale of the gradients",
        f"Losses are equal, but the gradient norm at step {e.first.step} is {a:.6g} raw and {b:.6g} converted.",
        "Compare where gradients are zeroed, clipped, scaled or accumulated.",
    )


def _at_most(norm: float, cap: float) -> bool:
    return norm <= cap or close(norm, cap)


def _weights_are_close(raw: Step, converted: Step) -> bool:
    return all(close(a.norm, b.norm) for a, b in zip(raw.tensors, converted.tensors, strict=False))


def _cap(trace: Trace) -> float:
    """The norm that the gradients are clipped to: the largest one, when it is reached more than once. 0.0
    if none is.
    """
    norms = [step.gradient_norm for step in trace.steps]
    largest = max(norms, default=0.0)
    reached = sum(close(norm, largest) for norm in norms)
    return largest if reached > 1 else 0.0


GRADIENTS: tuple[Rule, ...] = (_clipping, _clearing, _gradients, writes_to_weights)
