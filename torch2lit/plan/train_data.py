"""What `Trainer.fit` gets as training data: the batch loop's iterable as the entry point can write it.

for x, y in train_loader                    fit(module, train_loader)
for x, y in DataLoader(data, 32)            fit(module, DataLoader(data, 32)): made once, each epoch starts it anew
for a, b in zip(first, second)              fit(module, CombinedLoader([first, second], "min_size"))
random numbers are drawn before the loop    fit(module, LazyLoader(train_loader))
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..recover.batch_sources import counted_places, source_makings
from ..recover.circles import ends_in_a_circle
from ..recover.items import Item, names_in, parts
from ..recover.loops import DATA_LOADERS, Iterable, Loop
from ..recover.makings import Making, Value, is_none, makings, sources
from ..recover.nest import Frame
from ..recover.own_classes import lineage
from ..recover.syntax import Scope, dotted, root_name, walk, walk_scope
from ..recover.variables import Variable
from .draft import Draft, Removal, TrainData
from .entry_names import entry_text, epoch_counters, epoch_start, written_in_loop
from .first_epoch_told import FirstEpoch, first_epoch_told
from .lengths import first_change
from .loop_bars import loop_bars
from .own_loaders import own_loader
from .samplers import has_generator, sampler_with_epoch
from .set_in_loop import is_set_in_loop
from .steps import Obstacle
from .still_loaders import is_still
from .told_epoch import script_tells_epoch


def find_train_data(draft: Draft) -> TrainData | Obstacle:
    """The training data of the batch loop, or why Lightning cannot run over it as the script does."""
    loop = draft.nest.batches
    assert loop is not None
    if loop.kind is Iterable.TURNS:
        return Obstacle(loop.node, "a `while` loop in the epoch has no batches that Lightning could run over")
    if loop.kind is Iterable.UNKNOWN:
        return Obstacle(loop.node, f"the batches come from `{ast.unparse(loop.base)[:60]}`, which is no known loader")
    texts: list[str] = []
    for base in _side_by_side(loop.base):
        text = _fixed_text(draft, base) or _made_once(draft, base)
        if not text or (draft.nest.epochs is not None and _counts_otherwise(draft, base)):
            return Obstacle(loop.node, f"`{ast.unparse(base)[:60]}` is made anew in every epoch")
        texts.append(text)
    lazy = asks_at_end = False
    told_first: tuple[str, ...] = ()
    sides = _side_by_side(loop.base)
    still = all(is_still_loader(draft, base, draft.nest.inner) for base in sides)
    sources_alone = all(source_makings(_value(draft, base, draft.nest.inner)) for base in sides)
    if loop.kind is Iterable.LOADER and not still and not sources_alone:
        for base in _side_by_side(loop.base):
            if _has_no_length(draft, base):
                reason = "its dataset has no length, so that Lightning would fetch a batch ahead"
                return Obstacle(loop.node, reason)
            if reason := own_loader(draft, base, draft.nest.inner):
                return Obstacle(loop.node, reason)
            asks_at_end |= owns_generator(draft, base, draft.nest.inner)
        if (change := first_change(draft, _side_by_side(loop.base), draft.nest.inner)) is not None:
            text = ast.unparse(draft.source.statement_of(change)).splitlines()[0][:60]
            return Obstacle(change, f"`{text}` may change the loader's length, which Lightning asks for only once")
        asks_at_end |= len(texts) > 1 and not all(_draws_nothing(draft, b) for b in _side_by_side(loop.base))
        if (behind := _draws_behind_start(draft, loop)) is not None:
            text = ast.unparse(behind.node).splitlines()[0][:60]
            return Obstacle(behind.node, f"`{text}` may draw random numbers when the loader has been started")
        drawing = _draws_before(draft)
        first = first_epoch_told(draft, constructions(draft, loop.base, draft.nest.inner)) if drawing is None else None
        changing = _changes_started_loader(draft, first)
        told_first = first.lines if first is not None and _has_workers(draft, loop.base) else ()
        told = _would_be_told(draft)
        lazy = drawing is not None or changing is not None or asks_at_end or told is not None or loop.asks_twice
        if not lazy and _start_is_timed(draft):
            lazy = not _not_lazy(draft, loop.base) and not _is_started_early(draft, loop.node)
        if loop.asks_twice and drawing is not None and loop.bar_name is not None:
            return Obstacle(drawing.node, f"{_DRAWN_BEFORE} ({_ASKED_TWICE})")
        if lazy and (reason := _not_lazy(draft, loop.base)):
            if drawing is not None:
                return Obstacle(drawing.node, f"{_DRAWN_BEFORE} ({reason})")
            if told is not None:
                return Obstacle(told, f"Lightning would tell the loader's sampler the epoch ({reason})")
            if asks_at_end:
                return Obstacle(loop.node, f"{_ASKED_AT_END} ({reason})")
            if loop.asks_twice:
                return Obstacle(loop.node, f"{_ASKED_TWICE} ({reason})")
            assert changing is not None
            text = ast.unparse(changing.node).splitlines()[0][:60]
            message = f"`{text}` comes after Lightning has started the loader's workers for the first epoch"
            draft.note("loader-changed-at-epoch-start", changing.node, message)
            lazy = False
    return TrainData(tuple(texts), lazy, asks_at_end, loop.asks_twice, () if lazy else told_first)


_DRAWN_BEFORE = (
    "random numbers may be drawn before the batch loop, and Lightning starts the first epoch's loader before that"
)
_ASKED_TWICE = "the progress bar of `tqdm.auto` starts the loader once more, which draws a random number"
_ASKED_AT_END = "at its end a loop asks its loader once more, which may draw random numbers"


def _side_by_side(base: ast.expr) -> list[ast.expr]:
    """The loaders of ``zip(...)``; any other iterable is one."""
    match base:
        case ast.Call(func=ast.Name(id="zip"), args=loaders):
            return loaders
    return [base]


# ---- the same expression at the entry point


def _fixed_text(draft: Draft, base: ast.expr) -> str:
    """The expression as it stands, when no turn of the epoch loop changes its names and it makes nothing."""
    frame = draft.nest.inner
    written = _changing(draft)
    for node in walk(base):
        if isinstance(node, ast.Name) and draft.variables.of(frame, node.id) in written:
            return ""
    if isinstance(base, ast.Call) and (dotted(base.func) != "range" or _counts_what_changes(draft, base, frame)):
        return ""
    return entry_text(draft, base, frame)


def _counts_otherwise(draft: Draft, base: ast.expr) -> bool:
    """Whether the loop may set the number that a range counts to: ``range(cfg.steps)``."""
    return isinstance(base, ast.Call) and dotted(base.func) == "range" and is_set_in_loop(draft, base)


def _counts_what_changes(draft: Draft, base: ast.Call, frame: Frame) -> bool:
    """Whether a number of the range is asked of an object that a turn may change: ``range(len(rows))``."""
    hoister = Hoister(draft)
    asked = (n for argument in base.args for call in walk(argument) if isinstance(call, ast.Call) for n in walk(call))
    names = (draft.variables.of(frame, n.id) for n in asked if isinstance(n, ast.Name))
    return any(variable is not None and hoister.changes(variable) for variable in names)


def _changing(draft: Draft) -> frozenset[Variable]:
    """The variables that differ from epoch to epoch."""
    return written_in_loop(draft) | epoch_counters(draft)


def _made_once(draft: Draft, base: ast.expr) -> str:
    """The expression with the epoch's own names replaced by what they stand for, when that is the same in every epoch."""
    hoister = Hoister(draft)
    found = hoister.expression(base, draft.nest.inner)
    if found is None:
        return ""
    for item in hoister.used:
        if _is_dead(draft, item, base):
            draft.removals[item.node] = Removal("Trainer.fit", "trainer_entry", "the loader is made once")
    return ast.unparse(found)


