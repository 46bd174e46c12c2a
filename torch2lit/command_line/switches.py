"""Switches of Lightning's on the converted script's own command line (``--switches``): one more conversion, of the text that the first one made.

    args = parser.parse_args()                 →   parser.add_argument("--fast-dev-run", action="store_true", help=...)
                                                   args = parser.parse_args()
    trainer = L.Trainer(max_epochs=...)        →   trainer = L.Trainer(max_epochs=..., fast_dev_run=args.fast_dev_run)

Where the command line does not ask for one, the Trainer is told what it takes for granted: the training is the same.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..files.edits import apply_edits, edits_between
from ..files.lines import split_lines
from ..findings import Finding, finding
from ..lightning_values import SWITCHES
from ..origin import after_one_another, origin_of_edits, told
from ..program import Conversion, Edit, Fate, LedgerEntry, Outcome
from ..recover.syntax import Scope, source_of, walk
from ..rewrite.formatting import format_code, line_length
from .scene import Scene
from .stays import Stays, quoted

_NOW, _LEFT = "switches-added", "switch-left-out"
_PARSER, _TRAINERS = "argparse.ArgumentParser", ("lightning.Trainer", "lightning.pytorch.Trainer")
_OFF = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
"""What a bare Trainer must not be told to do."""


@dataclass(frozen=True, slots=True)
class _Switch:
    """What the Trainer's argument is by the flag's value, and what the flag says of itself."""

    argument: str
    value: str
    help: str


_KNOWN = {
    "deterministic": _Switch("deterministic", "{} or None", "algorithms that give the same each time, or an error"),
    "benchmark": _Switch("benchmark", "{} or None", "let cuDNN try which algorithms are the fastest"),
    "fast-dev-run": _Switch("fast_dev_run", "{}", "one batch of everything, nothing logged or saved"),
    "barebones": _Switch("barebones", "{}", "nothing but the training, to measure what Lightning costs"),
    "profile": _Switch("profiler", '"simple" if {} else None', "tell at the end what took how long"),
}
assert tuple(_KNOWN) == SWITCHES


def with_switches(first: Conversion, names: Iterable[str]) -> Conversion:
    """The conversion with these switches, and with the reason for each that the script does not get."""
    if first.outcome is not Outcome.CONVERTED or first.after == first.before:
        return first
    scene = Scene(source_of(first.after))
    line = min((nest.line for nest in first.nests), default=1)
    given, left = [], []
    try:
        place = _place(scene)
    except Stays as reason:
        left = [f"no switch is added: {reason}"]
    else:
        for name in names:
            try:
                _check(scene, place, name)
                given.append(name)
            except Stays as reason:
                left.append(f"`--{name}` is not added: {reason}")
    findings = tuple(finding(_LEFT, line, message) for message in left)
    if not given:
        return replace(first, findings=tuple(sorted({*first.findings, *findings})))
    return _changed(first, scene, place, given, line, findings)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where flags are added and read: the parser's name, the statement that parses, the values' name, and the call that makes the Trainer."""

    parser: str
    parse: ast.stmt
    values: str
    made: ast.Assign
    trainer: ast.Assign

    @property
    def call(self) -> ast.Call:
        """The call that makes the Trainer."""
        assert isinstance(self.trainer.value, ast.Call)
        return self.trainer.value


