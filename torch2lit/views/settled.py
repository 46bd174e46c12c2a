"""Programs that need no view: they hold no training loop, are left alone on request, or are another framework's."""

from __future__ import annotations

import re

from ..by_trainer import ordered, refused
from ..files.prefilter import NO_TRAINING_LOOP, SKIP_FILE, asks_to_skip, hides_step
from ..findings import finding
from ..program import Cause, Conversion, Outcome
from ..recover.frameworks import framework_message, wrapping_framework
from ..recover.neighbours import neighbours_of
from ..recover.roles import Roles
from .way import Program

_TRAINS = re.compile(r"\.backward\b|\bbackward\(")
_ON_TORCH = {"dgl", "transformers", "timm", "fastai", "monai", "lightning"}


def settled(program: Program) -> Conversion | None:
    """The outcome of a program that nobody has to look at; None for any other. Raises SyntaxError when it is not Python."""
    text, path = program.text, program.path
    if not _may_train(text, path):
        return _without_loop(program)
    if asks_to_skip(text):
        return Conversion(path, Outcome.UNCHANGED, text, text, reason=SKIP_FILE)
    if not _knows_torch(program.roles):
        return _without_loop(program)
    if (wrapped := wrapping_framework(program.source, program.roles)) is not None:
        framework, place = wrapped
        if framework.is_lightning:
            reason = f"uses {framework.name} already"
            return Conversion(path, Outcome.UNCHANGED, text, text, reason=reason, cause=Cause.FRAMEWORK)
        message = framework_message(program.source, program.roles, framework)
        return refused(text, path, [finding("framework-wrapped", getattr(place, "lineno", 0), message)])
    if not program.recovered.nests and not program.recovered.findings:
        return _without_loop(program)
    return None


def left(program: Program) -> Conversion | None:
    """The outcome of a program in which no training loop is to be converted; None when there is one."""
    if program.nests:
        return None
    text, path = program.text, program.path
    if program.findings:
        return refused(text, path, program.findings)
    notes = [
        finding("skipped-on-request", n.outermost.lineno, "left alone: a skip comment asks for it")
        for n in program.skipped
    ]
    if not notes:
        return _without_loop(program)
    return Conversion(path, Outcome.UNCHANGED, text, text, findings=ordered(notes), reason="skip comment")


def rests(program: Program) -> bool:
    """Whether a conversion would leave the program as it is."""
    found = settled(program) or (None if program.recovered.findings else left(program))
    return found is not None and found.outcome is Outcome.UNCHANGED


def _without_loop(program: Program) -> Conversion:
    text = program.text
    return Conversion(program.path, Outcome.UNCHANGED, text, text, reason=NO_TRAINING_LOOP, cause=Cause.NO_LOOP)


def _may_train(text: str, path: str) -> bool:
    """Whether the text has words of a training loop, or imports a file that has them: an object of that file may step."""
    if _TRAINS.search(text) and ("step" in text or ".grad" in text) and "torch" in text:
        return True
    if hides_step(text.encode("utf-8", "surrogatepass")):
        return True
    return "torch" in text and neighbours_of(path).may_train(text.encode("utf-8", "surrogatepass"))


def _knows_torch(roles: Roles) -> bool:
    """Whether the file imports torch, a package that builds on it, or whatever a star import brings."""
    origins = set(roles.origins.values())
    return any("torch" in o.lower() or o.endswith(".*") or o.partition(".")[0] in _ON_TORCH for o in origins)
