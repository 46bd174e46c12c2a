"""What a lower precision that the options ask for does otherwise on the device where the Trainer trains."""

from __future__ import annotations

from ..recover.stepping import is_held
from ..recover.syntax import dotted
from .draft import Draft

LOWER_PRECISION = "lower-precision"
_UNSAFE = ("torch.nn.BCELoss", "torch.nn.functional.binary_cross_entropy")
"""What CUDA's autocast refuses to compute."""


def tell_of_precision(draft: Draft) -> None:
    """Findings for `--precision` with the script's device and loss; for a precision that the Trainer is not given nothing is said."""
    given = {name: text.strip("\"'") for name, text in draft.trainer.written()}
    precision, accelerator = given.get("precision", ""), given.get("accelerator", "")
    if draft.options.precision is None or not precision.endswith("-mixed"):
        return
    if accelerator == "cpu":
        if precision == "16-mixed":
            message = (
                "on a CPU Lightning takes `16-mixed` for `bf16-mixed`: other rounding than on a GPU, and no scaler"
            )
            draft.note(LOWER_PRECISION, draft.nest.outermost, message)
        return
    held = next((call for call in draft.nest.backwards if is_held(call)), None)
    if held is not None and precision == "16-mixed":
        message = (
            f"`{dotted(held.func)}` runs the backward pass itself, so under `{precision}` nothing scales the gradients"
        )
        draft.note(LOWER_PRECISION, held, message)
    for call in draft.source.calls:
        if draft.roles.full_name(call.func) in _UNSAFE:
            message = f"`{dotted(call.func)}` under `{precision}` raises on a GPU: CUDA's autocast refuses it"
            draft.note(LOWER_PRECISION, call, message)
            return
