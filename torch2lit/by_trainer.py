"""The training loops of one program to Trainers: each nest is planned and written, and the whole is checked."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field, replace

from . import catalogue as catalogue
from .checks import early_names, listed, missed_names, unbound_names
from .comments import lost_notes, skip_lines
from .ddp.group import Group
from .ddp.hindrances import Hindrance
from .files.edits import apply_edits
from .files.lines import split_lines
from .findings import Finding, finding
from .options import Options
from .plan.draft import Draft, Refused
from .plan.held_models import held_models
from .plan.ledger import ledger_of
from .plan.make import make_plan, role_summary
from .plan.moved import moved_functions
from .program import Conversion, Edit, Mechanism, NestSummary, Outcome
from .recover.effects import effects_of
from .recover.nest import Nest, recover_nests
from .recover.roles import Roles, roles_of
from .recover.syntax import Source, source_of
from .recover.variables import Variables
from .rewrite.assemble import import_edit, module_import_edit, nest_edits, overlap, unused_import_edits
from .rewrite.blank_lines import without_surplus
from .rewrite.left_functions import left_functions
from .rewrite.module import Names
from .rewrite.proposed import named_import_edit
from .rewrite.same_modules import Written, united

_OVERLAP = "nests-overlap"
_RANK = {
    Mechanism.AUTOMATIC: 0,
    Mechanism.ITERATIONS: 1,
    Mechanism.MANUAL: 2,
    Mechanism.EPOCHS: 3,
    Mechanism.FABRIC: 4,
}


def skipped_nests(source: Source, nests: list[Nest]) -> list[Nest]:
    """The nests that a ``# torch2lit: skip`` on the loop, or on the function or class around it, leaves alone."""
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


def refused(text: str, path: str, findings: list[Finding], nests: tuple[NestSummary, ...] = ()) -> Conversion:
    return Conversion(path, Outcome.REFUSED, text, text, findings=ordered(findings), nests=nests)


def ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(set(findings)))


@dataclass
class _Planned:
    """The nests of a file for which a plan holds."""

    findings: list[Finding]
    drafts: list[Draft] = field(default_factory=list)
    written: list[Written] = field(default_factory=list)

    @property
    def edits(self) -> list[Edit]:
        """The edits of all nests."""
        return [edit for one in self.written for edit in one.edits]

    def add(self, source: Source, draft: Draft, new: Written, taken: set[str]) -> None:
        """One nest more, whose module may be one that is there already."""
        for number, earlier in enumerate(self.written):
            if (both := united(earlier, new, taken)) is not None:
                self.written[number] = replace(earlier, edits=both[0])
                new = replace(new, edits=without_surplus(source.lines, both[1]))
                break
        self.written.append(new)
        self.drafts.append(draft)
        self.findings += draft.findings


