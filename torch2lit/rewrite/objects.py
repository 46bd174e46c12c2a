"""Training in methods (torch2lit/objects): new code says the object's attributes where the plan has variables of the view."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from ..objects.restore import NoTwinError, with_object
from ..plan.draft import Draft
from ..plan.module_names import IN_OTHER_WORDS, RESERVED
from ..plan.state import State
from ..recover.state_names import STATE, WHOLE
from ..recover.syntax import Source
from .module import in_snake_case


class Restorer:
    """Puts the object back into new code; for a program that is no plain view it changes nothing."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.view = draft.source.view
        self.holder = ""
        self.receiver = ""
        if self.view is not None:
            entry = draft.nest.entry.scope
            self.receiver = self.view.receiver(draft.source, entry) or ""
            if self.receiver and not self.view.method(entry):
                self._check_made_before()

    @property
    def raw(self) -> Source:
        """The text that is edited."""
        return self.draft.source if self.view is None else self.view.raw

    def _check_made_before(self) -> None:
        """The object that a loop outside of its class drives must be made before the loop."""
        outermost = self.draft.nest.outermost
        for node in ast.walk(outermost):
            if isinstance(node, ast.Name) and node.id == self.receiver and not isinstance(node.ctx, ast.Load):
                raise self.draft.refuse("loop-in-class", outermost, f"`{self.receiver}` is made in the loop")

    def definitions(self, state: State, write: Callable[[], str]) -> str:
        """The module's source; where it reads the object, it gets it as its first argument."""
        text = write()
        if self.view is None or STATE not in text:
            return text
        word = _word(self.view.family.leaf.name)
        given = {name for parameter, attribute, _argument in state.parameters for name in (parameter, attribute)}
        while word in RESERVED or word in given or re.search(rf"\bself\.{word}\b", text):
            word = IN_OTHER_WORDS.get(word, f"own_{word}")
        state.holder = f"self.{word}"
        state.parameters.insert(0, (word, word, WHOLE))
        return self._with_object(write(), state.holder, elsewhere=True)

    def at_entry(self, text: str) -> str:
        """Code at the entry point, which knows the object under a name of its own."""
        if self.view is None or STATE not in text:
            return text
        if not self.receiver:
            message = f"the loop does not stand where the object of class `{self.view.family.leaf.name}` is known"
            raise self.draft.refuse("loop-in-class", self.draft.nest.outermost, message)
        return self._with_object(text, self.receiver, elsewhere=False)

    def _with_object(self, text: str, holder: str, *, elsewhere: bool) -> str:
        assert self.view is not None
        try:
            return with_object(text, self.view, holder, elsewhere=elsewhere)
        except NoTwinError as problem:
            raise self.draft.refuse("loop-in-class", self.draft.nest.outermost, str(problem)) from problem


def stub_of(source: Source, function: ast.FunctionDef, module: str) -> str:
    """What stays of a method that moved into the module, "" when nothing has to: an abstract one must be defined."""
    view = source.view
    if view is None or view.method(function) not in view.family.abstract:
        return ""
    lines = view.raw.lines[function.lineno - 1 : function.body[0].lineno - 1]
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    indent = view.raw.lines[function.lineno - 1][: function.col_offset]
    head = lines or [f"{indent}def {view.method(function)}(self, *args, **kwargs):"]
    unit = "\t" if indent.startswith("\t") else "    "
    return "\n".join([*head, f'{indent}{unit}raise NotImplementedError("{module} does this")']) + "\n"


def _word(name: str) -> str:
    return in_snake_case(name).strip("_") or "owner"