def same_in_every_epoch(draft: Draft, node: ast.expr, frame: Frame) -> tuple[str, list[ast.stmt]]:
    """An expression of the epoch in the entry point's names, through what the epoch gives its own; "" when it may change.

    Also the statements of the epoch that say so, of which nothing but that is read.
    """
    hoister = Hoister(draft)
    found = hoister.expression(node, frame)
    if found is None or is_set_in_loop(draft, found):
        return "", []
    return ast.unparse(found), [item.node for item in hoister.used if _is_dead(draft, item, node)]


def _is_dead(draft: Draft, item: Item, base: ast.expr) -> bool:
    """Whether nothing but the batch loop's own head reads what the statement makes."""
    match item.node:
        case ast.Assign(targets=[ast.Name() as target], value=ast.Call() | ast.IfExp() | ast.BinOp()):
            variable = draft.variable(target, item.frame)
        case _:
            return False
    inside = {id(n) for n in walk(base)}
    return variable is not None and not any(
        isinstance(n, ast.Name) and n.id == variable.name and isinstance(n.ctx, ast.Load) and id(n) not in inside
        for n in walk(variable.scope)
    )


def drop_unread_parameters(draft: Draft) -> None:
    """A parameter that only the batch loop's head has read needs no value any more."""
    epoch = draft.epoch
    everything = epoch.items
    read = draft.variables.sequence(everything).read
    epoch.before = [
        i for i in epoch.before if i.kind != "bind" or any(draft.variables.of(i.frame, n) in read for n in i.bound)
    ]
    epoch.batch = draft.without_unread_constants(epoch.batch, everything)


