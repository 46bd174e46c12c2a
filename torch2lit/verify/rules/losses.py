"""Losses that part: modes, precision, the network, the loss function, the weights at the start."""

from __future__ import annotations

from itertools import pairwise

from ..events import Trace
from ..evidence import Cause, Evidence
from .rule import Rule, factor, other_settings, told


def _training_mode(e: Evidence) -> Cause | None:
    if e.pair is None or e.pair[0].training == e.pair[1].training or e.first.what not in ("loss", "parameters"):
        return None
    (a, total), (b, other_total) = e.pair[0].training, e.pair[1].training
    if e.pair[0].optimizer != e.pair[1].optimizer or total != other_total:
        return None
    return Cause(
        "train or eval mode",
        f"At step {e.first.step} {a} of {total} modules are in training mode in the raw run, {b} of "
        f"{other_total} in the converted one.",
        "Call train() and eval() where the raw loop does (on_train_epoch_start); Lightning restores the "
        "modes after validation, and a loop that never calls train() again stays in eval mode.",
    )


def _evaluation_in_train_mode(e: Evidence) -> Cause | None:
    if e.losses is None or e.index == 0:
        return None
    evaluates = [_evaluates(trace, e.index) for trace in (e.raw, e.converted)]
    in_eval = [any(not m.training and m.steps <= e.index for m in trace.modes) for trace in (e.raw, e.converted)]
    if not all(evaluates) or in_eval[0] == in_eval[1]:
        return None
    which, other = ("converted", "raw") if in_eval[1] else ("raw", "converted")
    return Cause(
        "the evaluation runs in another mode",
        f"Before step {e.first.step} both runs evaluated; only the {which} one put the model in eval mode for it. In the {other} run dropout "
        "drew random numbers and BatchNorm's statistics moved.",
        "Lightning puts the model in eval mode for validation. To evaluate as the raw script does, override on_validation_model_eval "
        "to do nothing; to mend the raw script, call model.eval() there.",
    )


def _evaluates(trace: Trace, index: int) -> bool:
    """Whether batches were read between two training batches before a step that no loss came from."""
    trained = [b.batches for b in trace.backwards if b.steps <= index]
    return any(later - earlier > 1 for earlier, later in pairwise(trained))


def precision(e: Evidence) -> Cause | None:
    """Only one of the runs uses autocast."""
    if e.first.what not in ("loss", "parameters") or e.raw.autocast == e.converted.autocast:
        return None
    which = "raw" if e.raw.autocast else "converted"
    return Cause(
        "precision",
        f"Only the {which} run uses autocast.",
        "Keep the raw `with torch.autocast(...)` inside training_step and leave the Trainer's precision alone.",
    )


def _loss_scale(e: Evidence) -> Cause | None:
    if e.losses is None or not e.same_input:
        return None
    ratio = factor(e.losses[0].loss, e.losses[1].loss)
    if ratio is None:
        return None
    return Cause(
        "scale of the loss",
        f"The loss differs by the factor {ratio}.",
        "Divide by the number of accumulated batches in one place only; accumulate_grad_batches divides by itself.",
    )


def _network(e: Evidence) -> Cause | None:
    if e.losses is None or e.index > 0:
        return None
    models = e.raw.of_kind("model"), e.converted.of_kind("model")
    parted = other_settings(*models)
    if not parted and [len(m.settings) for m in models[0]] == [len(m.settings) for m in models[1]]:
        return None
    if not all(models):
        return None
    how = ", ".join(f"`{a}` raw, `{b}` converted" for _part, a, b in parted[:3]) or "it has other parts"
    return Cause(
        "another network", f"The networks are not built alike: {how}.", "Build the network with the raw arguments."
    )


def _loss_function(e: Evidence) -> Cause | None:
    if e.losses is None or e.index > 0:
        return None
    made = e.raw.of_kind("criterion"), e.converted.of_kind("criterion")
    names = [[fact.name for fact in side] for side in made]
    parted = other_settings(*made) if names[0] == names[1] else []
    if not all(made) or (names[0] == names[1] and not parted):
        return None
    how = (
        told(parted) if parted else f"{', '.join(names[0])} in the raw run, {', '.join(names[1])} in the converted one"
    )
    return Cause("another loss function", f"{how.capitalize()}.", "Compute the loss as the raw script does.")


def _start_weights(e: Evidence) -> Cause | None:
    if e.losses is None or e.index > 0 or _network(e) or _loss_function(e):
        return None
    starts = [[f.settings["weights at the start"] for f in t.of_kind("optimizer")] for t in (e.raw, e.converted)]
    if all(starts) and starts[0] != starts[1]:
        return Cause(
            "other weights at the start",
            "The networks begin with other weights.",
            "Build the networks, load weights and seed in the order of the raw script: each layer draws its weights from the random "
            "state of that moment.",
        )
    if not e.same_input or e.losses[0].rng != e.losses[1].rng:
        return None
    if e.raw.autocast != e.converted.autocast or factor(e.losses[0].loss, e.losses[1].loss):
        return None
    return Cause(
        "other weights at the start, or another computation",
        "The very first loss differs although the random state is the same.",
        "Compare how the model is built and loaded, and what training_step computes.",
    )


def _computation(e: Evidence) -> Cause | None:
    if e.losses is None or e.index == 0 or not e.same_input or e.losses[0].rng != e.losses[1].rng:
        return None
    if any(rule(e) for rule in (*MODES, _loss_scale)):
        return None
    return Cause(
        "state that changed between steps",
        f"Random state, modes and, as far as seen, data are the same at step {e.first.step}, and so were "
        "all parameters before it.",
        "Look for what else a step reads: buffers (BatchNorm during evaluation), a hidden state, weights "
        "that are loaded or averaged.",
    )


MODES: tuple[Rule, ...] = (_training_mode, _evaluation_in_train_mode, precision)
LOSSES: tuple[Rule, ...] = (_network, _loss_function, _loss_scale, _start_weights, _computation)
