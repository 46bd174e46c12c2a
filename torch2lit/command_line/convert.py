"""A converted script whose command line a ``LightningCLI`` reads: one more conversion, of the text that the first one made."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..checks import early_names, unbound_names
from ..files.edits import apply_edits, edits_between
from ..files.lines import split_lines
from ..findings import Finding, finding
from ..origin import after_one_another, origin_of_edits, told
from ..program import Conversion, Edit, Fate, LedgerEntry, Mechanism, Outcome
from ..recover.syntax import Source, source_of, walk
from ..rewrite.assemble import unused_import_edits
from ..rewrite.formatting import format_code
from ..rewrite.proposed import named_import_edit
from .builders import Builder, builder_of, flags_in, in_one_place, text_of
from .kept_values import check_kept, check_surroundings
from .module import Module, find_module
from .parser import Parser, entered_with, find_parser, is_known_in
from .scene import Scene
from .stays import Stays, quoted
from .text import Written, command_line_class, constructor, drawn, made
from .trainer import Link
from .trainer import told as told_to_trainer

_NOW, _KEPT, _TARGET = "command-line-by-lightning", "command-line-kept", "LightningCLI"
_CODEMOD = "lightning_cli"
_CLI = "lightning.pytorch.cli"


def with_lightning_cli(first: Conversion) -> Conversion:
    """The conversion with the script's command line read by a ``LightningCLI``, or with the reason why its own parser reads it."""
    if first.outcome is not Outcome.CONVERTED or first.after == first.before:
        return first
    origin = origin_of_edits(first.before, first.edits or edits_between(first.before, first.after))
    source = source_of(first.after)
    try:
        second = _converted(first, Scene(source))
    except Stays as reason:
        line = origin.line(reason.line) if reason.line and origin.has(reason.line) else 0
        line = line or min((nest.line for nest in first.nests), default=1)
        kept = finding(_KEPT, line, f"the script reads its command line itself: {reason}")
        return replace(first, findings=tuple(sorted({*first.findings, kept})))
    raw = told(second, origin)
    whole = after_one_another(first, replace(raw, findings=_placed(raw.findings, first)))
    return replace(whole, after=second.after, edits=edits_between(first.before, second.after))


def _placed(findings: Iterable[Finding], first: Conversion) -> tuple[Finding, ...]:
    line = min((nest.line for nest in first.nests), default=1)
    return tuple(f if f.line else replace(f, line=line) for f in findings)


def _converted(first: Conversion, scene: Scene) -> Conversion:
    source = scene.source
    if first.mechanism is Mechanism.FABRIC:
        raise Stays("no Trainer of Lightning's trains")
    names = list(dict.fromkeys(nest.module for nest in first.nests if nest.module in source.classes))
    if len(names) != 1 or len(first.nests) != 1:
        raise Stays("the script trains more than once" if names else "the script makes no module of Lightning's")
    parser = find_parser(scene)
    block = source.block_of(parser.made)
    scope = _scope_of_training(scene, names[0])
    if is_known_in(scene, parser, scope):
        assert isinstance(scope, ast.FunctionDef)
        block = scope.body
    elif scope is not source.scope_of(parser.made):
        parser.entered = entered_with(scene, parser, scope)
        parser.values, block = parser.entered.parameter.arg, parser.entered.function.body
    module = find_module(scene, names[0], parser.values)
    trainer = _trainer(scene, block, module)
    if module.made not in block or not all(map(scene.is_alone, (parser.made, module.made, trainer))):
        raise Stays("the flags are read elsewhere than where the training begins", parser.made)
    check_surroundings(scene, parser.made)
    written = _planned(scene, parser, module, trainer, block)
    lines = split_lines(source.text)
    edits = _edits(written, trainer, block)
    unused = _unused(scene, Scene(source_of(apply_edits(lines, edits))), written.told.inlined)
    after = apply_edits(lines, [*edits, *unused])
    seen = Scene(source_of(after))
    if unread := [name for name, text in written.whole.items() if not _is_read(seen, text)]:
        written.whole = {name: text for name, text in written.whole.items() if name not in unread}
        edits = _edits(written, trainer, block)
    edits += unused
    after = apply_edits(lines, edits)
    edits += unused_import_edits(source, after, edits)
    after = apply_edits(lines, edits)
    if (unbound_names(after) | early_names(after)) - unbound_names(first.before) - early_names(first.before):
        raise Stays("a name would have no value where the module reads it")
    ledger = tuple(_ledger(source, written))
    note = finding(
        _NOW, parser.statements[0].lineno, f"{written.cli_class} reads the script's own flags, and links them to {module.node.name} and the Trainer"
    )  # fmt: skip
    return Conversion(
        first.path, Outcome.CONVERTED, first.after, after, first.mechanism, (note,), ledger, edits=tuple(edits)
    )


