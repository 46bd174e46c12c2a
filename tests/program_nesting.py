"""Puts straight code into functions, closures and classes: the same program, nested in another way.

`Straight` is a program without a function of its own: what is set up, an epoch loop around a batch loop, what comes after. `nested`
writes it in one of many forms. What a function needs is worked out from the names alone, so that any statements can be nested.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from program_grammar import Lines, indented, names_in, names_stored

EPOCH_FORMS = ("inline", "globals", "closure", "params", "object")


@dataclass
class Straight:
    """The lines of a program. ``epochs`` and ``batches`` are the heads of the loops, as ``for epoch in range(3):``."""

    top: Lines
    setup: Lines
    epochs: str
    start: Lines
    batches: str
    batch: Lines
    end: Lines
    final: Lines
    before_turn: Lines | None = None
    """What a loop of its own counting does at the end of each turn."""


def nested(program: Straight, epoch_form: str, step_form: str, entry: str) -> Lines:
    """The program with its epoch and its batch in functions of these forms, and all of it in ``entry``."""
    if epoch_form == "object":
        return _as_object(program, step_form, entry)
    local = entry in ("main", "twice") or "closure" in (epoch_form, step_form)
    forms = ["closure" if f == "globals" and local else f for f in (epoch_form, step_form)]
    if forms[0] == "params" and forms[1] != "inline":
        forms[1] = "params"
    taken = _Taken(local)
    outside = [*program.setup, program.epochs, "    pass", *program.final, *(program.before_turn or [])]
    around = [*program.start, program.batches, "    pass", *program.end]
    home = [*outside, *around] if forms[0] == "inline" else outside
    batch = taken.out("train_step", program.batch, forms[1], program.batches, [*outside, *around], home)
    body = [*program.start, program.batches, *indented(batch), *program.end]
    beside = program.batch if forms[1] in ("globals", "closure") and batch is not program.batch else []
    seen = [*outside, *([program.batches, *indented(beside)] if beside else [])]
    body = taken.out("train_epoch", body, forms[0], program.epochs, seen, outside, _targets(program.batches))
    loop = [program.epochs, *indented([*body, *(program.before_turn or [])])]
    whole = [*program.setup, *taken.extra, *taken.inner, *loop, *program.final]
    if local:
        call = ["for attempt in range(2):", "    main()"] if entry == "twice" else ["main()"]
        return [*program.top, *taken.functions, "def main():", *indented(whole), "", "", *call]
    if entry == "guard":
        return [*program.top, *taken.functions, 'if __name__ == "__main__":', *indented(whole)]
    return [*program.top, *taken.functions, *whole]


class _Taken:
    """Bodies that went into functions. ``extra``: names that must be bound before those run."""

    def __init__(self, local: bool) -> None:
        self.local = local
        self.functions: Lines = []
        self.inner: Lines = []
        self.extra: Lines = []

    def out(
        self, name: str, body: Lines, form: str, head: str, outside: Lines, home: Lines, private: Iterable[str] = ()
    ) -> Lines:
        """What stands in place of the body; the body itself where it cannot be in a function.

        ``head``: the loop around it, ``outside``: all that may share names with it, ``home``: what binds names around the function.
        """
        if form == "inline" or _leaves_by_break(body):
            return body
        written, read = names_stored(body), names_in(body)
        given = [n for n in _targets(head) if n in read]
        shared = sorted(n for n in written if n in names_in(outside) and n not in given and n not in private)
        if form in ("globals", "closure"):
            self._bind([n for n in shared if n not in names_stored(home)])
            declared = [f"{'nonlocal' if self.local else 'global'} {', '.join(shared)}"] if shared else []
            lines = [f"def {name}({', '.join(given)}):", *indented([*declared, *_ended(body, "return")]), "", ""]
            (self.inner if self.local else self.functions).extend(lines)
            return [f"{name}({', '.join(given)})"]
        bound = names_stored(outside)
        needed = [n for n in _ordered(outside) if n in bound and n in read]
        needed += [n for n in shared if n not in needed]
        self._bind([n for n in needed if n not in names_stored(home) and n not in given and n in shared])
        back = f"return {', '.join(shared)}" if shared else "return"
        lines = [*_ended(body, back), *([back] if shared else [])]
        self.functions += [f"def {name}({', '.join(needed)}):", *indented(lines), "", ""]
        call = f"{name}({', '.join(needed)})"
        return [f"{', '.join(shared)} = {call}" if shared else call]

    def _bind(self, names: Iterable[str]) -> None:
        self.extra += [f"{n} = None" for n in names if f"{n} = None" not in self.extra]


def _leaves_by_break(body: Lines) -> bool:
    return any(isinstance(n, ast.Break) for n in _own_jumps(_statements(body)))


def _statements(body: Iterable[str]) -> list[ast.stmt]:
    tree = ast.parse("\n".join(["while True:", *indented([*body, "pass"])]))
    assert isinstance(tree.body[0], ast.While)
    return tree.body[0].body[:-1]


def _own_jumps(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The ``break`` and ``continue`` that belong to the loop around the statements."""
    found: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Break | ast.Continue):
            found.append(statement)
        elif not isinstance(statement, ast.For | ast.While | ast.FunctionDef | ast.ClassDef):
            for _name, value in ast.iter_fields(statement):
                parts = value if isinstance(value, list) else []
                found += _own_jumps([p for p in parts if isinstance(p, ast.stmt)])
                for handler in (p for p in parts if isinstance(p, ast.ExceptHandler)):
                    found += _own_jumps(handler.body)
    return found


