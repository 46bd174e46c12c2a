"""Random programs whose training stands in methods: those of `programs_of_epochs.py`, with their variables as attributes of an object.

They try what reaches the object besides its own methods: callbacks, properties, bases, a loop outside of the class.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Mapping

from program_grammar import Choices, Grammar, Lines, dimensions
from program_grammar import indented as _in
from program_grammar import names_stored as _stored
from programs_of_epochs import CLASHES, EpochProgram
from programs_of_epochs import DIMENSIONS as OF_EPOCHS

_OWN = {
    "train_form": "globals inline params",
    "val_form": "globals inline params decorated",
    "attributes": "setup all some",
    "driver": "method outside",
    "bases": "one base override",
    "callback": "none told keeps rebinds schedules stops",
    "called": "epoch_end batch_end epoch_start",
    "extra": "none property static helper late_attribute bound_method guarded two_objects",
}
_FIXED = {"entry": "module", "around": "none", "phases": "one"}
DIMENSIONS = {**{n: o for n, o in OF_EPOCHS.items() if n not in _FIXED}, **dimensions(_OWN)}
_CALLBACKS = {
    "told": ['print("end", float(next(solver.model.parameters()).sum()), len(vars(solver)) > 3)'],
    "keeps": ['print("kept", float(next(self.solver.model.parameters()).sum()))'],
    "rebinds": ["solver.optimizer = torch.optim.SGD(solver.model.parameters(), lr=0.01)"],
    "schedules": ["for group in solver.optimizer.param_groups:", '    group["lr"] *= 0.9'],
    "stops": ["solver.model.eval()", "print(torch.rand(1).item())"],
}


def assemble(choices: Mapping[str, str]) -> str:
    """The program for these choices."""
    return _Methods({**choices, **_FIXED}).text()


class _Attributes(ast.NodeTransformer):
    """Says attributes of the object for variables, and methods for functions."""

    def __init__(self, attributes: set[str], methods: Mapping[str, str], holder: str) -> None:
        self.attributes = attributes
        self.methods = methods
        self.holder = holder
        self.hidden: list[set[str]] = [set()]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.hidden[-1]:
            return node
        name = self.methods.get(node.id) or (node.id if node.id in self.attributes else "")
        return ast.Attribute(ast.Name(self.holder, ast.Load()), name, node.ctx) if name else node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.hidden.append(self.hidden[-1] | {a.arg for a in node.args.args})
        found = self.generic_visit(node)
        self.hidden.pop()
        return found

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.hidden.append(self.hidden[-1] | {a.arg for a in node.args.args})
        found = self.generic_visit(node)
        self.hidden.pop()
        return found

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        return ast.Pass()


class _Methods(EpochProgram):
    """Writes one program with a class around what the loop needs."""

    def text(self) -> str:
        if not self.at("clash", "none") and self.at("call", "keywords"):
            self.c["call"] = "positional"  # a renamed parameter would be called by its old name
        setup, run = self.renamed(self.setup()), self.renamed(self.run())
        functions = [ast.parse("\n".join(self.renamed(f))).body[0] for f in self.functions]
        if self.at("extra", "two_objects"):
            self.c["driver"] = "method"
        defined = [f for f in functions if isinstance(f, ast.FunctionDef)]
        outside = self.at("driver", "outside") and any(f.name == "train" for f in defined)
        holder = "solver" if outside else "self"
        methods = {f.name: {"train": "train_epoch"}.get(f.name, f.name) for f in defined}
        attributes = self.attribute_names(setup, run, defined)
        init = self.said(setup, attributes, methods, "self")
        body = self.said(run, attributes, methods, holder)
        body = self.with_extra(body, holder)
        own = {m: self.method(f, attributes, methods) for f in defined if (m := methods[f.name])}
        if not outside:
            own["train"] = ["def train(self):", *_in(body)]
        init += self.attached()
        own = {"__init__": ["def __init__(self):", *_in(init)], **self.extra_methods(), **own}
        head = [*self.imports(), "", "", *self.classes(), "", *self.callback_class()]
        lines = [*head, *self.class_lines(own), "", "torch.manual_seed(3)", "random.seed(3)", "np.random.seed(3)"]
        lines += ["solver = Solver()", *(body if outside else ["solver.train()"])]
        if self.at("extra", "two_objects"):
            lines += ["other_solver = Solver()", "other_solver.train()"]
        lines += ['print("at the end", float(sum(p.sum() for p in solver.model.parameters())), solver.model.training)']
        return self.worded("\n".join(lines) + "\n")

    def renamed(self, lines: Lines) -> Lines:
        text = "\n".join(lines)
        for old, new in CLASHES.get(self.c["clash"], {}).items():
            text = (
                re.sub(rf"(?<![\w.\"]){old}\b(?!=)(?!\")", new, text)
                if old not in (new, "model", "optimizer")
                else text
            )
        return text.split("\n")

    def attribute_names(self, setup: Lines, run: Lines, functions: list[ast.FunctionDef]) -> set[str]:
        found = _stored(setup)
        more = sorted(_stored(run) - found)
        for function in functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Global):
                    found |= set(node.names)
        if self.at("attributes", "all"):
            found |= set(more)
        elif self.at("attributes", "some"):
            found |= {n for n in more if random.Random(n).random() < 0.5}
        tree = ast.parse("\n".join(run))
        walrus = {n.target.id for n in ast.walk(tree) if isinstance(n, ast.NamedExpr)}
        comprehended = {n.id for c in ast.walk(tree) if isinstance(c, ast.comprehension) for n in ast.walk(c.target)
                        if isinstance(n, ast.Name)}  # fmt: skip
        return found - {"_"} - walrus - comprehended

    def said(self, lines: Lines, attributes: set[str], methods: Mapping[str, str], holder: str) -> Lines:
        tree = ast.parse("\n".join(lines))
        changed = _Attributes(attributes, methods, holder).visit(tree)
        return ast.unparse(ast.fix_missing_locations(changed)).split("\n")

    def method(self, function: ast.FunctionDef, attributes: set[str], methods: Mapping[str, str]) -> Lines:
        changed = _Attributes(attributes, methods, "self").visit(function)
        changed.name = methods[changed.name]
        changed.args.args.insert(0, ast.arg("self"))
        return ast.unparse(ast.fix_missing_locations(changed)).split("\n")

    def class_lines(self, own: Mapping[str, Lines]) -> Lines:
        if self.at("bases", "one"):
            return ["class Solver:", *_in(self.spread(own, list(own)))]
        lower = [n for n in own if n != "__init__"] if self.at("bases", "base") else ["train_epoch"]
        lower = [n for n in lower if n in own]
        upper = [n for n in own if n not in lower]
        base = self.spread(own, upper)
        if self.at("bases", "override") and "train_epoch" in own:
            base += ["", own["train_epoch"][0], "    raise NotImplementedError"]
        made = ["def __init__(self):", "    super().__init__()", '    self.kind = "derived"', ""]
        return ["class Base:", *_in(base), "", "", "class Solver(Base):", *_in([*made, *self.spread(own, lower)])]

    def spread(self, own: Mapping[str, Lines], names: list[str]) -> Lines:
        return [line for name in names for line in [*own[name], ""]] or ["pass"]

    # ---- what reaches the object from elsewhere

    def callback_class(self) -> Lines:
        body = _CALLBACKS.get(self.c["callback"])
        if body is None:
            return []
        keeps = self.at("callback", "keeps")
        made = ["def __init__(self, solver=None):", "    self.solver = solver", ""]
        head = "def on_end(self):" if keeps else "def on_end(self, solver):"
        return ["", "class Callback:", *_in([*made, head, *_in(body)]), "", ""]

    def attached(self) -> Lines:
        if self.at("callback", "none"):
            return []
        return [f"self.callbacks = [Callback({'self' if self.at('callback', 'keeps') else ''})]"]

    def called(self, holder: str) -> Lines:
        if self.at("callback", "none"):
            return []
        given = "" if self.at("callback", "keeps") else holder
        return [f"for callback in {holder}.callbacks:", f"    callback.on_end({given})"]

    def extra_methods(self) -> dict[str, Lines]:
        rate = ['return self.optimizer.param_groups[0]["lr"]']
        return {
            "property": {"rate": ["@property", "def rate(self):", *_in(rate)]},
            "static": {"shown": ["@staticmethod", "def shown(value):", '    print("shown", value)']},
            "helper": {
                "tell": [
                    "def tell(self):",
                    "    self.told = getattr(self, 'told', 0) + 1",
                    '    print("told", self.told, float(next(self.model.parameters()).sum()))',
                ]
            },
            "bound_method": {"tell": ["def tell(self):", "    self.model.eval()", '    print("told")']},
        }.get(self.c["extra"], {})

    def with_extra(self, body: Lines, holder: str) -> Lines:
        more = {
            "property": [f'print("rate", {holder}.rate)'],
            "static": [f"{holder}.shown(1)"],
            "helper": [f"{holder}.tell()"],
            "late_attribute": [
                f"{holder}.late = float(next({holder}.model.parameters()).sum())",
                f"print({holder}.late)",
            ],
            "bound_method": [f"action = {holder}.tell", "action()"],
            "guarded": [f'if hasattr({holder}, "missing"):', f"    {holder}.model.eval()"],
        }.get(self.c["extra"], [])
        called = self.called(holder)
        if not more and not called:
            return body
        tree = ast.parse("\n".join(body))
        loop = next((n for n in tree.body if isinstance(n, ast.For)), None)
        if loop is None:
            return body
        inner = next((n for n in loop.body if isinstance(n, ast.For)), None)
        extra, told = ast.parse("\n".join(more)).body, ast.parse("\n".join(called)).body
        if self.at("called", "batch_end") and inner is not None:
            inner.body += told
        elif self.at("called", "epoch_start"):
            loop.body[:0] = told
        else:
            loop.body += told
        loop.body += extra
        return ast.unparse(tree).split("\n")


def _write(choices: Choices) -> str:
    return assemble(choices)


METHODS = Grammar("methods", DIMENSIONS, _write)