class Hoister:
    """Rewrites an expression of an epoch in terms of names that the entry point has.

    ``leading`` are items that an evaluation of the epoch runs before its loop, ``others`` the rest of it.
    """

    def __init__(self, draft: Draft, leading: Sequence[Item] = (), others: Sequence[Item] = ()) -> None:
        self.draft = draft
        self.before = [*draft.epoch.before, *leading]
        self.others = [*draft.epoch.batch, *draft.epoch.after, *others]
        self.items = [*draft.epoch.items, *leading, *others]
        self.written = _changing(draft) | draft.variables.sequence([*leading, *others]).written
        self.used: list[Item] = []
        self.inside = 0
        """How many calls and subscripts are around: there the object's content counts, outside only which one it is."""

    def expression(self, node: ast.expr, frame: Frame) -> ast.expr | None:
        """The same value; None when it may differ from epoch to epoch or making it does more than that."""
        match node:
            case ast.Constant():
                return node
            case ast.Name():
                return self._name(node, frame)
            case ast.Attribute(value=value, attr=attribute):
                if self._stored(ast.unparse(node)):
                    return None
                inner = self.expression(value, frame)
                return inner and ast.Attribute(inner, attribute, ast.Load())
            case ast.Subscript(value=value, slice=index):
                inner, place = self._content(value, frame), self._content(index, frame)
                return ast.Subscript(inner, place, ast.Load()) if inner and place else None
            case ast.UnaryOp(op=operator, operand=operand):
                inner = self.expression(operand, frame)
                return inner and ast.UnaryOp(operator, inner)
            case ast.BinOp(left=left, op=operation, right=right):
                first, second = self.expression(left, frame), self.expression(right, frame)
                return ast.BinOp(first, operation, second) if first and second else None
            case ast.IfExp(test=test, body=body, orelse=orelse):
                asked, one, other = (self.expression(part, frame) for part in (test, body, orelse))
                decided = isinstance(asked, ast.Constant)  # nobody writes `a if True else b`
                return ast.IfExp(asked, one, other) if asked and not decided and one and other else None
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                first, second = self._content(left, frame), self._content(right, frame)
                return ast.Compare(first, [operator], [second]) if first and second else None
            case ast.Call():
                return self._call(node, frame)
        return None

    def _content(self, node: ast.expr, frame: Frame) -> ast.expr | None:
        self.inside += 1
        found = self.expression(node, frame)
        self.inside -= 1
        return found

    def _stored(self, text: str) -> bool:
        """Whether the loop stores into the attribute somewhere."""
        return any(
            isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and n.attr == text.rpartition(".")[2]
            for item in self.items
            for part, _frame in parts(item)
            for n in walk_scope(part)
        )

    def _name(self, node: ast.Name, frame: Frame) -> ast.expr | None:
        variable = self.draft.variables.of(frame, node.id)
        if variable is not None and variable in epoch_counters(self.draft):
            return None
        if variable is not None and variable in self.written:
            return self._definition(variable)
        if variable is not None and self._mutated(variable):
            return None
        text = entry_text(self.draft, node, frame)
        return ast.Name(text, ast.Load()) if text.isidentifier() else None

    def _mutated(self, variable: Variable) -> bool:
        return bool(self.inside) and self.changes(variable)

    def changes(self, variable: Variable) -> bool:
        """Whether a turn may change the object: in place, or by a method that is not known to leave it alone."""
        key = (variable.scope, variable.name)
        if any(key in self.draft.effects_of(item).mutates for item in self.items):
            return True
        for item in self.items:
            for node, frame in names_in(item):
                parent = self.draft.source.parents.get(node)
                above = self.draft.source.parents.get(parent) if isinstance(parent, ast.Attribute) else None
                called = isinstance(above, ast.Call) and above.func is parent
                if called and self.draft.variable(node, frame) is variable and parent.attr not in _ONLY_READ:  # type: ignore[union-attr]
                    return True
        return False

    @ends_in_a_circle(None)
    def _definition(self, variable: Variable) -> ast.expr | None:
        """What the one statement before the batch loop gives the variable."""
        writers = [i for i in self.before if variable in self.draft.variables.use(i).written]
        others = self.draft.variables.sequence(self.others)
        if len(writers) != 1 or variable in others.written or self._mutated(variable):
            return None
        item = writers[0]
        if item.target and item.value is not None and item.frame.caller is not None:
            return self.expression(item.value, item.frame.caller)
        match item.node:
            case ast.Assign(targets=[ast.Name()], value=value) if item.kind == "statement":
                self.used.append(item)
                return self.expression(value, item.frame)
        return None

    def _call(self, node: ast.Call, frame: Frame) -> ast.expr | None:
        if not self._makes_nothing_else(node, frame.scope):
            return None
        function: ast.expr | None = node.func
        if isinstance(node.func, ast.Attribute) and dotted(node.func).partition(".")[0] not in self._imports():
            receiver = self._content(node.func.value, frame)
            function = receiver and ast.Attribute(receiver, node.func.attr, ast.Load())
        held = source_makings(Value(node, frame.scope, self.draft.roles))
        counted = counted_places(held[0]) if held else range(len(node.args))
        arguments = [
            self._content(a, frame) if place in counted else self.expression(a, frame)
            for place, a in enumerate(node.args)
        ]
        keywords = [(k.arg, self._content(k.value, frame)) for k in node.keywords]
        if function is None or any(a is None for a in arguments) or any(v is None for _name, v in keywords):
            return None
        return ast.Call(function, [a for a in arguments if a], [ast.keyword(n, v) for n, v in keywords if v])

    def _imports(self) -> dict[str, str]:
        return self.draft.roles.origins

    def _makes_nothing_else(self, node: ast.Call, scope: Scope) -> bool:
        full = self.draft.roles.full_name(node.func)
        if full in ("range", "len", "int", "min", "max", "math.ceil", "math.floor"):
            return self.draft.roles.key(scope, full) is None
        if full.startswith("torch.utils.data.") and full.rpartition(".")[2] in _STATELESS:
            return not any(k.arg is None or k.arg in _STATEFUL for k in node.keywords)
        if source_makings(Value(node, scope, self.draft.roles)):
            return True
        return isinstance(node.func, ast.Attribute) and node.func.attr in ("size", "numel", "dim") and not node.keywords