def _ended(body: Lines, back: str) -> Lines:
    """The body with ``back`` in place of each ``continue`` of the loop around it."""
    lines = "\n".join(body).splitlines()
    for jump in _own_jumps(_statements(lines)):
        line = lines[jump.lineno - 2]
        lines[jump.lineno - 2] = line.replace("continue", back)
    return lines


def _ordered(lines: Lines) -> list[str]:
    return list(dict.fromkeys(n.id for n in ast.walk(ast.parse("\n".join(lines))) if isinstance(n, ast.Name)))


# ---- a class


def _as_object(program: Straight, step_form: str, entry: str) -> Lines:
    """The program as a class: what is set up are attributes, the loops are methods."""
    parts = {
        "__init__": program.setup,
        "fit": [program.epochs, "    pass", *program.final, *(program.before_turn or [])],
        "epoch": [*program.start, program.batches, "    pass", *program.end],
        "step": program.batch,
    }
    apart = step_form != "inline" and not _leaves_by_break(program.batch)
    if not apart:
        parts["epoch"] = [*program.start, program.batches, *indented(program.batch), *program.end]
        del parts["step"]
    owners: dict[str, set[str]] = {}
    for part, lines in parts.items():
        for name in names_in(lines):
            owners.setdefault(name, set()).add(part)
    stored = {n for lines in parts.values() for n in names_stored(lines)}
    held = {n for n in stored if n in names_stored(program.setup) or len(owners[n]) > 1}
    passed = _targets(program.batches) if apart else []
    held -= set(passed)
    held -= {"_"}

    def method(head: str, lines: Lines) -> Lines:
        return ["", f"def {head}:", *indented(_on_self(lines, held))]

    step = f"self.train_step({', '.join(passed)})"
    epoch = [*program.start, program.batches, *indented([step] if apart else program.batch), *program.end]
    body = method("__init__(self)", program.setup)[1:]
    if apart:
        body += method(f"train_step(self{''.join(f', {p}' for p in passed)})", _ended(program.batch, "return"))
    if _leaves_by_break(epoch) or any(isinstance(n, ast.Break) for n in _own_jumps(_statements(epoch))):
        loop = [program.epochs, *indented([*epoch, *(program.before_turn or [])])]
    else:
        body += method("train_epoch(self)", _ended(epoch, "return"))
        loop = [program.epochs, *indented(["self.train_epoch()", *(program.before_turn or [])])]
    body += method("fit(self)", [*loop, *program.final])
    start = ["solver = Solver()", "solver.fit()"]
    if entry == "main":
        start = ["def main():", *indented(start), "", "", "main()"]
    elif entry == "guard":
        start = ['if __name__ == "__main__":', *indented(start)]
    elif entry == "twice":
        start = ["for attempt in range(2):", *indented(["solver = Solver()", "solver.fit()"])]
    return [*program.top, "class Solver:", *indented(body), "", "", *start]


def _targets(head: str) -> list[str]:
    """The names that a loop's head binds."""
    tree = ast.parse(f"{head}\n    pass").body[0]
    if not isinstance(tree, ast.For):
        return []
    return [n.id for n in ast.walk(tree.target) if isinstance(n, ast.Name)]


class _Attributes(ast.NodeTransformer):
    def __init__(self, held: set[str]) -> None:
        self.held = held

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The attribute in place of the variable."""
        return ast.Attribute(ast.Name("self", ast.Load()), node.id, node.ctx) if node.id in self.held else node


def _on_self(lines: Lines, held: set[str]) -> Lines:
    tree = ast.parse("\n".join([*(["pass"] if not lines else []), *lines]))
    return ast.unparse(ast.fix_missing_locations(_Attributes(held).visit(tree))).splitlines()


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The program with other names for its variables; attributes and keywords keep theirs."""

    class Names(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            node.id = names.get(node.id, node.id)
            return node

        def visit_arg(self, node: ast.arg) -> ast.arg:
            node.arg = names.get(node.arg, node.arg)
            return node

        def visit_Global(self, node: ast.Global) -> ast.Global:
            node.names = [names.get(n, n) for n in node.names]
            return node

        def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.Nonlocal:
            node.names = [names.get(n, n) for n in node.names]
            return node

    return ast.unparse(Names().visit(ast.parse(text))) + "\n"
