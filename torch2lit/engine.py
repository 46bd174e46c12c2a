"""From the text of one program to its conversion: the way of a script through the house."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .files.prefilter import NO_TRAINING_LOOP
from .options import Options
from .program import Conversion, Edit, Mechanism, NestSummary, Outcome

if TYPE_CHECKING:
    import ast

    from .ddp.group import Group
    from .findings import Finding
    from .plan.draft import Draft
    from .plan.state import State
    from .recover.nest import Nest
    from .recover.roles import Roles
    from .recover.syntax import Source
    from .rewrite.module import Names

_RANK = {
    Mechanism.AUTOMATIC: 0,
    Mechanism.ITERATIONS: 1,
    Mechanism.MANUAL: 2,
    Mechanism.EPOCHS: 3,
    Mechanism.FABRIC: 4,
}
_TRAINS = re.compile(r"\.backward\b|\bbackward\(")


def convert_text(text: str, path: str, options: Options) -> Conversion:
    """Convert the text of one Python file. The outcome says what happened; a SyntaxError is raised for what is not Python.

    ``text`` may have any newline style; untouched lines come back as they are. Training loops that share a function are
    converted one after the other: each pass leaves the function to the next one.
    """
    from .origins import settled

    try:
        return settled(_convert_all(text, path, options))
    except SyntaxError as error:
        from . import catalogue  # noqa: F401  (registers the findings)
        from .findings import finding
        from .legacy.modernise import repaired, told
        from .legacy.python import old_syntax

        if (repair := repaired(text)) is not None:
            return settled(told(_convert_all(repair.after, path, options), repair))
        if (old := old_syntax(text, error)) is not None:
            return _refused(text, path, [finding("old-python", *old)])
        raise


def _convert_all(text: str, path: str, options: Options) -> Conversion:
    result = _convert_once(text, path, options)
    for _ in range(_PASSES):
        if result.outcome is not Outcome.CONVERTED or not any(f.slug == _OVERLAP for f in result.findings):
            break
        following = _convert_once(result.after, path, options, modernise=False)
        if following.outcome is not Outcome.CONVERTED:
            break
        from .passes import joined

        result = joined(result, following)
    if options.target != "auto" or result.outcome is Outcome.UNCHANGED:
        return result
    from .fabric_pass import with_fabric  # brings LibCST, which a file without a training loop never meets

    return with_fabric(result, path, options)


_PASSES = 8
_OVERLAP = "nests-overlap"


def _convert_once(
    text: str,
    path: str,
    options: Options,
    modernise: bool = True,
    fold: bool = True,
    group: Group | None = None,
    apart: bool = True,
) -> Conversion:
    if not _may_train(text, path):
        return Conversion(path, Outcome.UNCHANGED, text, text, reason=NO_TRAINING_LOOP)
    from . import catalogue  # noqa: F401  (registers the findings)
    from .files.prefilter import SKIP_FILE, asks_to_skip
    from .findings import finding
    from .recover.frameworks import framework_message, wrapping_framework
    from .recover.neighbours import Neighbours
    from .recover.nest import recover_nests
    from .recover.roles import Roles
    from .recover.syntax import Source

    if asks_to_skip(text):
        return Conversion(path, Outcome.UNCHANGED, text, text, reason=SKIP_FILE)
    source = Source(text)
    roles = Roles(source, Neighbours(path))
    if not _knows_torch(roles):
        return Conversion(path, Outcome.UNCHANGED, text, text, reason=NO_TRAINING_LOOP)
    if (wrapped := wrapping_framework(source, roles)) is not None:
        framework, place = wrapped
        if framework.is_lightning:
            return Conversion(path, Outcome.UNCHANGED, text, text, reason=f"uses {framework.name} already")
        message = framework_message(source, roles, framework)
        return _refused(text, path, [finding("framework-wrapped", getattr(place, "lineno", 0), message)])
    recovered = recover_nests(source, roles)
    if apart and fold and group is None and options.target != "fabric" and (recovered.nests or recovered.findings):
        from .switches.convert import convert_apart

        if (result := convert_apart(source, roles, path, options, _convert_once)) is not None:
            return result
    if options.target != "fabric" and any(f.slug == "loop-in-class" for f in recovered.findings):
        from .objects.convert import convert_methods

        found = convert_methods(source, roles, recovered, path, options, _convert_once, modernise, group)
        if isinstance(found, Conversion):
            return found
        recovered.findings = found
    if options.target == "fabric" and (recovered.nests or recovered.findings):
        return _by_fabric_alone(source, roles, path, options, recovered.findings)
    skipped = skipped_nests(source, recovered.nests)
    recovered.nests = [n for n in recovered.nests if n not in skipped]
    if not recovered.nests and not recovered.findings:
        notes = [
            finding("skipped-on-request", n.outermost.lineno, "left alone: a skip comment asks for it") for n in skipped
        ]
        reason = "skip comment" if skipped else NO_TRAINING_LOOP
        return Conversion(path, Outcome.UNCHANGED, text, text, findings=_ordered(notes), reason=reason)
    if not recovered.nests:
        return _refused(text, path, recovered.findings)
    if modernise:
        from .legacy.modernise import modernised, told

        modern = modernised(source, roles)
        if modern.done:
            return told(_convert_once(modern.after, path, options, modernise=False), modern)
        if modern.only_told:
            return told(_convert_once(text, path, options, modernise=False), modern)
    converter = Converter(source, roles, path, options)
    converter.left_alone = len(skipped)
    converter.group = group
    if fold and len(recovered.nests) == 1 and not skipped:
        from .ddp.group import Unfoldable

        try:
            if (result := _folded(source, roles, recovered.nests[0], path, options)) is not None:
                return result
        except Unfoldable as reason:
            converter.wrapped_because = (reason.line, reason.reason)
    return converter.run(recovered.nests, recovered.findings)


def _may_train(text: str, path: str) -> bool:
    """Whether the text has words of a training loop, or imports a file that has them: an object of that file may step."""
    if _TRAINS.search(text) and ("step" in text or ".grad" in text) and "torch" in text:
        return True
    from .files.prefilter import hides_step
    from .recover.neighbours import Neighbours

    if hides_step(text.encode("utf-8", "surrogatepass")):
        return True
    return "torch" in text and Neighbours(path).may_train(text.encode("utf-8", "surrogatepass"))


def _folded(source: Source, roles: Roles, nest: Nest, path: str, options: Options) -> Conversion | None:
    """The conversion with the script's wrapper for several processes as Lightning's strategy.

    None when there is no wrapper, or no conversion without it. Raises Unfoldable when the wrapper has to stay.
    """
    if "istributedDataParallel" not in source.text:
        return None
    from .ddp.folding import converted_without_wrapper

    result = converted_without_wrapper(source, roles, nest, path, options, _convert_once)
    return result if result is not None and result.outcome is Outcome.CONVERTED else None


def _by_fabric_alone(source: Source, roles: Roles, path: str, options: Options, reasons: list[Finding]) -> Conversion:
    from .fabric_pass import convert_raw_by_fabric

    if (result := convert_raw_by_fabric(source, roles, path, options, [])) is not None:
        return result
    if reasons:
        return _refused(source.text, path, reasons)
    return Conversion(path, Outcome.UNCHANGED, source.text, source.text, reason=NO_TRAINING_LOOP)


def _knows_torch(roles: Roles) -> bool:
    """Whether the file imports torch, a package that builds on it, or whatever a star import brings."""
    origins = set(roles.origins.values())
    return any("torch" in o.lower() or o.endswith(".*") or o.partition(".")[0] in _ON_TORCH for o in origins)


_ON_TORCH = {"dgl", "transformers", "timm", "fastai", "monai", "lightning"}


def skipped_nests(source: Source, nests: list[Nest]) -> list[Nest]:
    """The nests that a ``# torch2lit: skip`` on the loop, or on the function or class around it, leaves alone."""
    import ast

    from .comments import skip_lines

    lines = skip_lines(source.text)
    if not lines:
        return []
    found = []
    for nest in nests:
        marked: list[ast.AST] = [nest.outermost, nest.inner.scope, nest.step_frame.scope, nest.entry.scope]
        marked += [a for a in source.ancestors(nest.outermost) if isinstance(a, ast.stmt)]
        if nest.batches is not None:
            marked.append(nest.batches.node)
        if any(isinstance(m, ast.stmt) and m.lineno in lines for m in marked):
            found.append(nest)
    return found


