"""A whole file by Fabric: the last net under the loops that no Trainer holds."""

from __future__ import annotations

import ast
from dataclasses import replace

from .by_trainer import refused
from .checks import unbound_names
from .comments import skip_lines
from .files.edits import apply_edits, edits_between
from .files.lines import split_lines
from .files.prefilter import NO_TRAINING_LOOP
from .findings import Finding, finding, rule
from .options import MACHINERY, OWN, Options
from .origin import after_one_another, origin_of_edits, sorted_ledger, told
from .plan.fabric import FabricPlan, FabricPlanner
from .plan.ledger import entry_of
from .program import Cause, Conversion, Fate, LedgerEntry, Library, Mechanism, NestSummary, Outcome
from .recover.acting import acts
from .recover.neighbours import neighbours_of
from .recover.roles import Roles, roles_of
from .recover.syntax import Source, dotted, source_of, walk
from .rewrite.assemble import import_edit, unused_import_edits
from .rewrite.fabric import FabricEditor
from .unchanged import ALREADY_LIGHTNING, already_lightning
from .views.modern import ModernView
from .views.way import Program

CANNOT = ("framework-wrapped", "names-made-at-run-time", "options-do-not-fit")
"""Refusals that hold for Fabric, too."""


def convert_by_fabric(
    source: Source, roles: Roles, path: str, options: Options, reasons: list[Finding]
) -> Conversion | None:
    """The file with Fabric in it; None when it has no backward call that Fabric can run.

    ``reasons`` are the refusals that kept its loops from a Trainer. An output that does not hold gives None, too.
    """
    planner = FabricPlanner(source, roles, options, path, skip_lines(source.text))
    plan = planner.make()
    if plan is None:
        return None
    lightning = _alias(source)
    editor = FabricEditor(source, plan, lightning)
    if not all(editor.can_rewrite(call) for call in plan.backwards):
        return None
    edits = editor.edits()
    if (edit := import_edit(source, lightning)) is not None:
        edits = [edit, *edits]
    lines = split_lines(source.text)
    after = apply_edits(lines, edits)
    edits += unused_import_edits(source, after, edits)
    after = apply_edits(lines, edits)
    if not _holds(source.text, after):
        return None
    notes = [finding("fabric-used", f.line, f"kept with its own control flow, by Fabric: {f.message}") for f in reasons]
    if not notes:
        notes = [
            finding("fabric-used", plan.backwards[0].lineno, "kept with its own control flow, by Fabric: as asked for")
        ]
    notes += _of_a_trainer(options, plan.backwards[0].lineno)
    return Conversion(
        path,
        Outcome.CONVERTED,
        source.text,
        after,
        Mechanism.FABRIC,
        tuple(sorted({*notes, *plan.findings})),
        _ledger(source, plan),
        (_summary(source, plan),),
        edits=tuple(sorted(edits, key=lambda e: (e.start, e.end))),
    )


def _of_a_trainer(options: Options, line: int) -> list[Finding]:
    """What was asked for and is a Trainer's alone."""
    asked = [f"`--{option} {value}`" for option in MACHINERY if (value := options.asked(option)) != OWN]
    if not asked:
        return []
    text = f"{' and '.join(asked)} {'change' if len(asked) > 1 else 'changes'} nothing here: Fabric has no callbacks and loggers of a Trainer's"
    return [finding("machinery-not-by-fabric", line, text)]


def _convert_raw(program: Program, reasons: list[Finding]) -> Conversion | None:
    """The same for a raw file, which may be written for an older torch."""
    way = next(ModernView().of_any(program), None)
    seen = program if way is None else way.program
    source = seen.source
    roles = roles_of(source, neighbours_of(seen.path, source.tree))
    result = convert_by_fabric(source, roles, seen.path, seen.options, reasons)
    if result is None or way is None:
        return result
    found = way.finish(told(result, way.origin), result)
    return found if isinstance(found, Conversion) else None