def _place(scene: Scene) -> _Place:
    source = scene.source
    parsers = [c for c in source.calls if scene.full_name(c.func) == _PARSER]
    if len(parsers) != 1:
        raise Stays("the script has no parser of `argparse`" if not parsers else "the script has more than one parser")
    creation = source.statement_of(parsers[0])
    match creation:
        case ast.Assign(targets=[ast.Name() as parser], value=value) if value is parsers[0]:
            pass
        case _:
            raise Stays("the parser has no name")
    calls = [
        c
        for c in source.calls
        if isinstance(c.func, ast.Attribute) and c.func.attr == "parse_args" and isinstance(c.func.value, ast.Name)
    ]
    if len(calls) != 1 or calls[0].func.value not in scene.mentions(parser):  # type: ignore[attr-defined]
        raise Stays("the flags are not read in one place, from the parser by its name")
    parse = source.statement_of(calls[0])
    if not scene.is_alone(parse) or scene.only_binding(parser) is not creation:
        raise Stays("the flags are not read in a line of their own")
    made = _made(scene, parse, calls[0])
    trainers = [c for c in source.calls if scene.full_name(c.func) in _TRAINERS]
    trainer = source.statement_of(trainers[0]) if len(trainers) == 1 else None
    if not isinstance(trainer, ast.Assign) or trainer.value is not trainers[0] or not scene.is_alone(trainer):
        raise Stays("the script makes more than one Trainer" if trainers else "no Trainer of Lightning's trains")
    return _Place(parser.id, parse, _values(scene, made, trainer), made, trainer)


def _made(scene: Scene, parse: ast.stmt, call: ast.Call) -> ast.Assign:
    """The statement that gives the values a name."""
    match parse:
        case ast.Assign(targets=[ast.Name()], value=value) if value is call:
            return parse
        case ast.Return(value=value) if value is call:
            function = scene.source.scope_of(parse)
            named = scene.named(function.name) if isinstance(function, ast.FunctionDef) else []
            statement = scene.source.statement_of(named[0]) if len(named) == 1 else None
            match statement:
                case ast.Assign(targets=[ast.Name()], value=ast.Call(func=called)) if called is named[0]:
                    return statement
    raise Stays("the values of the flags have no name where they are read")


def _values(scene: Scene, made: ast.Assign, trainer: ast.Assign) -> str:
    """How the values are called where the Trainer is made."""
    [target] = made.targets
    assert isinstance(target, ast.Name)
    if scene.only_binding(target) is not made:
        raise Stays(f"`{target.id}` gets another value as well")
    variable, scope = scene.variable(target), scene.source.scope_of(trainer)
    if scene.roles.key(scope, target.id) == variable:
        behind = scope is not scene.source.scope_of(made) or made.lineno < trainer.lineno
        if behind and made in _blocks_of(scene, made, trainer):
            return target.id
    if isinstance(scope, ast.FunctionDef) and (given := _parameter(scene, scope, target)):
        return given
    raise Stays(f"`{target.id}` is not known where the Trainer is made")


def _blocks_of(scene: Scene, made: ast.stmt, trainer: ast.stmt) -> list[ast.stmt]:
    """The statements around which the Trainer surely finds done what stands above it; all where it is made in another function."""
    if scene.source.scope_of(made) is not scene.source.scope_of(trainer):
        return [made] if scene.source.parents[made] is scene.source.tree else []
    around: list[ast.AST] = [trainer, *scene.source.ancestors(trainer)]
    return [s for one in around if isinstance(one, ast.stmt) for s in scene.source.block_of(one)]


def _parameter(scene: Scene, scope: Scope, target: ast.Name) -> str:
    """The parameter of a function that every call of it gives the values, and nothing else binds; "" when there is none."""
    assert isinstance(scope, ast.FunctionDef)
    named, called = scene.named(scope.name), scene.source.calls_to(scope.name)
    if not called or len(named) != len(called) or scene.source.function(scope.name) is not scope:
        return ""
    for parameter in scope.args.args:
        given = scene.roles.arguments(scope, parameter.arg)
        same = [isinstance(v, ast.Name) and scene.roles.key(s, v.id) == scene.variable(target) for s, v in given]
        if len(same) == len(called) and all(same) and len(scene.bound((scope, parameter.arg))) == 1:
            return parameter.arg
    return ""


