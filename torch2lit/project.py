"""Programs over several files: an entry script whose training stands in files that it imports.

Where a function of another file trains a batch or an epoch, its code moves into the entry script's module, and the other file stays as it
is. Where another file holds the whole loop, that file is converted with the script.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from . import catalogue as catalogue
from .by_trainer import refused
from .files.edits import apply_edits, edits_between
from .files.lines import split_lines
from .findings import Finding, finding
from .memory import looking_ahead, tree_of
from .new_lines import true_to_text
from .options import Options
from .origin import origin_of_edits, sorted_ledger, told
from .program import Cause, Conversion, Edit, Fate, LedgerEntry, Library, Mechanism, Outcome
from .recover.framework_uses import uses_told
from .recover.frameworks import Framework, framework_message, wrapping_framework
from .recover.neighbours import Definition, Neighbours, imported_modules, neighbours_of, text_question
from .recover.reach import (
    ProjectFiles,
    Reached,
    calls_with_stepping_object,
    reached_evaluations,
    reached_training,
)
from .recover.roles import Roles, roles_of
from .recover.syntax import Source, dotted, source_of
from .recover.unreadable import Unreadable, unreadable_training

Convert = Callable[[str, str, Options], Conversion]
"""Text, path and options to a conversion, without exceptions."""


@dataclass(frozen=True, slots=True)
class ProgramConversion:
    """The entry script's conversion, and the other files that are converted with it, with what becomes of their text."""

    entry: Conversion
    others: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()


def convert_program(text: str, path: str, options: Options, convert: Convert) -> ProgramConversion | None:
    """Convert an entry script that has no training loop of its own; None when it reaches none.

    Raises SyntaxError for what is not Python.
    """
    found = _convert_program(text, path, options, convert)
    if found is None or found.entry.outcome is not Outcome.CONVERTED:
        return found
    after = found.entry.after
    changed = {text_question(file): other for file, other in zip(found.others, found.texts, strict=True)}
    with looking_ahead({**changed, text_question(Path(path)): after}) if changed else contextlib.nullcontext():
        again = _convert_program(after, path, options, convert)
    if again is None or again.entry.outcome is not Outcome.CONVERTED:
        return found
    message = "a second conversion would change what the first one leaves"
    return ProgramConversion(refused(text, path, [finding("training-elsewhere", 1, message)]))


def _convert_program(text: str, path: str, options: Options, convert: Convert) -> ProgramConversion | None:
    neighbours = neighbours_of(path)
    if neighbours.folder is None:
        return None
    source, roles, files = _opened(text, neighbours)
    reached = reached_training(source, roles, files)
    if not reached and (stopped := unreadable_training(source, roles, neighbours)) is not None:
        return ProgramConversion(_unreadable(stopped, text, path))
    if not reached or _modules_step_by_objects(source, reached):
        return None
    program = _Program(source, roles, path, files, reached, convert)
    if (wrapped := program.wrapped()) is not None:
        return wrapped
    return program.converted(options)


def _unreadable(stopped: Unreadable, text: str, path: str) -> Conversion:
    """Refused, because the file that may train is no Python of today."""
    name, call = stopped.file.name, stopped.call
    message = f"`{ast.unparse(call.func)}` may run the training, but {name}:{stopped.line} is no Python of today: {stopped.why}"
    found = finding("training-elsewhere", call.lineno, message, source_of(text).column(call))
    return Conversion(path, Outcome.REFUSED, text, text, findings=(found,))


def _modules_step_by_objects(source: Source, reached: list[Reached]) -> bool:
    """Whether Lightning trains here already, and what is reached elsewhere are objects that its modules hold."""
    trained = any(ast.unparse(b).endswith("LightningModule") for c in source.classes.values() for b in c.bases)
    return trained and all(isinstance(one.definition.node, ast.ClassDef) for one in reached)


def _opened(text: str, neighbours: Neighbours) -> tuple[Source, Roles, ProjectFiles]:
    """The entry script, its roles, and the other files of its program."""
    source = source_of(text)
    neighbours = neighbours_of(neighbours.path, source.tree)
    roles = roles_of(source, neighbours)
    return source, roles, ProjectFiles(roles, neighbours)


