"""Where the script has its batches while a hook runs: in the host's memory, as the loader gives them, until it moves them.

Lightning moves every batch before a hook sees it. That is the same where the script only asks for shapes, takes batches apart or views them before it moves
them, and something else where it computes with them before, or never moves them (`labels.numpy()`, `predicted.cpu() == labels`): on a GPU another generator
draws, other bits are summed, or tensors of two devices meet.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from enum import Enum

from ..recover.items import Item
from ..recover.loops import Iterable, Loop
from ..recover.makings import Making, Value, is_none, makings, sources
from ..recover.names import target_names
from ..recover.nest import Frame
from ..recover.roles import Role
from ..recover.syntax import root_name, walk
from ..recover.variables import Variable
from .draft import Draft
from .placement import placement
from .without_graph import VARIABLE

_VIEWS = frozenset(
    ["bool", "byte", "chunk", "clone", "contiguous", "detach", "double", "expand", "expand_as", "flatten", "float", "get", "half", "int", "items", "long",
     "narrow", "permute", "pop", "reshape", "select", "short", "split", "squeeze", "t", "transpose", "type_as", "unbind", "unsqueeze", "values", "view",
     "view_as"]
)  # fmt: skip
"""What gives the same numbers of a tensor, or the tensors of a collection, on whatever device they are."""
_VIEWED = frozenset(["T", "data", "mT"])
_ASKS = frozenset(
    ["cpu", "dim", "element_size", "item", "keys", "nelement", "numel", "pin_memory", "size", "stride", "tolist"]
)
_ASKED = frozenset(["dtype", "ndim", "requires_grad", "shape"])
_TAKES = frozenset(["dict", "enumerate", "iter", "list", "next", "reversed", "tuple", "zip"])
_QUESTIONS = frozenset(["bool", "float", "hasattr", "int", "isinstance", "issubclass", "len", "type"])
_JOINS = frozenset(
    ["cat", "chunk", "concat", "flatten", "permute", "reshape", "split", "squeeze", "stack", "transpose", "unbind", "unsqueeze"]
)  # fmt: skip
_STAYS = """\
def transfer_batch_to_device(self, batch, device, dataloader_idx):
    return batch  # the script moves what it uses itself