_ONLY_READ = {
    "size", "numel", "dim", "item", "to", "cuda", "cpu", "float", "long", "int", "double", "half", "bool", "t", "view",
    "reshape", "permute", "transpose", "detach", "clone", "contiguous", "mean", "sum", "max", "min", "std", "keys",
    "values", "items", "get", "index", "count", "copy", "unsqueeze", "squeeze", "tolist", "numpy", "narrow",
}  # fmt: skip
_STATELESS = {
    "DataLoader", "TensorDataset", "RandomSampler", "SequentialSampler", "SubsetRandomSampler", "BatchSampler",
    "WeightedRandomSampler", "Subset",
}  # fmt: skip
_STATEFUL = ("generator", "persistent_workers", "worker_init_fn", "collate_fn")


# ---- facts about the loader


def constructions(draft: Draft, base: ast.expr, frame: Frame) -> list[Making]:
    """The calls that make the loader, as far as the project's files show them."""
    return makings(_value(draft, base, frame))


def _value(draft: Draft, base: ast.expr, frame: Frame) -> Value:
    variable = draft.variable(base, frame)
    if variable is None:
        return Value(base, frame.scope, draft.roles)
    return Value(ast.Name(variable.name, ast.Load()), variable.scope, draft.roles)


def owns_generator(draft: Draft, base: ast.expr, frame: Frame) -> bool:
    """Whether the loader or its sampler has a random generator of its own: a plain loop asks it once more at its end."""
    return any(has_generator(made) and not is_still(made) for made in constructions(draft, base, frame))


def is_still_loader(draft: Draft, base: ast.expr, frame: Frame) -> bool:
    """Whether it does not matter when the loader is started."""
    made = constructions(draft, base, frame)
    return bool(made) and all(is_still(one) for one in made)