def by_fabric_alone(program: Program) -> Conversion:
    """The whole file by Fabric, as asked for, or why not."""
    if (result := _convert_raw(program, [])) is not None:
        return result
    if program.findings:
        return refused(program.text, program.path, program.findings)
    text = program.text
    return Conversion(program.path, Outcome.UNCHANGED, text, text, reason=NO_TRAINING_LOOP, cause=Cause.NO_LOOP)


def _alias(source: Source) -> str:
    for node in source.all(ast.Import):
        for alias in node.names:
            if alias.name == "lightning" and source.parents[node] is source.tree:
                return alias.asname or alias.name
    return next((a for a in ("L", "lightning", "pl") if a not in source.names), "lightning_")


def _holds(before: str, after: str) -> bool:
    try:
        return not unbound_names(after) - unbound_names(before)
    except SyntaxError:
        return False


def _summary(source: Source, plan: FabricPlan) -> NestSummary:
    first = plan.backwards[0]
    loops = [a for a in source.ancestors(first) if isinstance(a, ast.For | ast.While)][::-1]
    scope = source.scope_of(first)
    return NestSummary(
        (loops[0] if loops else first).lineno,
        "" if isinstance(scope, ast.Module) else scope.name,
        tuple(source.lines[loop.lineno - 1].strip() for loop in loops),
        tuple(sorted(set(plan.roles))),
        (("train", (loops[-1] if loops else first).lineno),),
        Mechanism.FABRIC.value,
        plan.name,
    )


def _ledger(source: Source, plan: FabricPlan) -> tuple[LedgerEntry, ...]:
    """Every statement of the file: most are kept."""
    replaced: dict[ast.stmt, tuple[str, str, str]] = {}
    for read in plan.unwrapped:
        why = "the user's own module is meant, not Fabric's wrapper around it"
        replaced[source.statement_of(read)] = ("Fabric", "unwrap_model", why)
    for value in plan.devices:
        replaced[source.statement_of(value)] = ("fabric.device", "fabric_device", "Fabric chooses the same device")
    for call in plan.backwards:
        why = "the same backward pass, through Fabric's precision and strategy"
        replaced[source.statement_of(call)] = ("fabric.backward", "fabric_backward", why)
    found = []
    for node in walk(source.tree):
        if isinstance(node, ast.stmt):
            target, codemod, reason = replaced.get(node, ("", "", "Fabric leaves the control flow to the script"))
            fate = Fate.REPLACED if node in replaced else Fate.KEPT
            found.append(entry_of(source, node, fate, target, codemod, reason))
    return sorted_ledger(found)


def with_fabric(program: Program, result: Conversion) -> Conversion:
    """A conversion with Fabric for the loops that it refused; the same conversion when there are none."""
    left = [f for f in result.findings if rule(f.slug).severity == "refused"]
    if not left or any(f.slug in CANNOT for f in left) or result.outcome not in (Outcome.REFUSED, Outcome.CONVERTED):
        return result
    if result.outcome is Outcome.REFUSED:
        raw = _convert_raw(program, left)
        if raw is None:
            return result
        library = _library(program.source, left)
        others = library is not None or _only_defines(program.source) or _trains_by_lightning(result)
        if _sets_up_nothing(raw) and (others or _has_processes(program)):
            raw = _left(result, raw)
        return replace(raw, library=library)
    try:
        source = source_of(result.after)
    except SyntaxError:
        return result
    roles = roles_of(source, neighbours_of(program.path, source.tree))
    fabric = convert_by_fabric(source, roles, program.path, program.options, [])
    if fabric is None:
        return result
    if _sets_up_nothing(fabric):
        return _left(result, told(fabric, origin_of_edits(result.before, result.edits)))
    notes = [finding("fabric-used", f.line, f"kept with its own control flow, by Fabric: {f.message}") for f in left]
    kept = tuple(sorted([*(f for f in result.findings if f not in left), *notes]))
    fabric = replace(fabric, findings=tuple(f for f in fabric.findings if f.slug != "fabric-used"))
    second = told(fabric, origin_of_edits(result.before, result.edits))
    return replace(
        after_one_another(replace(result, findings=kept), second), edits=edits_between(result.before, fabric.after)
    )