"""
_EXACT = (ast.Add, ast.Sub, ast.Mult, ast.Div)


class Place(Enum):
    """Where a value of the batch is in the raw script."""

    HOST = "host"
    """Where the loader put it."""
    LOOSE = "loose"
    """The same, in an object of which Lightning may know nothing: it may not move it."""
    MOVED = "moved"


_UNMOVED = (Place.HOST, Place.LOOSE)


class BatchPlaces:
    """Goes through the items of a hook once, and keeps where the batch's values are at each statement."""

    def __init__(self, draft: Draft, loop: Loop, frame: Frame, items: list[Item]) -> None:
        self.draft = draft
        batch = {v for n in target_names(loop.items) if (v := draft.variables.of(frame, n))}
        first = Place.HOST if _comes_from_loader(draft, loop, frame) else Place.MOVED
        self.places: dict[Variable, Place] = dict.fromkeys(batch, first)
        self.at: dict[ast.stmt, dict[Variable, Place]] = {}
        self.on_host: ast.AST | None = None
        """The first thing that the script does with a value on the host that is another on the Trainer's device."""
        self.numpys: set[ast.Call] = set()
        """Calls of ``.numpy()`` on what the host has, which need ``.cpu()`` before them."""
        self._own: list[dict[str, Place | None]] = []
        self._results: dict[ast.Call, tuple[ast.expr, Frame]] = {}
        for item in items:
            self._item(item)

    def from_batch(self, node: ast.expr, statement: ast.stmt, frame: Frame) -> bool:
        """Whether an expression surely is of the batch, and on the device that Lightning moved it to."""
        before, self.places = self.places, dict(self.at.get(statement, {}))
        kept, numpys = self.on_host, {*self.numpys}
        try:
            return self._value(node, frame) in (Place.HOST, Place.MOVED)
        finally:
            self.places, self.on_host, self.numpys = before, kept, numpys

    def _item(self, item: Item) -> None:
        if item.guard is not None and item.guard.test is not None and item.guard.frame is not None:
            self._look(item.guard.test, item.guard.frame)
        match item.kind:
            case "statement":
                self._statement(item.node, item.frame)
            case "bind":
                assert item.value is not None and item.frame.caller is not None
                place = self._value(item.value, item.frame.caller)
                for name in item.bound:
                    self._bind(name, place, item.frame)
            case "result":
                self._result(item)
            case "enter" if isinstance(item.node, ast.With):
                for one in item.node.items:
                    self._look(one.context_expr, item.frame)
            case "stop" | "validates" | "saves" if item.value is not None:
                self._look(item.value, item.frame)

    def _result(self, item: Item) -> None:
        result: Item | None = item
        while result is not None:
            if result.value is not None and result.callee is not None and result.call is not None:
                for part in result.unless or ():
                    self._look(part, result.callee)
                self._results[result.call] = (result.value, result.callee)
            result = result.inner
        self._statement(item.node, item.frame)

    def _statements(self, body: list[ast.stmt], frame: Frame) -> None:
        for statement in body:
            self._statement(statement, frame)

    def _statement(self, statement: ast.stmt, frame: Frame) -> None:
        self.at[statement] = dict(self.places)
        match statement:
            case ast.Assign(targets=targets, value=value):
                self._assign(targets, value, frame)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign([target], value, frame)
            case ast.AugAssign(target=target, value=value):
                self._look(value, frame)
                if not (_is_exact(statement.op, value) and isinstance(target, ast.Name)):
                    self._look(target, frame)
            case ast.If(test=test, body=body, orelse=orelse):
                self._look(test, frame)
                self._branch(body, orelse, frame)
            case ast.For(target=target, iter=source, body=body, orelse=orelse):
                self._store(target, self._value(source, frame), frame)
                self._statements([*body, *orelse], frame)
            case ast.While(test=test, body=body, orelse=orelse):
                self._look(test, frame)
                self._statements([*body, *orelse], frame)
            case ast.With(items=items, body=body):
                for item in items:
                    self._look(item.context_expr, frame)
                self._statements(body, frame)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self._statements([*body, *(s for h in handlers for s in h.body), *orelse, *final], frame)
            case ast.Expr(value=value):
                self._value(value, frame)  # a value that nobody takes
            case ast.Return(value=ast.expr() as value):
                self._look(value, frame)
            case ast.Assert(test=test, msg=message):
                self._look(test, frame)
                if message is not None:
                    self._look(message, frame)
            case ast.Delete() | ast.Pass() | ast.Break() | ast.Continue():
                pass
            case _:
                self._unseen(statement, frame)

    def _branch(self, body: list[ast.stmt], orelse: list[ast.stmt], frame: Frame) -> None:
        """Both arms; where one moves and the other does not, it is one of no GPU: nothing is anywhere else then."""
        before = dict(self.places)
        self._statements(body, frame)
        after, self.places = self.places, before
        self._statements(orelse, frame)
        for variable in {*after, *self.places}:
            found = (after.get(variable), self.places.get(variable))
            if None in found:
                self.places.pop(variable, None)
            elif Place.MOVED in found:
                self.places[variable] = Place.MOVED

    def _assign(self, targets: list[ast.expr], value: ast.expr, frame: Frame) -> None:
        for target in targets:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                places = [self._value(one, frame) for one in value.elts]
                for one, place in zip(target.elts, places, strict=True):
                    self._store(one, place, frame)
            else:
                self._store(target, self._value(value, frame), frame)

    def _store(self, target: ast.expr, place: Place | None, frame: Frame) -> None:
        match target:
            case ast.Name() | ast.Tuple() | ast.List() | ast.Starred():
                for name in target_names(target):
                    self._bind(name, place, frame)
            case ast.Subscript(value=ast.Name(id=name) as whole):
                # batch[key] = batch[key].to(device): taken for the whole where the keys are a loop's
                key, held = target.slice, self._value(whole, frame)
                if held in _UNMOVED and place is Place.MOVED and not isinstance(key, ast.Constant):
                    self._bind(name, Place.MOVED, frame)
                elif place in _UNMOVED and held not in _UNMOVED:
                    self._meets(target)
            case _:
                if place in _UNMOVED:
                    self._meets(target)

    def _bind(self, name: str, place: Place | None, frame: Frame) -> None:
        variable = self.draft.variables.of(frame, name)
        if variable is None:
            return
        self.places.pop(variable, None)
        if place is not None:
            self.places[variable] = place

    def _meets(self, node: ast.AST) -> None:
        if self.on_host is None:
            self.on_host = node

    def _look(self, node: ast.expr, frame: Frame) -> None:
        """A value that something else than the batch gets: it may not be one of the host's."""
        if self._value(node, frame) in _UNMOVED:
            self._meets(node)

    def _unseen(self, node: ast.AST, frame: Frame) -> None:
        for inner in walk(node):
            if isinstance(inner, ast.Name) and self._name(inner.id, frame) in _UNMOVED:
                self._meets(node)

    def _name(self, name: str, frame: Frame) -> Place | None:
        for own in reversed(self._own):
            if name in own:
                return own[name]
        variable = self.draft.variables.of(frame, name)
        return self.places.get(variable) if variable is not None else None

    def _value(self, node: ast.expr, frame: Frame) -> Place | None:
        """Where a value of the batch is; None for any other value, after a look at what it is made of."""
        match node:
            case ast.Constant():
                return None
            case ast.Name(id=name):
                return self._name(name, frame)
            case ast.Starred(value=value):
                return self._value(value, frame)
            case ast.Attribute(value=value, attr=attribute):
                return self._attribute(self._value(value, frame), attribute)
            case ast.Subscript(value=value, slice=index):
                held = self._value(value, frame)
                inside = self._value(index, frame)
                if inside in _UNMOVED and held not in _UNMOVED:
                    self._meets(node)
                return held
            case ast.Slice():
                for part in (node.lower, node.upper, node.step):
                    if part is not None:
                        self._value(part, frame)
                return None
            case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
                return self._all([self._value(part, frame) for part in parts])
            case ast.Dict(keys=keys, values=parts):
                for key in keys:
                    if key is not None:
                        self._value(key, frame)
                return self._all([self._value(part, frame) for part in parts])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._look(test, frame)
                arms = (self._value(body, frame), self._value(orelse, frame))
                return Place.MOVED if Place.MOVED in arms and None not in arms else self._all(list(arms))
            case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
                return self._comprehension(node, frame)
            case ast.BinOp(left=left, op=op, right=right) if _is_exact(op, right):
                return self._value(left, frame)
            case ast.Compare(left=left, ops=[ast.Is() | ast.IsNot()], comparators=[ast.Constant()]):
                self._value(left, frame)
                return None
            case ast.Call():
                return self._call(node, frame)
            case ast.BinOp(left=left, right=right):
                self._look(left, frame)
                self._look(right, frame)
            case ast.BoolOp(values=parts):
                for part in parts:
                    self._look(part, frame)
            case ast.Compare(left=left, comparators=parts):
                for part in (left, *parts):
                    self._look(part, frame)
            case ast.UnaryOp(operand=operand):
                self._look(operand, frame)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                place = self._value(value, frame)
                self._bind(name, place, frame)
                return place
            case ast.JoinedStr(values=parts):
                for part in parts:
                    if isinstance(part, ast.FormattedValue):
                        self._look(part.value, frame)
            case _:
                self._unseen(node, frame)
        return None

    def _all(self, places: list[Place | None]) -> Place | None:
        """Where a collection of values is: on the host where one of them is."""
        for place in (Place.LOOSE, Place.HOST, Place.MOVED):
            if place in places:
                return Place.LOOSE if None in places and place in _UNMOVED else place
        return None

    def _attribute(self, held: Place | None, attribute: str) -> Place | None:
        if held is None or attribute in _ASKED:
            return None
        if attribute in _VIEWED:
            return held
        return Place.LOOSE if held in _UNMOVED else held

    def _comprehension(
        self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.DictComp, frame: Frame
    ) -> Place | None:
        self._own.append({})
        try:
            for part in node.generators:
                place = self._value(part.iter, frame)
                for name in target_names(part.target):
                    self._own[-1][name] = place
                for test in part.ifs:
                    self._look(test, frame)
            if isinstance(node, ast.DictComp):
                self._value(node.key, frame)
                return self._value(node.value, frame)
            return self._value(node.elt, frame)
        finally:
            self._own.pop()

    def _call(self, node: ast.Call, frame: Frame) -> Place | None:
        if node in self._results:
            return self._value(*self._results[node])
        function = node.func
        arguments = [*node.args, *(k.value for k in node.keywords)]
        if isinstance(function, ast.Attribute):
            held = self._value(function.value, frame)
            if held is not None:
                return self._asked(node, function.attr, held, arguments, frame)
        full = self.draft.roles.full_name(function)
        if full == "map" and len(arguments) == 2 and isinstance(function := arguments[0], ast.Lambda):
            return self._mapped(function, arguments[1], frame)
        places = [self._value(one, frame) for one in arguments]
        if full in _QUESTIONS or (isinstance(function, ast.expr) and self._is_model(function, frame)):
            return None
        if full in _TAKES or full in VARIABLE or (full.startswith("torch.") and full.rpartition(".")[2] in _JOINS):
            return self._all(places)
        for one, place in zip(arguments, places, strict=True):
            if place in _UNMOVED:
                self._meets(one)
        return None

    def _mapped(self, function: ast.Lambda, over: ast.expr, frame: Frame) -> Place | None:
        place = self._value(over, frame)
        self._own.append({one.arg: place for one in function.args.args})
        try:
            return self._value(function.body, frame)
        finally:
            self._own.pop()

    def _asked(self, node: ast.Call, method: str, held: Place, arguments: list[ast.expr], frame: Frame) -> Place | None:
        """What a method of a batch's value gives."""
        for one in arguments:
            place = self._value(one, frame)
            if place in _UNMOVED and held not in _UNMOVED:
                self._meets(one)
        if method == "cuda" or (method == "to" and any(self._is_device(one, frame) for one in arguments)):
            return Place.MOVED
        if method == "type":
            return self._typed(node, held, arguments)
        if method in _ASKS:
            return None
        if method in _VIEWS or method == "to":
            return held
        if held is Place.HOST and method == "numpy" and not self._is_changed(node):
            self.numpys.add(node)
        elif held in _UNMOVED:
            self._meets(node)
        return Place.MOVED if held is Place.MOVED and method.endswith("_") else None

    def _typed(self, node: ast.Call, held: Place, arguments: list[ast.expr]) -> Place | None:
        """``x.type(torch.cuda.FloatTensor)`` moves, and so may a type that a variable holds."""
        full = self.draft.roles.full_name(arguments[0]) if arguments else ""
        if not full.startswith("torch."):
            return Place.MOVED if arguments else None
        if full.endswith("Tensor") and not full.startswith("torch.cuda."):
            if held in _UNMOVED:
                self._meets(node)
            return None
        return Place.MOVED if full.startswith("torch.cuda.") else held

    def _is_model(self, node: ast.expr, frame: Frame) -> bool:
        """Whether the network is called: what it computes with must be where it is, and `DataParallel` sees to that itself."""
        return self.draft.roles.of(node, frame.scope) is Role.MODEL

    def _is_device(self, node: ast.expr, frame: Frame) -> bool:
        if isinstance(node, ast.Constant):
            return isinstance(node.value, str)
        if self.draft.roles.of(node, frame.scope) is Role.DEVICE:
            return True
        return any(word in ast.unparse(node).lower() for word in ("device", "cuda", "gpu", "rank"))

    def _is_changed(self, numpy: ast.Call) -> bool:
        """Whether an array that shares its memory with the batch may be changed: a copy of the GPU's is another one."""
        parents = self.draft.source.parents
        statement: ast.AST | None = parents.get(numpy)
        while isinstance(statement, ast.Attribute | ast.Subscript):
            statement = parents.get(statement)
        if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            return False
        names = {name for target in _targets(statement) for name in target_names(target)}
        changed = [
            target
            for n in walk(self.draft.source.scope_of(numpy))
            if n is not statement
            for target in _targets(n)
            if isinstance(n, ast.AugAssign) or not isinstance(target, ast.Name)
        ]
        return any(root_name(target) in names for target in changed)