def _refused(text: str, path: str, findings: list[Finding], nests: tuple[NestSummary, ...] = ()) -> Conversion:
    return Conversion(path, Outcome.REFUSED, text, text, findings=_ordered(findings), nests=nests)


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings)))


class Converter:
    """Converts the nests of one file."""

    def __init__(self, source: Source, roles: object, path: str, options: Options) -> None:
        from .recover.effects import EffectAnalysis
        from .recover.roles import Roles

        assert isinstance(roles, Roles)
        self.source = source
        self.raw = source if source.view is None else source.view.raw
        """The text that is edited, whatever it is seen as."""
        self.roles = roles
        self.path = path
        self.options = options
        self.effects = EffectAnalysis(source, roles, path)
        self.left_alone = 0
        """How many training loops were refused and so stay for a second conversion to refuse again."""
        self.group: Group | None = None
        self.wrapped_because: tuple[int, str] | None = None

    def run(self, nests: list[Nest], findings: list[Finding]) -> Conversion:
        """The file with every nest converted for which a plan holds."""
        from .comments import lost_notes
        from .files.edits import apply_edits
        from .files.lines import split_lines
        from .plan.draft import Refused
        from .plan.ledger import ledger_of
        from .rewrite.assemble import import_edit, module_import_edit, overlap, unused_import_edits
        from .rewrite.left_functions import left_functions

        taken = {*self.source.names, *self.raw.names}
        lightning = self._alias(taken)
        edits: list[Edit] = []
        drafts: list[tuple[Draft, State]] = []
        summaries: list[NestSummary] = []
        all_findings = list(findings)
        for nest in nests:
            others = frozenset(n.outermost for n in nests if n is not nest)
            try:
                draft, state, new, names = self._planned(nest, others, taken, lightning)
            except Refused as refusal:
                all_findings.append(refusal.finding)
                self.left_alone += 1
                continue
            if overlap(edits, new):
                all_findings.append(
                    draft.refuse(
                        "nests-overlap",
                        nest.outermost,
                        "this loop shares code with another training loop of the file",
                    ).finding
                )
                continue
            edits += new
            drafts.append((draft, state))
            all_findings += draft.findings
            summaries.append(self._summary(draft, names.module))
        if not drafts:
            return _refused(self.raw.text, self.path, all_findings)
        if len(drafts) > 1:
            edits += left_functions([draft for draft, _state in drafts], edits)
        for module in sorted({m for draft, _state in drafts for m in draft.imports}):
            if (edit := module_import_edit(self.raw, module)) is not None:
                edits.append(edit)
        if (edit := import_edit(self.raw, lightning)) is not None:
            edits.append(edit)
        lines = split_lines(self.raw.text)
        after = apply_edits(lines, edits)
        edits += unused_import_edits(self.raw, after, edits)
        after = apply_edits(lines, edits)
        later = any(f.slug == _OVERLAP for f in all_findings)
        if problem := self._problem(after, later):
            from .findings import finding

            return _refused(
                self.raw.text,
                self.path,
                [finding("output-not-valid", drafts[0][0].nest.outermost.lineno, problem)],
            )
        all_findings = [self._softer(f) for f in all_findings]
        all_findings += lost_notes(self.raw.text, after)
        mechanism = max((d.mechanism for d, _ in drafts), key=_RANK.__getitem__)
        ledger = ledger_of(self.source, [d for d, _ in drafts], [(e.start, e.end) for e in edits])
        return Conversion(
            self.path, Outcome.CONVERTED, self.raw.text, after, mechanism, _ordered(all_findings), ledger,
            tuple(summaries), edits=tuple(sorted(edits, key=lambda e: (e.start, e.end))),
        )  # fmt: skip

    def _planned(
        self, nest: Nest, others: frozenset[ast.For | ast.While], taken: set[str], lightning: str
    ) -> tuple[Draft, State, list[Edit], Names]:
        """The plan of a nest and its edits. Raises Refused when no plan holds."""
        from .plan.draft import Draft, Refused
        from .plan.make import make_plan
        from .plan.moved import moved_functions
        from .recover.variables import Variables
        from .rewrite.assemble import nest_edits

        draft = Draft(
            self.source,
            self.roles,
            self.effects,
            Variables(self.roles),
            nest,
            self.options,
            self.path,
            others,
            self.group,
            self.wrapped_because,
        )
        try:
            configured, state = make_plan(draft)
            new, names = nest_edits(draft, configured, state, taken, lightning)
        except Refused:
            if nest.otherwise is None:
                raise
            return self._planned(nest.otherwise, others, taken, lightning)
        if nest.otherwise is not None and not {f.scope for f in nest.entered} <= set(moved_functions(draft)):
            return self._planned(nest.otherwise, others, taken, lightning)
        return draft, state, new, names

    def _problem(self, after: str, later: bool) -> str:
        """What is wrong with the converted text; "" when every check holds. ``later``: another pass follows."""
        from .checks import listed, unbound_names
        from .recover.nest import recover_nests
        from .recover.roles import Roles
        from .recover.syntax import Source

        try:
            new = unbound_names(after)
            new = new and new - unbound_names(self.raw.text)
            again = Source(after)
        except SyntaxError as error:
            return f"the converted text does not compile: line {error.lineno}: {error.msg}"
        if new:
            return f"{listed(sorted(new))} would have no value where the converted code reads {'it' if len(new) == 1 else 'them'}"
        if not later and len(recover_nests(again, Roles(again)).nests) > self.left_alone:
            return "a training loop would be left over, which a second conversion would change again"
        return ""

    def _alias(self, taken: set[str]) -> str:
        import ast

        bound = {n.id for n in self.raw.all(ast.Name) if not isinstance(n.ctx, ast.Load)}
        bound |= {a.arg for a in self.raw.all(ast.arg)}
        for statement in self.raw.tree.body:
            for known in statement.names if isinstance(statement, ast.Import) else ():
                if known.name == "lightning" and (own := known.asname or known.name) not in bound:
                    return own
        for alias in ("L", "lightning", "pl"):
            if alias not in taken:
                return alias
        return "lightning_"

    def _softer(self, found: Finding) -> Finding:
        """A loop that stays beside a converted one is something to look at, not a refusal of the file."""
        from dataclasses import replace

        return replace(found, severity="review") if found.severity == "refused" else found

    def _summary(self, draft: Draft, module: str) -> NestSummary:
        from .plan.make import role_summary

        nest = draft.nest
        loops = [loop.node for loop in (nest.epochs, nest.batches) if loop is not None]
        phases = [("train", loops[-1].lineno)]
        if draft.validation is not None:
            phases.append(("validation", draft.validation.loop.node.lineno))
        return NestSummary(
            nest.outermost.lineno,
            nest.entry.name,
            tuple(self.source.lines[loop.lineno - 1].strip() for loop in loops),
            role_summary(draft),
            tuple(phases),
            draft.mechanism.value,
            module,
            tuple(draft.idioms),
        )
