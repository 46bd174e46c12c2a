"""Moves of a batch part by part go: Lightning moves the tensors of every collection before the hooks see it.

    images, labels = [part.to(device) for part in batch]      →   images, labels = batch
    batch = tuple(part.to(device) for part in batch)          →   (nothing)
    batch = {k: v.cuda() for k, v in batch.items()}           →   (nothing)

A new list or tuple may be told from the collection that the loader gives, so a batch keeps its statement where anything but its parts is asked for.
Source: https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.core.LightningModule.html (transfer_batch_to_device: lists, tuples and dictionaries).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

import libcst as cst

from ..device_calls import moved
from ..program import Claim, Site

_TARGET, _WHY = "Trainer(accelerator=...)", "Lightning moves the batch to the device"


@dataclass(frozen=True, slots=True)
class MovedParts:
    """Claims assignments of a batch whose parts are moved one by one."""

    name: str = "moved_parts"

    def claim(self, site: Site) -> Claim | None:
        """Claim it where the batch is taken apart at once, or is only taken apart under its own name from here on."""
        match site.statement:
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
                batch = _in_turn(value, site)
                if batch is not None and site.from_batch(batch):
                    return Claim(_TARGET, _WHY, _From(batch.id).apply)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                batch = _in_turn(value, site) or _by_key(value, site)
                if batch is not None and batch.id == name and site.from_batch(batch) and site.is_taken_apart(batch):
                    return Claim(_TARGET, _WHY)
        return None


def _in_turn(value: ast.expr, site: Site) -> ast.Name | None:
    """The collection whose elements a list or tuple holds, each moved."""
    match value:
        case ast.Call(
            func=ast.Name(id="tuple" | "list"), args=[ast.GeneratorExp() | ast.ListComp() as inside], keywords=[]
        ):
            return _in_turn(ast.ListComp(inside.elt, inside.generators), site)
        case ast.ListComp(
            elt=element,
            generators=[ast.comprehension(target=ast.Name(id=part), iter=ast.Name() as batch, ifs=[], is_async=0)],
        ):
            return batch if _is(moved(element, site), part) else None
    return None


def _by_key(value: ast.expr, site: Site) -> ast.Name | None:
    """The dictionary whose values another one holds, each moved."""
    match value:
        case ast.DictComp(
            key=ast.Name(id=kept),
            value=element,
            generators=[
                ast.comprehension(
                    target=ast.Tuple(elts=[ast.Name(id=key), ast.Name(id=part)]),
                    iter=ast.Call(func=ast.Attribute(value=ast.Name() as batch, attr="items"), args=[], keywords=[]),
                    ifs=[],
                    is_async=0,
                )
            ],
        ):
            return batch if kept == key and _is(moved(element, site), part) else None
    return None


def _is(node: ast.expr | None, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


@dataclass(frozen=True, slots=True)
class _From:
    batch: str

    def apply(self, node: cst.CSTNode) -> cst.CSTNode:
        """The assignment of the batch itself."""
        assert isinstance(node, cst.Assign)
        return node.with_changes(value=cst.Name(self.batch))


IDIOM = MovedParts()