def _targets(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.NamedExpr) else []


def _is_exact(op: ast.operator, other: ast.expr) -> bool:
    """Whether arithmetic with a number gives the same bits on every device."""
    number = isinstance(other, ast.Constant) and isinstance(other.value, int | float)
    return number and isinstance(op, _EXACT)


def _comes_from_loader(draft: Draft, loop: Loop, frame: Frame) -> bool:
    """Whether a loop's elements are made as it runs: those of a list, and counts, are where the script has put them before."""
    if loop.kind in (Iterable.RANGE, Iterable.TURNS):
        return False
    base = Value(loop.base, frame.scope, draft.roles)
    handed = (data for made in makings(base) if (data := _handed_out(made)) is not None)
    held = [*sources(base), *(one for data in handed for one in sources(data))]
    return not any(isinstance(one.node, ast.List | ast.Tuple) for one in held)


def _handed_out(loader: Making) -> Value | None:
    """The data whose elements a loader gives one by one, as they are."""
    size = loader.argument("batch_size", 1)
    return loader.argument("dataset", 0) if size is not None and is_none(size) else None


def may_leave_host(draft: Draft) -> bool:
    """Whether the Trainer may train on another device than the CPU."""
    return placement(draft).accelerator != '"cpu"'


def leave_batches_to_the_script(draft: Draft, steps: Collection[BatchPlaces]) -> bool:
    """Keep Lightning from moving batches where a step does something with one that only is the same on the host; whether it does."""
    if all(one.on_host is None for one in steps) or not may_leave_host(draft):
        return False
    draft.methods.append(_STAYS)
    return True
