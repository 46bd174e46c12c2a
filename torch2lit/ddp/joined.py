"""Processes that Lightning takes as they are, whatever has started and numbered them: srun, a spawn on each machine, `Process`.

The group is there before the Trainer is made, so it can say itself which process this is, and of how many:

    # To Lightning every process is a machine with one device, whatever has started it
    os.environ.update(LOCAL_RANK="0", NODE_RANK=str(dist.get_rank()))
    L.Trainer(devices=[torch.cuda.current_device()], num_nodes=dist.get_world_size(), plugins=[LightningEnvironment()])
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from ..recover.neighbours import imported_modules
from ..recover.nest import Nest
from ..recover.roles import Roles
from ..recover.syntax import Source, dotted, source_of
from .hindrances import Hindrance, Hindrances, unfoldable
from .moments import Moment, Timeline
from .spawn import distributed_name
from .wrap import Wrap

_CHANGED = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")
"""What the processes are told in the environment for Lightning, and what its environment takes away when training ends."""
_SET_DEVICE = "torch.cuda.set_device"
_GROUP = "init_process_group"


def check_joined(source: Source, roles: Roles, wrap: Wrap, nest: Nest, importers: Iterable[str]) -> str:
    """What the file calls ``torch.distributed``. Raises Unfoldable, with every reason, when it must not tell Lightning the numbers.

    ``importers`` are the texts of project files that import this one.
    """
    hindrances = Hindrances()
    timeline = Timeline(source, wrap.statement, nest.outermost)
    imported = _read_elsewhere(_other_texts(source, roles), _made_before(source, timeline))
    for line, word in [*_read_late(source, timeline), *imported, *_read_elsewhere(importers, None)]:
        hindrances.add(
            Hindrance(
                line,
                f"`{word}` of the environment may be read when the training has begun, and Lightning has its own number there",
                "read it once, before the model is wrapped",
            )
        )
    name = distributed_name(source, roles)
    if not name:
        told = (wrap.statement.lineno, "`torch.distributed` has no name in the script")
        hindrances.add(Hindrance(*told, "add `import torch.distributed as dist`"))
    hindrances.settle()
    return name


def joined_device(source: Source, roles: Roles, wrap: Wrap, nest: Nest) -> str:
    """The GPU of this process as source, "" where the text does not say it. Raises Unfoldable for a wrapper of another one."""
    timeline = Timeline(source, wrap.statement, nest.outermost)
    chosen = [c for c in source.calls if roles.full_name(c.func) == _SET_DEVICE and c.args]
    early = [c for c in chosen if Moment.AFTER not in timeline.of(c)]
    torch = next((n for n, origin in sorted(roles.origins.items()) if origin == "torch"), "")
    if not torch or not early or len(early) != len(chosen):
        return ""
    texts = {ast.unparse(c.args[0]) for c in early}
    for keyword in [k for call in wrap.calls for k in call.keywords]:
        if keyword.arg in ("device_ids", "output_device") and not _devices(keyword.value) <= texts:
            raise unfoldable(
                wrap.call.lineno,
                f"`{keyword.arg}` may name another device than `torch.cuda.set_device`",
                "name the same device in both places",
            )
    return f"{torch}.cuda.current_device()"


def _devices(node: ast.expr) -> set[str]:
    """The devices that an argument of the wrapper names, as source; none for None."""
    match node:
        case ast.Constant(value=None):
            return set()
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return {ast.unparse(e) for e in elements}
        case ast.IfExp(body=body, orelse=orelse):
            return _devices(body) | _devices(orelse)
    return {ast.unparse(node)}


def _read_late(source: Source, timeline: Timeline) -> Iterator[tuple[int, str]]:
    """Where the file names one of these variables and may run when the Trainer has been made."""
    for node in source.all(ast.Constant):
        if node.value in _CHANGED and Moment.AFTER in timeline.of(node):
            yield node.lineno, str(node.value)


def _read_elsewhere(texts: Iterable[str], makers: Container[str] | None) -> Iterator[tuple[int, str]]:
    """The same for other files: what makes the group may read them, where it is called once, before.

    ``makers`` are the functions that are called so, None where each file says it of its own.
    """
    for text in texts:
        words = [w for w in _CHANGED if w in text]
        if not words:
            continue
        try:
            other = source_of(text)
        except SyntaxError:
            yield 0, words[0]
            continue
        once = _called_once(other) if makers is None else makers
        for node in other.all(ast.Constant):
            scope = other.scope_of(node)
            makes = isinstance(scope, ast.FunctionDef) and scope.name in once and _makes_group(scope)
            if node.value in _CHANGED and not makes:
                yield 0, str(node.value)


def _makes_group(function: ast.FunctionDef) -> bool:
    return any(isinstance(n, ast.Call) and dotted(n.func).rpartition(".")[2] == _GROUP for n in ast.walk(function))


def _made_before(source: Source, timeline: Timeline) -> set[str]:
    """Names of functions that the file calls in one place only, before the model is wrapped."""
    return {name for name, call in _called_once(source).items() if timeline.of(call) == frozenset([Moment.BEFORE])}


def _called_once(source: Source) -> dict[str, ast.Call]:
    """The only call of each function that a file calls in one place."""
    found: dict[str, list[ast.Call]] = {}
    for call in source.calls:
        found.setdefault(dotted(call.func).rpartition(".")[2], []).append(call)
    return {name: calls[0] for name, calls in found.items() if name and len(calls) == 1}


def _other_texts(source: Source, roles: Roles) -> Iterator[str]:
    texts, seen = [(source.text, roles.neighbours)], set[Path]()
    for text, around in texts:
        for module in imported_modules(text.encode("utf-8", "surrogatepass")) if around is not None else []:
            assert around is not None
            if (file := around.file(module)) is not None and file not in seen:
                seen.add(file)
                texts.append((around.text(file), around.beside(file)))
                yield texts[-1][0]