def with_evaluations(plain: Conversion, options: Options, convert: Convert) -> Conversion | None:
    """A conversion whose epochs end with evaluations that other files hold, so that Lightning validates; None when it cannot be.

    ``plain`` is the conversion of the script alone. Raises SyntaxError for what is not Python.
    """
    text, path = plain.before, plain.path
    neighbours = neighbours_of(path)
    if neighbours.folder is None or not _imports_neighbours(text, neighbours):
        return None
    source, roles, files = _opened(text, neighbours)
    evaluations = reached_evaluations(source, roles, files)
    if not evaluations:
        return None
    found = _Program(source, roles, path, files, evaluations, convert).with_calls(options, evaluations)
    if (
        found is None
        or found.entry.mechanism is not plain.mechanism
        or _validations(found.entry) <= _validations(plain)
    ):
        return None
    return found.entry


def _imports_neighbours(text: str, neighbours: Neighbours) -> bool:
    modules = imported_modules(text.encode("utf-8", "surrogatepass"))
    return any(neighbours.file(module) is not None for module in modules)


def _validations(conversion: Conversion) -> int:
    return sum(phase == "validation" for nest in conversion.nests for phase, _line in nest.phases)


class _Program:
    def __init__(
        self, source: Source, roles: Roles, path: str, files: ProjectFiles, reached: list[Reached], convert: Convert
    ) -> None:
        self.source = source
        self.roles = roles
        self.path = path
        self.files = files
        self.reached = reached
        self.convert = convert
        self.problems: list[str] = []
        self.pull_problems: list[str] = []

    def converted(self, options: Options) -> ProgramConversion:
        """By the best way that holds, or refused with the first thing that stood in the way."""
        strict = replace(options, target="trainer") if options.target == "auto" else options
        if (held := self.with_held_steps(strict)) is not None:
            return held
        result = self.with_others(strict) or self.pulled_in(strict)
        if result is None and strict != options:
            result = self.with_others(options)
        return result or ProgramConversion(self.refused())

    def wrapped(self) -> ProgramConversion | None:
        """Refused with the framework's name when one wraps the training step that is reached; unchanged when it is Lightning's."""
        by_lightning: dict[Path, Framework] = {}
        holders = self.holders()
        for file in holders:
            source, roles = self.files.source(file)
            found = wrapping_framework(source, roles)
            if found is not None and found[0].is_lightning:
                by_lightning[file] = found[0]
            elif found is not None:
                framework, place = found
                call, where = self.reached[0].call, f" in {self.name(file)}:{getattr(place, 'lineno', 0)}"
                message = framework_message(source, roles, framework, where)
                if own := uses_told(self.source, self.roles, framework.name, framework.modules):
                    message += f". In this script: {own}"
                refusal = finding("framework-wrapped", call.lineno, message, self.source.column(call))
                text = self.source.text
                return ProgramConversion(Conversion(self.path, Outcome.REFUSED, text, text, findings=(refusal,)))
        extended = self.extended_by(list(by_lightning))
        if by_lightning and all(file in by_lightning or file in extended for file in holders):
            first = next(iter(by_lightning.values()))
            return ProgramConversion(self.by_lightning_already(list(by_lightning), first.name))
        return None

    def by_lightning_already(self, holders: list[Path], framework: str) -> Conversion:
        """Unchanged: every file that trains for the script does so by Lightning."""
        verb = "uses" if len(holders) == 1 else "use"
        reason = f"already Lightning: {', '.join(map(self.name, holders))} {verb} {framework}"
        text = self.source.text
        return Conversion(self.path, Outcome.UNCHANGED, text, text, reason=reason, cause=Cause.FRAMEWORK)

    def refused(self) -> Conversion:
        call, definition = self.reached[0].call, self.reached[0].definition
        problems = [*self.pull_problems, *self.problems]
        why = f": {problems[0]}" if problems else ""
        message = f"`{definition.node.name}` of {self.name(definition.file)} runs the training{why}"
        found = finding("training-elsewhere", call.lineno, message, self.source.column(call))
        text = self.source.text
        return Conversion(self.path, Outcome.REFUSED, text, text, findings=(found,))

    def name(self, file: Path) -> str:
        """A file as the user knows it: from the entry script's folder."""
        folder = Path(self.path).parent
        return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name

    # ---- the loop is whole in other files: they are converted

    def with_others(self, options: Options) -> ProgramConversion | None:
        """Convert the files that hold the step sites; the entry script stays as it is."""
        conversions: list[Conversion] = []
        for file in self.holders():
            one = self.convert(self.files.neighbours.text(file), file.as_posix(), options)
            if one.cause is Cause.FRAMEWORK:
                continue
            if one.outcome is not Outcome.CONVERTED:
                self.problems += _refusals(one, f"{self.name(file)}:")
                return None
            conversions.append(one)
        conversions = self.without_bases(conversions)
        if not conversions:
            return None
        line, text = self.reached[0].call.lineno, self.source.text
        names = ", ".join(self.name(Path(c.path)) for c in conversions)
        notes = [finding("converted-elsewhere", line, f"the training loop is in {names}, converted with this script")]
        notes += [
            _in_processes(self.source, one.call) for one in self.reached if one.passed and _starts_processes(one.call)
        ]
        for one in conversions:
            prefix = self.name(Path(one.path))
            reviews = [f for f in one.findings if f.severity == "review"]
            notes += [_at(f, line, f"{prefix}:{f.line}: {f.message}") for f in reviews]
        order = list(Mechanism)
        mechanism = max((c.mechanism for c in conversions if c.mechanism), key=order.index, default=None)
        nests = tuple(nest for c in conversions for nest in c.nests)
        others = tuple(Path(c.path) for c in conversions)
        if (left := self.left_for_entry(conversions)) and (pulled := self.with_calls(options, left)) is not None:
            own = pulled.entry
            findings = tuple(sorted({*own.findings, *notes}))
            own = replace(own, findings=findings, nests=(*nests, *own.nests))
            return ProgramConversion(own, others, tuple(c.after for c in conversions))
        entry = Conversion(self.path, Outcome.CONVERTED, text, text, mechanism, tuple(sorted(set(notes))), nests=nests)
        return ProgramConversion(entry, others, tuple(c.after for c in conversions))

    def without_bases(self, conversions: list[Conversion]) -> list[Conversion]:
        """The same without files that only hold what a class extends whose object a Trainer trains now: its base goes on as it is."""
        extended = self.extended_by([Path(c.path) for c in conversions if c.mechanism is not Mechanism.FABRIC])
        return [c for c in conversions if c.library is not Library.CLASSES or Path(c.path) not in extended]

    def extended_by(self, files: list[Path]) -> set[Path]:
        """The files that hold what classes of these files extend."""
        return {base.file for file in files for base in self.files.extended_by(file)}

    def left_for_entry(self, conversions: list[Conversion]) -> list[Reached]:
        """The calls of functions that still train as they did once the other files are converted: others call them, too."""
        after = {Path(c.path): tree_of(c.after) for c in conversions}
        found = []
        for one in self.reached:
            tree, function = after.get(one.definition.file), one.definition.node
            if tree is None or one.passed or not self.files.steps(one.definition):
                continue
            if any(isinstance(s, ast.FunctionDef) and ast.dump(s) == ast.dump(function) for s in tree.body):
                found.append(one)
        return found

    def holders(self) -> list[Path]:
        """The files whose functions or methods step an optimizer for the calls, in the order in which they are reached."""
        found: dict[Path, None] = {}
        seen: set[tuple[Path, str]] = set()

        def visit(definition: Definition) -> None:
            place = (definition.file, definition.node.name)
            if place in seen or not self.files.trains(definition):
                return
            seen.add(place)
            if self.files.steps(definition):
                found.setdefault(definition.file)
            for inner in self.files.called_by(definition):
                visit(inner)

        for one in self.reached:
            visit(one.definition)
        return list(found)

    # ---- an object of another file steps: its call is the step site

    def with_held_steps(self, options: Options) -> ProgramConversion | None:
        """Convert the entry script alone, or with the functions that are handed such an object; None when no object steps."""
        handed = calls_with_stepping_object(self.source, self.roles, self.files)
        if not handed and not any(isinstance(one.definition.node, ast.ClassDef) for one in self.reached):
            return None
        if handed:
            evaluations = reached_evaluations(self.source, self.roles, self.files)
            ways = [[*handed, *evaluations], handed] if evaluations else [handed]
            return next((found for calls in ways if (found := self.with_calls(options, calls)) is not None), None)
        alone = self.convert(self.source.text, self.path, options)
        return ProgramConversion(alone) if alone.outcome is Outcome.CONVERTED else None

    # ---- the epochs are here, the batches elsewhere: their code moves in

    def pulled_in(self, options: Options) -> ProgramConversion | None:
        """Bring the functions that train into the entry script and convert that; the other files stay as they are."""
        if any(one.passed for one in self.reached):
            self.pull_problems.append(f"it is passed to `{ast.unparse(self.reached[0].call.func)}`, not called here")
            return None
        evaluations = reached_evaluations(self.source, self.roles, self.files)
        if evaluations and (result := self.with_calls(options, [*self.reached, *evaluations])) is not None:
            return result
        return self.with_calls(options, self.reached)

    def with_calls(self, options: Options, calls: list[Reached]) -> ProgramConversion | None:
        """Bring these functions into the entry script and convert it."""
        from .rewrite.pull_in import CannotPullIn, pull_in, without_leftovers

        try:
            edits, pulled = pull_in(self.source, self.roles, self.files, calls)
        except CannotPullIn as reason:
            self.pull_problems.append(str(reason))
            return None
        text = self.source.text
        second = self.convert(apply_edits(split_lines(text), edits), self.path, options)
        if second.outcome is not Outcome.CONVERTED:
            self.pull_problems += _refusals(second, "")
            return None
        result = told(second, origin_of_edits(text, edits, beside=self.reached[0].call.lineno))
        after = without_leftovers(second.after, pulled)
        entries = sorted_ledger([*result.ledger, *self.moved(calls, edits)])
        result = replace(result, after=after, edits=edits_between(text, after), ledger=entries)
        return ProgramConversion(true_to_text(result))

    def moved(self, calls: list[Reached], edits: tuple[Edit, ...]) -> list[LedgerEntry]:
        """Where the code of the other files went, and the imports that brought it here."""
        found = [
            LedgerEntry(
                one.call.lineno,
                one.call.end_lineno or one.call.lineno,
                f"{self.name(one.definition.file)}:{one.definition.node.lineno}: def {one.definition.node.name}",
                Fate.MOVED,
                "LightningModule",
                "pull_in",
                "the function's body stands in the hooks; its own file stays as it is",
            )
            for one in calls
        ]
        for statement in self.source.tree.body:
            changed = any(e.start < statement.lineno <= e.end for e in edits)
            if changed and isinstance(statement, ast.Import | ast.ImportFrom):
                text = self.source.lines[statement.lineno - 1].strip()
                why = "the code that it brought stands in the module"
                line, end = statement.lineno, statement.end_lineno or statement.lineno
                found.append(LedgerEntry(line, end, text, Fate.REPLACED, "LightningModule", "pull_in", why))
        return found


def _starts_processes(call: ast.Call) -> bool:
    return dotted(call.func).rpartition(".")[2] in ("Process", "spawn", "start_processes")


def _in_processes(source: Source, call: ast.Call) -> Finding:
    message = f"`{ast.unparse(call.func)}` stays: every process trains with a Trainer of its own"
    return finding("own-processes", call.lineno, message, source.column(call))


def _refusals(conversion: Conversion, prefix: str) -> list[str]:
    told = [
        f"{prefix}{f.line}: {f.message}" if prefix else f.message
        for f in conversion.findings
        if f.severity == "refused"
    ]
    return told or [conversion.error or conversion.reason]


def _at(found: Finding, line: int, message: str) -> Finding:
    return replace(found, line=line, end_line=line, column=1, message=message)