def _sets_up_nothing(result: Conversion) -> bool:
    return any(f.slug == "fabric-backward-only" for f in result.findings)


def _has_processes(program: Program) -> bool:
    """Whether the script is one of several processes, which it joins itself: Fabric would have to know of all that it does about them."""
    names = {*program.roles.origins.values(), *(program.roles.full_name(call.func) for call in program.source.calls)}
    return any(name.startswith(("torch.distributed", "torch.multiprocessing", "torch.nn.parallel")) for name in names)


def _only_defines(source: Source) -> bool:
    """Whether running the file does nothing but define what others use."""
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    rest = (s for s in source.tree.body if not isinstance(s, quiet))
    return not any(isinstance(n, ast.Call) for s in rest for n in walk(s))


def _trains_by_lightning(result: Conversion) -> bool:
    """Whether the file trains by a Trainer already, as an earlier conversion has made it do."""
    return already_lightning(result.before.encode("utf-8", "surrogatepass"))


def _left(result: Conversion, fabric: Conversion) -> Conversion:
    """The same conversion, which says why Fabric takes nothing of the rest: a reader would ask what a lone `fabric.backward` is for.

    Beside training by a Trainer, such as an earlier conversion has made, the rest is a matter of review as it was then.
    """
    line = next(f.line for f in fabric.findings if f.slug == "fabric-backward-only")
    reasons = list(dict.fromkeys(f.message for f in fabric.findings if f.slug == "fabric-left-raw"))
    why = f": {'; '.join(reasons)}" if reasons else ""
    text = f"no model, optimizer or loader could be set up by Fabric either{why}"
    found = {*result.findings, finding("fabric-sets-up-nothing", line, text)}
    if result.outcome is Outcome.REFUSED and _trains_by_lightning(result):
        rest = tuple(sorted(replace(f, severity="review") if f.severity == "refused" else f for f in found))
        return replace(result, outcome=Outcome.UNCHANGED, findings=rest, reason=ALREADY_LIGHTNING)
    return replace(result, findings=tuple(sorted(found)))


def where_it_acts(program: Program, result: Conversion) -> Conversion:
    """The file by Fabric when all that a Trainer got of it acts in an environment, and Fabric sets up all of that; the same conversion otherwise."""
    if result.outcome is not Outcome.CONVERTED or result.mechanism is Mechanism.FABRIC or not result.nests:
        return result
    loops: dict[int, ast.For | ast.While] = {n.lineno: n for n in program.source.all(ast.For)}
    loops.update({n.lineno: n for n in program.source.all(ast.While)})
    found = [loops.get(nest.line) for nest in result.nests]
    if not all(loop is not None and acts(loop, program.roles) for loop in found):
        return result
    reasons = [finding("fabric-used", loop.lineno, _ACTS) for loop in found if loop is not None]
    fabric = _convert_raw(program, reasons)
    if fabric is None or any(f.slug in _NOT_SET_UP for f in fabric.findings):
        return result
    roles = {role for nest in fabric.nests for role, _ in nest.roles}
    return fabric if {"model", "optimizer"} <= roles else result


_ACTS = "it learns from its own actions in an environment, in episodes that are no batches"
_NOT_SET_UP = ("fabric-left-raw", "fabric-by-hand", "options-do-not-fit")


def _library(source: Source, left: list[Finding]) -> Library | None:
    """What keeps all training of the file for others to start; None when the file starts some itself."""
    classes = {f.about for f in left if f.slug == "loop-in-class"}
    others = [f for f in left if f.slug != "loop-in-class"]
    uncalled = all(f.slug == "no-entry-point" or (f.slug == "step-outside-loop" and f.about) for f in others)
    if not uncalled or any(dotted(call.func) in classes for call in source.calls):
        return None
    return Library.CLASSES if classes else Library.FUNCTIONS
