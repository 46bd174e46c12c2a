"""Puts metric objects of torchmetrics in the place of the sums that Lightning itself cannot tell, once it is known where every variable lives."""

from __future__ import annotations

import ast
from collections.abc import Callable

import libcst as cst

from ...feature import KeptSum, Proposal
from ...program import Claim
from ..draft import EPOCH_START, VALIDATION_START, Draft
from ..proposals import word
from ..state import State
from .running import Running, running
from .statements import targets_and_values
from .stays import Stays
from .uses import Use, Uses

_TARGET, _WHY = (
    "torchmetrics",
    "the metric object adds up the same numbers in double, and is asked where the script told the sum",
)
_NO_ATTRIBUTE = "it does not become an attribute of the module alone"


def keep_in_metrics(draft: Draft, state: State) -> None:
    """Have metric objects keep the sums that are left, and say of the others what keeps them."""
    uses, good = Uses(draft), list[tuple[KeptSum, Running]]()
    for kept in draft.kept_sums:
        try:
            one = running(draft, uses, kept.name, _start(draft, uses, kept), _others(draft, uses, kept))
            if one.variable in state.per_loader:
                raise Stays("more than one evaluation of an epoch adds to it")
            if not _is_attribute_alone(state, one):
                raise Stays(_NO_ATTRIBUTE)
        except Stays as why:
            draft.note("sum-kept", kept.statement, f"the script goes on adding up `{kept.name.id}`: {why}")
        else:
            good.append((kept, one))
    # the training and the validation may start the same one
    sums = list({one.variable: one for _kept, one in good}.values())
    for statement in dict.fromkeys(s for one in sums for s in one.reset):
        _reset(draft, state, statement, [one for one in sums if statement in one.reset])
    for one in sums:
        _keep(draft, state, one)
    for kept, one in good:
        told = "MeanMetric" if one.mean else "SumMetric"
        draft.note(
            "sum-by-lightning",
            kept.statement,
            f"a {told} of torchmetrics adds up `{kept.name.id}`, and is asked wherever the script told it",
        )


def _start(draft: Draft, uses: Uses, kept: KeptSum) -> Use:
    hooks = [(hook, item) for hook in (EPOCH_START, VALIDATION_START) for item in draft.hooks.get(hook, [])]
    hook, item = next(((h, i) for h, i in hooks if i.node is kept.statement), ("", None))
    if item is None:
        raise Stays("it is started elsewhere")
    place = next((u.place for u in uses.all if u.item is item), -1)
    return Use(kept.name, item.frame, item, hook, place)


def _others(draft: Draft, uses: Uses, kept: KeptSum) -> list[Use]:
    start = _start(draft, uses, kept)
    variable = draft.variables.of(start.frame, kept.name.id)
    return [u for u in uses.of(variable) if u.name is not kept.name] if variable is not None else []


def _is_attribute_alone(state: State, one: Running) -> bool:
    """Whether the variable lives on the module, and nobody hands it in or takes it out as a number."""
    home = state.homes.get(one.variable, "")
    attribute = home.removeprefix("self.")
    handed = {a for _p, a, _argument in state.parameters} | {a for a, _s, _n in state.initial}
    handed |= {*state.after.values()} | {a for _n, a in state.written_back}
    texts = [t for lines in (*state.prologue.values(), *state.epilogue.values()) for t in lines]
    return (
        home != attribute
        and attribute.isidentifier()
        and attribute not in handed
        and not any(v is one.variable for _hook, v in state.in_hook)
        and not any(home in text for text in texts)
    )


def _keep(draft: Draft, state: State, one: Running) -> None:
    home = state.homes[one.variable]
    class_, nothing = ("MeanMetric", f"{_torch(draft)}.nan") if one.mean else ("SumMetric", '"disable"')
    state.metrics[home.removeprefix("self.")] = f"{_called(draft, class_)}(nan_strategy={nothing})"
    if one.asked:
        state.read_as[one.variable] = one.asked.format(home)
    draft.exchanged |= {node: f"{ast.unparse(node.value)}.compute().item()" for node in one.told}
    for statement, text in one.fed.items():
        _become(draft, statement, text.format(home))


def _called(draft: Draft, name: str) -> str:
    """What stands for a class of torchmetrics in texts: each is imported once."""
    full = f"torchmetrics.{name}"
    for number, proposal in enumerate(draft.accepted):
        if proposal.imports == (full,):
            return word(name, number)
    draft.accepted.append(Proposal(_TARGET, _WHY, imports=(full,), level="native", option="metrics"))
    return word(name, len(draft.accepted) - 1)


def _reset(draft: Draft, state: State, statement: ast.stmt, gone: list[Running]) -> None:
    """A statement that starts sums: what else it starts, and then the objects."""
    text = draft.texts.get(statement)
    now = statement if text is None else ast.parse(text).body[0]
    names = {one.name for one in gone}
    left = [(n, v) for n, v in targets_and_values(now) if not (isinstance(n, ast.Name) and n.id in names)]
    sides = [", ".join(ast.unparse(pair[side]) for pair in left) for side in (0, 1)]
    lines = [" = ".join(sides)] if left else []
    first = any(i.node is statement for hook in (EPOCH_START, VALIDATION_START) for i in draft.hooks.get(hook, []))
    # a metric that the Trainer has moved takes what it is fed in single precision again
    double = f".set_dtype({_torch(draft)}.float64)" if first else ""
    _become(draft, statement, "\n".join([*lines, *(f"{state.homes[one.variable]}{double}.reset()" for one in gone)]))


def _torch(draft: Draft) -> str:
    return next(n for n, origin in draft.roles.origins.items() if origin == "torch")


def _become(draft: Draft, statement: ast.stmt, text: str) -> None:
    draft.texts[statement] = text
    draft.claimed_by[statement] = "epoch_metrics"
    draft.claims[statement] = Claim(_TARGET, _WHY, _becomes(text))


def _becomes(text: str) -> Callable[[object], object]:
    return lambda _node: list(cst.parse_module(f"{text}\n").body)