class Converter:
    """Converts the nests of one file."""

    def __init__(self, source: Source, roles: Roles, path: str, options: Options) -> None:
        self.source = source
        self.raw = source if source.view is None else source.view.raw
        """The text that is edited, whatever it is seen as."""
        self.roles = roles
        self.path = path
        self.options = options
        self.effects = effects_of(roles, path)
        self.left_alone = 0
        """How many training loops were refused and so stay for a second conversion to refuse again."""
        self.group: Group | None = None
        self.wrapped_because: tuple[Hindrance, ...] = ()
        self.resumed = ""
        self.kept_resume: tuple[int, str] | None = None
        self.averaging = ""
        self.kept_average: tuple[int, str] | None = None

    def run(self, nests: list[Nest], findings: list[Finding]) -> Conversion:
        """The file with every nest converted for which a plan holds."""
        lightning = self._alias({*self.source.names, *self.raw.names})
        planned = self._plans(nests, findings, lightning)
        if not planned.drafts:
            return refused(self.raw.text, self.path, planned.findings)
        edits = [*planned.edits, *self._edits_around(planned, lightning)]
        lines = split_lines(self.raw.text)
        after = apply_edits(lines, edits)
        edits += unused_import_edits(self.raw, after, edits, planned.drafts[0].wanted_elsewhere)
        after = apply_edits(lines, edits)
        later = any(f.slug == _OVERLAP for f in planned.findings)
        if problem := self._problem(after, later):
            place = planned.drafts[0].nest.outermost.lineno
            return refused(self.raw.text, self.path, [finding("output-not-valid", place, problem)])
        all_findings = [self._softer(f) for f in planned.findings]
        all_findings += lost_notes(self.raw.text, after)
        mechanism = max((draft.mechanism for draft in planned.drafts), key=_RANK.__getitem__)
        summaries = tuple(
            self._summary(d, w.names.module) for d, w in zip(planned.drafts, planned.written, strict=True)
        )
        ledger = ledger_of(self.source, planned.drafts, [(e.start, e.end) for e in edits])
        return Conversion(
            self.path, Outcome.CONVERTED, self.raw.text, after, mechanism, ordered(all_findings), ledger,
            summaries, edits=tuple(sorted(edits, key=lambda e: (e.start, e.end))),
        )  # fmt: skip

    def _plans(self, nests: list[Nest], findings: list[Finding], lightning: str) -> _Planned:
        """The nests for which a plan holds, with what is to be said of the others."""
        taken = {*self.source.names, *self.raw.names}
        found = _Planned(list(findings))
        for nest in nests:
            others = frozenset(n.outermost for n in nests if n is not nest)
            try:
                draft, new, names = self._plan(nest, others, taken, lightning)
            except Refused as refusal:
                found.findings.append(refusal.finding)
                self.left_alone += 1
                continue
            if overlap(found.edits, new):
                message = "this loop shares code with another training loop of the file"
                found.findings.append(draft.refuse(_OVERLAP, nest.outermost, message).finding)
                continue
            found.add(self.source, draft, Written(names, new, frozenset(v.name for v in held_models(draft))), taken)
        return found

    def _edits_around(self, planned: _Planned, lightning: str) -> list[Edit]:
        """What leaves or comes because of all nests together: functions that nobody calls any more, and imports."""
        found = left_functions(planned.drafts, planned.edits) if len(planned.drafts) > 1 else []
        modules = sorted({m for d in planned.drafts for m in d.imports})
        imports = [module_import_edit(self.raw, m) for m in modules if m in sys.stdlib_module_names]
        named: dict[str, list[str]] = {}
        for module, name in sorted({named for d in planned.drafts for named in d.named_imports}):
            named.setdefault(module, []).append(name)
        imports += [named_import_edit(self.raw, module, names) for module, names in named.items()]
        imports.append(import_edit(self.raw, lightning))
        imports += [module_import_edit(self.raw, m) for m in modules if m not in sys.stdlib_module_names]
        return [*found, *(edit for edit in imports if edit is not None)]

    def _plan(
        self, nest: Nest, others: frozenset[ast.For | ast.While], taken: set[str], lightning: str
    ) -> tuple[Draft, list[Edit], Names]:
        """The plan of a nest, or of what it is otherwise, and its edits. Raises Refused when no plan holds."""
        while True:
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
                self.resumed,
                self.kept_resume,
                self.averaging,
                self.kept_average,
            )
            try:
                draft, configured, state = make_plan(draft)
                new, names = nest_edits(draft, configured, state, taken, lightning)
            except Refused:
                if nest.otherwise is None:
                    raise
            else:
                if nest.otherwise is None or {f.scope for f in nest.entered} <= set(moved_functions(draft)):
                    return draft, new, names
            nest = nest.otherwise

    def _problem(self, after: str, later: bool) -> str:
        """What is wrong with the converted text; "" when every check holds. ``later``: another pass follows."""
        try:
            new = unbound_names(after)
            new = new and new - unbound_names(self.raw.text)
            early = early_names(after)
            new |= early and early - early_names(self.raw.text)
            again = source_of(after)
        except SyntaxError as error:
            return f"the converted text does not compile: line {error.lineno}: {error.msg}"
        if new:
            return f"{listed(sorted(new))} would have no value where the converted code reads {'it' if len(new) == 1 else 'them'}"
        if missed := missed_names(self.path, self.raw.text, after):
            name, file = next(iter(sorted(missed.items())))
            return f"{file.name} needs `{name}` of this file"
        if not later and len(recover_nests(again, roles_of(again)).nests) > self.left_alone:
            return "a training loop would be left over, which a second conversion would change again"
        return ""

    def _alias(self, taken: set[str]) -> str:
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
        return replace(found, severity="review") if found.severity == "refused" else found

    def _summary(self, draft: Draft, module: str) -> NestSummary:
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
            tuple((m.value, getattr(o.node, "lineno", 0), o.reason) for m, o in draft.obstacles),
            tuple((feature, conflict.law, conflict.about) for feature, conflict in draft.declined),
        )