def _unused(scene: Scene, after: Scene, inlined: Iterable[ast.stmt]) -> list[Edit]:
    """Variables that nothing reads any more, because what they are is written out elsewhere now."""
    found = {}
    for statement in inlined:
        same = [s for s in after.source.all(type(statement)) if ast.dump(s) == ast.dump(statement)]
        bound = [n for s in same for n in walk(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
        read = [n for name in bound for n in after.mentions(name)]
        if same and not any(isinstance(n.ctx, ast.Load) for n in read):
            said = scene.comment(statement).strip()
            found[statement] = _replaced(statement, [f"{_indent(scene.source, statement)}{said}"] if said else [])
    return list(found.values())


def _scope_of_training(scene: Scene, module: str) -> ast.AST:
    """The function, or the module, that makes the object of a class; the file where that is not one place."""
    named = scene.named(module)
    return scene.source.scope_of(named[0]) if len(named) == 1 else scene.source.tree


def _is_read(after: Scene, statement: str) -> bool:
    """Whether anything reads the variable to which this statement gives a value."""
    meant = ast.dump(ast.parse(statement).body[0])
    made_by = [s for s in after.source.all(ast.Assign) if ast.dump(s) == meant]
    return any(isinstance(n.ctx, ast.Load) for s in made_by for n in after.mentions(_bound_by(s)))


def _trainer(scene: Scene, block: Sequence[ast.stmt], module: Module) -> ast.Assign:
    """The statement that makes the one Trainer."""
    made = [
        c for c in scene.source.calls if scene.full_name(c.func) in ("lightning.Trainer", "lightning.pytorch.Trainer")
    ]
    statement = scene.source.statement_of(made[0]) if len(made) == 1 else None
    match statement:
        case ast.Assign(targets=[ast.Name()], value=value) if statement in block and value is made[0]:
            return statement
    raise Stays("the Trainer is made elsewhere than where the flags are read", statement or module.made)


def _planned(scene: Scene, parser: Parser, module: Module, trainer: ast.Assign, block: Sequence[ast.stmt]) -> Written:
    handed = [a.id for a in module.handed.values() if isinstance(a, ast.Name)]
    builders: list[Builder] = []
    typed: dict[str, str] = {}
    links: list[Link] = []
    used = [*module.read]
    for parameter, argument in module.handed.items():
        match argument:
            case ast.Name():
                builders.append(builder_of(scene, argument, _attribute(module, parameter), block))
            case ast.Attribute(value=ast.Name(id=owner), attr=flag) if owner == parser.values:
                _type(parser, flag, argument)
                links.append(Link((flag,), f"model.{parameter}"))
                typed[parameter] = parser.flags[flag].annotation
            case _:
                raise Stays(f"the module is handed `{ast.unparse(argument)}`", module.made)
    if len(set(handed)) < len(handed):
        raise Stays("the module is handed one thing twice", module.made)
    drawing = in_one_place(builders, block)
    others = {b.name: b for b in builders}
    made_by: dict[Builder, str] = {}
    for builder in builders:
        flag = "self.hparams.{}" if builder in drawing else "{}"
        made_by[builder] = text_of(scene, builder, others, parser, flag)
        used += flags_in(builder.value, parser.values)
    for flag in dict.fromkeys(used):
        _type(parser, flag, module.made)
        if flag in typed:
            raise Stays(f"two parameters of the module would be `{flag}`", module.made)
        links.append(Link((flag,), f"model.{flag}"))
    order = list(parser.flags)
    links.sort(key=lambda link: order.index(link.flags[0]))
    typed = {link.target.partition(".")[2]: _type(parser, link.flags[0], module.made) for link in links}
    assert isinstance(trainer.value, ast.Call)
    told_now = told_to_trainer(scene, trainer.value, parser, block)
    links += told_now.links
    if clash := next((n for n in typed if n in {b.name for b in builders} or n == "self"), ""):
        raise Stays(f"a flag is `{clash}`, as is what the module makes")
    for link in told_now.links:
        for flag in link.flags:
            _type(parser, flag, trainer)
    check_kept(scene, parser, {f for link in links for f in link.flags}, module.saved)
    taken = scene.source.names
    cli = next(n for n in ("cli", "lightning_cli", "command_line") if n not in taken)
    word = module.node.name.removeprefix("Lit") or module.node.name
    cli_class = next(n for n in (f"{word}CLI", f"{word}CommandLine", f"Lit{word}CLI") if n not in taken)
    if "LightningCLI" in taken:
        raise Stays("the script has a `LightningCLI` already")
    written = Written(scene, parser, module, builders, drawing, typed, links, told_now, made_by, cli, cli_class)
    written.whole = _whole(written, trainer)
    return written


def _attribute(module: Module, parameter: str) -> str:
    for statement in module.constructor.body:
        match statement:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=ast.Name(id=name)
            ):
                if name == parameter:
                    return attribute
    raise Stays(f"the module does not keep `{parameter}` as it is", module.constructor)


def _type(parser: Parser, flag: str, place: ast.AST) -> str:
    if flag not in parser.flags:
        raise Stays(f"`{parser.values}.{flag}` is no flag", place)
    if not (annotation := parser.flags[flag].annotation):
        raise Stays(f"the default of `{parser.flags[flag].spelled}` is no value of its type", parser.adds[flag])
    return annotation


def _gone(written: Written, trainer: ast.Assign) -> list[ast.stmt]:
    return [*written.parser.statements, *(b.statement for b in written.builders), written.module.made, trainer]


def _whole(written: Written, trainer: ast.Assign) -> dict[str, str]:
    """How the variables with all flags are made, by their names: Lightning's own where only flags are read of one, else one of `argparse`."""
    scene, parser = written.scene, written.parser
    gone = {n for s in [*_gone(written, trainer), parser.made] for n in walk(s)}
    entered = parser.entered
    outer = [
        n
        for n in scene.mentions(_bound_by(parser.made))
        if n not in gone and (entered is None or n is not entered.argument)
    ]
    found = {_bound_by(parser.made).id: _all_flags(written, _bound_by(parser.made).id, outer)}
    if entered is not None:
        inner = [n for n in scene.roles.mentions((entered.function, parser.values)) if n not in gone]
        found = {"": found.popitem()[1], parser.values: _all_flags(written, parser.values, inner)}
    return {name: text for name, text in found.items() if text}


def _all_flags(written: Written, name: str, left: list[ast.Name]) -> str:
    """The statement that gives a variable all flags, "" where nothing reads it."""
    scene, parser = written.scene, written.parser
    if not left:
        return ""
    parents = [scene.source.parents[n] for n in left]
    if all(isinstance(p, ast.Attribute) and isinstance(p.ctx, ast.Load) and p.attr in parser.flags for p in parents):
        return f"{name} = {written.cli}.config"
    module = next((n for n, full in scene.roles.origins.items() if full == "argparse"), "")
    if not module:
        raise Stays("all flags are handed on together", left[0])
    each = next(n for n in ("name", "flag", "key") if n not in parser.flags and n not in parser.names)
    listed = ", ".join(f'"{flag}"' for flag in parser.flags) + ("," if len(parser.flags) == 1 else "")
    return f"{name} = {module}.Namespace(**{{{each}: {written.cli}.config[{each}] for {each} in ({listed})}})"


def _edits(written: Written, trainer: ast.Assign, block: Sequence[ast.stmt]) -> list[Edit]:
    scene = written.scene
    source = scene.source
    gone = {n for s in _gone(written, trainer) for n in walk(s)}
    read = [b.name for b in written.builders if any(n not in gone for n in scene.mentions(_bound_by(b.statement)))]
    edits = _of_class(written)
    edits += _of_parser(written)
    edits += _of_function(written)
    for builder in written.builders:
        statement = builder.statement
        indent = _indent(source, statement)
        lines: list[str] = []
        if builder is written.drawing[0]:
            lines = drawn(written, indent, read)
        elif builder not in written.drawing and builder.name in read:
            lines = [f"{indent}{builder.name} = {written.cli}.model.{builder.attribute}{builder.moved}"]
        edits.append(_replaced(statement, lines))
    edits += _of_objects(written, trainer, gone)
    imported = named_import_edit(source, _CLI, ["LightningCLI"])
    return [*edits, *([imported] if imported is not None else ())]


def _of_objects(written: Written, trainer: ast.Assign, gone: set[ast.AST]) -> list[Edit]:
    """The module's object and the Trainer are the command line's, by that name wherever it can be written."""
    called = {written.module.made: f"{written.cli}.model", trainer: f"{written.cli}.trainer"}
    for kept in ((), (trainer,), (written.module.made,), tuple(called)):
        try:
            edits = _renamed(written.scene, {s: text for s, text in called.items() if s not in kept}, gone)
        except Stays:
            continue
        for statement, text in called.items():
            indent = _indent(written.scene.source, statement)
            lines = [f"{indent}{_bound_by(statement).id} = {text}"] if statement in kept else []
            edits.append(_replaced(statement, lines))
        return edits
    raise AssertionError("to rename nothing cannot fail")


def _indent(source: Source, statement: ast.stmt) -> str:
    line = source.lines[statement.lineno - 1]
    return line[: len(line) - len(line.lstrip())]


def _bound_by(statement: ast.Assign) -> ast.Name:
    [target] = statement.targets
    assert isinstance(target, ast.Name)
    return target


def _replaced(statement: ast.stmt, lines: Sequence[str]) -> Edit:
    text = "".join(f"{line}\n" for line in lines)
    return Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, text)