def _draws_nothing(draft: Draft, base: ast.expr) -> bool:
    """Whether the loader's data is plain tensors: asking for a batch too many draws no random number."""
    made = constructions(draft, base, draft.nest.inner)
    datasets = [m.argument("dataset", 0) for m in made]
    return bool(made) and all(d is not None and _is_plain(d) for d in datasets)


def _is_plain(dataset: Value) -> bool:
    parts = sources(dataset)
    return bool(parts) and all(
        isinstance(p.node, ast.Call) and p.roles.full_name(p.node.func).rpartition(".")[2] == "TensorDataset"
        for p in parts
    )


def _has_no_length(draft: Draft, base: ast.expr) -> bool:
    datasets = (m.argument("dataset", 0) for m in constructions(draft, base, draft.nest.inner))
    return any(d is not None and _is_iterable_dataset(d) for d in datasets)


def runs_over_iterable(made: Making) -> bool:
    """Whether a loader's dataset surely has no length."""
    dataset = made.argument("dataset", 0)
    return dataset is not None and _is_iterable_dataset(dataset)


def _is_iterable_dataset(dataset: Value) -> bool:
    classes = (made.roles.own_class_named(made.full_name) for made in makings(dataset))
    return any(
        dotted(base).endswith("IterableDataset")
        for known in classes
        if known is not None
        for own, _ in lineage(*known)
        for base in own.bases
    )


# ---- what must run before the loader starts


def _draws_before(draft: Draft) -> Item | None:
    """The first item before the batch loop that may draw random numbers, which starting the loader does, too."""
    bars = loop_bars(draft)
    for item in draft.epoch.before:
        if draft.effects_of(item).rng and not _feeds_bar(draft, item, bars):
            return item
    return None


def _draws_behind_start(draft: Draft, loop: Loop) -> Item | None:
    """The first item between a statement that starts the loader, in front of its loop, and the loop that may draw random numbers."""
    places = [n for n, item in enumerate(draft.epoch.before) if loop.started is not None and item.node is loop.started]
    bars = loop_bars(draft)
    for item in draft.epoch.before[places[-1] + 1 :] if places else []:
        if draft.effects_of(item).rng and not _feeds_bar(draft, item, bars):
            return item
    return None


def _feeds_bar(draft: Draft, item: Item, bars: set[Variable]) -> bool:
    """Whether the item makes or labels the progress bar of a loop that Lightning runs now."""
    match item.node:
        case (
            ast.Assign(targets=[ast.Name() as name])
            | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as name)))
        ):
            return draft.variable(name, item.frame) in bars
    return False


def _changes_started_loader(draft: Draft, first: FirstEpoch | None) -> Item | None:
    """An item before the batch loop that changes what workers read: with workers, the first epoch's have started by then."""
    nest = draft.nest
    assert nest.batches is not None
    base = draft.variable(nest.batches.base, nest.inner)
    if base is None:
        return None
    made = constructions(draft, nest.batches.base, nest.inner)
    plain = bool(made) and all(_is_data_loader(m, torchs=True) for m in made)
    if plain and not _has_workers(draft, nest.batches.base) and not _asks_at_start(made):
        return None
    watched = {(base.scope, base.name)}
    for part in (argument for m in made for argument in m.arguments()):
        if isinstance(part.node, ast.Name) and (key := part.roles.key(part.scope, part.node.id)):
            watched.add(key)
    for item in (i for i in draft.epoch.before if first is None or i is not first.item):
        for node in (n for part, _frame in parts(item) for n in walk_scope(part)):
            target: ast.AST | None = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr == "set_epoch" and _begins_so(draft, item, node):
                    continue
                target = node.func.value
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                target = node
            name = root_name(target) if target is not None else ""
            if name and draft.roles.key(item.frame.scope, name) in watched:
                return item
    return None


def _has_workers(draft: Draft, base: ast.expr) -> bool:
    """Whether processes of the loader may fetch batches as soon as it is started."""
    made = constructions(draft, base, draft.nest.inner)
    workers = [w.node for m in made if (w := m.argument("num_workers")) is not None]
    return any(not (isinstance(w, ast.Constant) and w.value == 0) for w in workers)


def _start_is_timed(draft: Draft) -> bool:
    """Whether a clock runs until the first batch is there, while workers start: Lightning starts the first epoch's before that."""
    nest = draft.nest
    assert nest.batches is not None
    if not all(any(draft.effects_of(i).clock for i in items) for items in (draft.epoch.before, draft.epoch.batch)):
        return False
    return _has_workers(draft, nest.batches.base)