def _check(scene: Scene, place: _Place, name: str) -> None:
    """Nothing of the script has to do with what the switch adds. Raises `Stays`."""
    switch, flag = _KNOWN[name], name.replace("-", "_")
    texts = {n.value for n in scene.source.all(ast.Constant) if isinstance(n.value, str)}
    if {f"--{name}", f"--{flag}"} & texts or any(n.attr == flag for n in _read_of(scene, place)):
        raise Stays("the script has a flag of that name")
    if any(k.arg == switch.argument or k.arg is None for k in place.call.keywords):
        raise Stays(f"the Trainer is told `{switch.argument}` already")
    for keyword in scene.source.all(ast.keyword):
        names = {n.id for n in walk(keyword.value) if isinstance(n, ast.Name)}
        if keyword.arg is None and place.values in names:
            raise Stays(
                f"{quoted(scene.source.statement_of(keyword.value))} takes the script's own flags and no others"
            )
    if name == "barebones":
        _check_bare(scene, place)


def _read_of(scene: Scene, place: _Place) -> list[ast.Attribute]:
    owners = {place.values, place.parser}
    return [n for n in scene.source.all(ast.Attribute) if isinstance(n.value, ast.Name) and n.value.id in owners]


def _check_bare(scene: Scene, place: _Place) -> None:
    """A bare Trainer refuses to log, save or show, and what callbacks watch is not there."""
    said = {k.arg: k.value for k in place.call.keywords}
    if "callbacks" in said or any(n.attr == "callback_metrics" for n in scene.source.all(ast.Attribute)):
        raise Stays("a bare Trainer logs nothing that callbacks or the script could go by")
    for name in _OFF:
        value = said.get(name)
        if not (isinstance(value, ast.Constant) and value.value is False):
            raise Stays(f"a bare Trainer takes no `{name}` but False")


def _changed(
    first: Conversion, scene: Scene, place: _Place, names: list[str], line: int, left: tuple[Finding, ...]
) -> Conversion:
    source = scene.source
    width = line_length(source.lines)
    row = source.lines[place.parse.lineno - 1]
    indent = row[: len(row) - len(row.lstrip())]
    flags = "".join(
        f'{place.parser}.add_argument("--{n}", action="store_true", help="{_KNOWN[n].help}")\n' for n in names
    )
    added = format_code(flags, max(40, width - len(indent))).splitlines()
    edits = [Edit(place.parse.lineno - 1, place.parse.lineno - 1, "".join(f"{indent}{one}\n" for one in added))]
    call = place.call
    given = [f"{k.arg}={source.segment(k.value)}" for k in call.keywords]
    for name in names:
        switch, flag = _KNOWN[name], f"{place.values}.{name.replace('-', '_')}"
        given.append(f"{switch.argument}={switch.value.format(flag)}")
    row = source.lines[place.trainer.lineno - 1]
    indent = row[: len(row) - len(row.lstrip())]
    head = source.segment(place.trainer).partition("(")[0]
    lines = format_code(f"{head}({', '.join(given)},)\n", max(40, width - len(indent))).splitlines()
    lines[-1] += scene.comment(place.trainer)
    text = "".join(f"{indent}{one}\n" for one in lines)
    edits.append(Edit(place.trainer.lineno - 1, place.trainer.end_lineno or 0, text))
    after = apply_edits(split_lines(source.text), edits)
    listed = ", ".join(f"`--{name}`" for name in names)
    note = finding(_NOW, line, f"the script has {listed} besides its own flags, for its Trainer")
    origin = origin_of_edits(first.before, first.edits or edits_between(first.before, first.after))
    entry = LedgerEntry(
        place.parse.lineno, place.parse.end_lineno or 0, source.lines[place.parse.lineno - 1].strip()[:400],
        Fate.KEPT, "main", "switches", "flags for the Trainer are added above",
    )  # fmt: skip
    second = Conversion(first.path, Outcome.CONVERTED, first.after, after, first.mechanism, (), (entry,))
    whole = after_one_another(first, told(second, origin))
    findings = tuple(sorted({*first.findings, note, *left}))
    return replace(whole, findings=findings, after=after, edits=edits_between(first.before, after))