def _of_class(written: Written) -> list[Edit]:
    """The module's constructor anew, and the class of the command line behind it; both above the flags where they stand below."""
    module, source = written.module, written.scene.source
    if any(isinstance(f, ast.FunctionDef) and f.name == "configure_model" for f in module.node.body):
        raise Stays("the module has a `configure_model` already", module.node)
    lines, node = written.scene.lines_with(dict.fromkeys(module.held, "self.hparams")), module.node
    first, last = module.constructor.lineno - 1, module.constructor.end_lineno or 0
    end = node.end_lineno or 0
    text = constructor(written)
    whole = [*lines[node.lineno - 1 : first], *text, *lines[last:end], "", "", *command_line_class(written)]
    place = written.parser.made
    top: ast.AST = place
    while source.parents[top] is not source.tree:
        top = source.parents[top]
    assert isinstance(top, ast.stmt)
    above = min([written.parser.statements[0], top], key=lambda s: s.lineno) if written.parser.function is None else top
    if isinstance(top, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.lineno < top.lineno:
        return [Edit(node.lineno - 1, end, "".join(f"{line}\n" for line in whole))]
    start = above.lineno - 1
    while start > 0 and lines[start - 1].startswith("#"):
        start -= 1
    while end < len(lines) - 1 and not lines[end].strip():
        end += 1
    begin = node.lineno - 1
    while begin > 0 and not lines[begin - 1].strip():
        begin -= 1
    return [
        Edit(start, start, "".join(f"{line}\n" for line in [*whole, "", ""])),
        Edit(begin, end, "\n\n" if lines[end].startswith(("def ", "class ", "@", "async ")) else "\n"),
    ]


def _of_function(written: Written) -> list[Edit]:
    """The function that is handed the flags' values is handed what has read them."""
    entered, source = written.parser.entered, written.scene.source
    if entered is None:
        return []
    edits = []
    for node in (entered.parameter, entered.argument):
        row = source.lines[node.lineno - 1].encode()
        text = (row[: node.col_offset] + written.cli.encode() + row[node.end_col_offset :]).decode()
        edits.append(Edit(node.lineno - 1, node.lineno, f"{text}\n"))
    first, *others = entered.function.body
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and others:
        first = others[0]
    if text := written.whole.get(written.parser.values, ""):
        width = written.width - len(_indent(source, first))
        lines = [f"{_indent(source, first)}{one}\n" for one in format_code(text, width).splitlines()]
        edits.append(Edit(first.lineno - 1, first.lineno - 1, "".join(lines)))
    return edits


def _of_parser(written: Written) -> list[Edit]:
    parser, source = written.parser, written.scene.source
    lines = made(written, _indent(source, parser.made))
    text = "".join(f"{one}\n" for one in lines)
    if parser.function is None:
        return [Edit(parser.statements[0].lineno - 1, parser.made.end_lineno or 0, text)]
    function = parser.function
    start, end = function.lineno - 1, function.end_lineno or 0
    while start > 0 and source.lines[start - 1].startswith("#"):
        start -= 1
    while end < len(source.lines) - 1 and not source.lines[end].strip():
        end += 1
    return [Edit(start, end, ""), _replaced(parser.made, lines)]


def _renamed(scene: Scene, called: Mapping[ast.Assign, str], gone: set[ast.AST]) -> list[Edit]:
    """The lines that name what some statements make, in other words. Raises `Stays` where one cannot be written so."""
    found: dict[ast.stmt, dict[ast.AST, str]] = {}
    for made_by, text in called.items():
        name = _bound_by(made_by)
        if scene.only_binding(name) is not made_by:
            raise Stays(f"`{name.id}` is the name of something else, too", made_by)
        for mention in scene.mentions(name):
            if mention not in gone:
                found.setdefault(scene.source.statement_of(mention), {})[mention] = text
    result = []
    for statement, changes in found.items():
        lines = scene.source.lines[statement.lineno - 1 : statement.end_lineno]
        if isinstance(statement, ast.If | ast.While | ast.For | ast.With | ast.Try | ast.FunctionDef):
            if others := [n for n in changes if getattr(n, "lineno", 0) != statement.lineno]:
                raise Stays(f"{quoted(others[0])} cannot be written anew where it stands", others[0])
            result.append(_replaced_head(statement, _reworded_line(scene, statement, changes)))
            continue
        new = scene.reworded(statement, changes)
        before = lines[0].encode()[: statement.col_offset].decode()
        behind = lines[-1].encode()[statement.end_col_offset :].decode()
        result.append(_replaced(statement, [f"{before}{new}{behind}"]))
    return result


def _replaced_head(statement: ast.stmt, line: str) -> Edit:
    return Edit(statement.lineno - 1, statement.lineno, f"{line}\n")


def _reworded_line(scene: Scene, statement: ast.stmt, changes: dict[ast.AST, str]) -> str:
    line = scene.source.lines[statement.lineno - 1].encode()
    for node in sorted(changes, key=lambda n: getattr(n, "col_offset", 0), reverse=True):
        first, last = getattr(node, "col_offset", 0), getattr(node, "end_col_offset", 0)
        line = line[:first] + changes[node].encode() + line[last:]
    return line.decode()


def _ledger(source: Source, written: Written) -> Iterable[LedgerEntry]:
    parser = written.parser
    why = "a LightningCLI has the script's own flags"
    if parser.function is not None:
        yield _entry(source, parser.function, Fate.REPLACED, _TARGET, why)
        yield _entry(source, parser.made, Fate.REPLACED, _TARGET, why)
    else:
        for statement in parser.statements:
            yield _entry(source, statement, Fate.REPLACED, _TARGET, why)
    for builder in written.builders:
        target = "configure_model" if builder in written.drawing else "__init__"
        yield _entry(source, builder.statement, Fate.MOVED, target, "the module makes it of its hyper-parameters")


def _entry(source: Source, statement: ast.stmt, fate: Fate, target: str, why: str) -> LedgerEntry:
    text = source.lines[statement.lineno - 1].strip()[:400]
    return LedgerEntry(statement.lineno, statement.end_lineno or statement.lineno, text, fate, target, _CODEMOD, why)