def _is_started_early(draft: Draft, loop: ast.stmt) -> bool:
    """Whether the level takes Lightning's own start of the workers, which the script's clock then misses once: told by a note."""
    if draft.options.level != "native":
        return False
    message = (
        "the clock no longer holds the start of the loader's workers in the first epoch: Lightning starts them before"
    )
    draft.note("workers-started-early", loop, message)
    return True


def _asks_at_start(made: list[Making]) -> bool:
    """Whether a loader without workers asks its sampler for the order as soon as it starts, not at the first batch."""
    for one in made:
        if (size := one.argument("batch_size")) is not None and is_none(size):
            return True
        sampler = one.argument("batch_sampler")
        if sampler is not None and not is_none(sampler) and not _is_torchs(sampler):
            return True
    return False


def _is_torchs(batch_sampler: Value) -> bool:
    """Whether the batch sampler is torch's own, which asks its sampler at the first batch only."""
    parts = [Making(p.node, p.scope, p.roles) for p in sources(batch_sampler) if isinstance(p.node, ast.Call)]
    return bool(parts) and all(
        m.full_name.startswith("torch.utils.data.") and m.last_name.endswith("BatchSampler") for m in parts
    )


def _begins_so(draft: Draft, item: Item, call: ast.Call) -> bool:
    """Whether the call tells a sampler that the first epoch is 0: that is what samplers begin with."""
    assert isinstance(call.func, ast.Attribute)
    plain = len(call.args) == 1 and draft.variable(call.args[0], item.frame) in epoch_counters(draft)
    nest = draft.nest
    assert nest.batches is not None
    receiver = ast.unparse(call.func.value)
    sampler = receiver.lower().endswith("sampler") or receiver == ast.unparse(nest.batches.base)
    return plain and sampler and epoch_start(draft) == 0


def _would_be_told(draft: Draft) -> ast.expr | None:
    """A sampler that Lightning would call ``set_epoch`` on, and the script does not: it would shuffle in another way."""
    nest = draft.nest
    assert nest.batches is not None
    base = nest.batches.base
    loaders = constructions(draft, base, nest.inner)
    sampler = sampler_with_epoch(loaders)
    if sampler is None or (nest.epochs is not None and script_tells_epoch(draft, loaders)):
        return None  # a Trainer that runs one epoch says 0, after what the script has said
    return sampler.node if sampler.roles is draft.roles else base


def _not_lazy(draft: Draft, base: ast.expr) -> str:
    """Why the loader cannot be started late; "" when it can."""
    for loader in _side_by_side(base):
        if not has_length(draft, loader, draft.nest.inner):
            return f"the length of `{ast.unparse(loader)[:40]}` is not known"
    return ""


def has_length(draft: Draft, base: ast.expr, frame: Frame) -> bool:
    """Whether ``len(loader)`` surely works: the script calls it, or makes a DataLoader itself."""
    made = constructions(draft, base, frame)
    if made and all(_is_data_loader(m) for m in made):
        return True
    text = f"len({ast.unparse(base)})"
    return any(
        dotted(c.func) == "len" and ast.unparse(c) == text and draft.source.scope_of(c) is frame.scope
        for c in draft.source.calls
    )


def _is_data_loader(made: Making, torchs: bool = False) -> bool:
    """Whether it is a DataLoader; with ``torchs`` only torch's own, of which it is known what its start does."""
    package, _, name = made.full_name.rpartition(".")
    if name == "DataLoader":
        return not torchs or not package or package.partition(".")[0] == "torch"
    return not torchs and (made.full_name in _WITH_LENGTH or _is_partial(made))


_WITH_LENGTH = {"dgl.dataloading.GraphDataLoader", "torch_geometric.loader.NeighborLoader"}


_PLAIN = {"batch_size", "shuffle", "drop_last", "num_workers", "pin_memory"}


def _is_partial(made: Making) -> bool:
    """Whether a loader's class is called through the one ``partial(DataLoader, ...)`` that the name stands for."""
    function = made.call.func
    key = made.roles.key(made.scope, function.id) if isinstance(function, ast.Name) else None
    match [b.value for b in made.roles.bindings(key)] if key is not None else []:
        case [ast.Call(func=partial, args=[ast.Name() | ast.Attribute() as called], keywords=given)]:
            full = made.roles.full_name(called)
            plain = all(k.arg in _PLAIN for k in given)
            return made.roles.full_name(partial) == "functools.partial" and full in DATA_LOADERS and plain
    return False
