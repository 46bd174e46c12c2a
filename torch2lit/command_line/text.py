"""The new text: the module with typed hyper-parameters, the class that adds the script's flags, and the call that makes them."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..program import Edit
from ..recover.syntax import walk
from ..rewrite.formatting import format_code, line_length
from .builders import Builder
from .module import Module
from .parser import Parser
from .scene import Scene
from .stays import Stays
from .trainer import Link, Told

_INSIDE = " " * 8


@dataclass(slots=True)
class Written:
    """All that is known where the text is written.

    ``typed`` are the constructor's parameters with their types, ``links`` lead to them and to the Trainer's arguments. ``made`` is the text that makes what each builder makes, in the module's words.
    """

    scene: Scene
    parser: Parser
    module: Module
    builders: list[Builder]
    drawing: list[Builder]
    typed: dict[str, str]
    links: list[Link]
    told: Told
    made: Mapping[Builder, str]
    cli: str
    cli_class: str
    whole: dict[str, str] = field(default_factory=dict)
    """How the script's variables with all flags are made: "" is the one outside of the function that is handed the flags. None that nothing reads."""

    @property
    def width(self) -> int:
        """How long a line may be."""
        return line_length(self.scene.source.lines)


def constructor(w: Written) -> list[str]:
    """The module's constructor, and the hook that makes its network, as lines of the class."""
    scene, module = w.scene, w.module
    of = {b.name: b for b in w.builders}
    moved = {p: of[a.id] for p, a in module.handed.items() if isinstance(a, ast.Name)}
    lines = [f"def __init__({', '.join(['self', *(f'{n}: {t}' for n, t in w.typed.items())])}):"]
    comments = _comments_above(scene, module.constructor)
    for number, statement in enumerate(module.constructor.body):
        if number == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            raise Stays("the constructor has a docstring", statement)
        lines += [f"    {c}" for c in comments.get(statement, ())]
        if statement is module.saved:
            said = (
                statement.value.keywords
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
                else []
            )
            kept = [f"{k.arg}={ast.unparse(k.value)}" for k in said if k.arg == "logger"]
            as_before = w.typed and isinstance(statement, ast.Expr)
            lines += [f"    self.save_hyperparameters({', '.join(kept)})"] if as_before else []
        elif (builder := _handed_on(statement, moved)) is not None:
            text = "None" if builder in w.drawing else w.made[builder]
            beside = "" if builder in w.drawing else scene.comment(builder.statement)
            lines.append(f"    self.{builder.attribute} = {text}{beside}")
        elif any(isinstance(n, ast.Name) and n.id in moved for n in walk(statement)):
            raise Stays("the module's constructor does something with its network", statement)
        else:
            lines += [f"    {part}" if part else "" for part in _dedented(scene, statement)]
        if number == 0 and not isinstance(module.saved, ast.Expr) and w.typed:
            lines.append("    self.save_hyperparameters()")
    first = w.drawing[0]
    lines += ["", "def configure_model(self):", f"    if self.{first.attribute} is not None:"]
    lines.append("        return  # made already, by the script's own call")
    lines += [f"    self.{b.attribute} = {w.made[b]}" for b in w.drawing]
    return _formatted("\n".join(lines), w.width, 4)


def _handed_on(statement: ast.stmt, moved: Mapping[str, Builder]) -> Builder | None:
    match statement:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"))], value=ast.Name(id=name)) if name in moved:
            return moved[name]
    return None


def _dedented(scene: Scene, statement: ast.stmt) -> list[str]:
    lines = scene.source.lines[statement.lineno - 1 : statement.end_lineno]
    return textwrap.dedent("\n".join(lines)).split("\n")


def _comments_above(scene: Scene, function: ast.FunctionDef) -> dict[ast.stmt, list[str]]:
    found: dict[ast.stmt, list[str]] = {}
    above = function.lineno
    for statement in function.body:
        lines = scene.source.lines[above : statement.lineno - 1]
        found[statement] = [line.strip() for line in lines if line.lstrip().startswith("#")]
        above = statement.end_lineno or statement.lineno
    return found


def command_line_class(w: Written) -> list[str]:
    """The class that adds the script's own flags and links them."""
    parser = w.parser
    lines = [
        f"class {w.cli_class}(LightningCLI):",
        '    """Keeps the flags of the script, and links them to what they are for."""',
        "",
        f"    def add_arguments_to_parser(self, {parser.name}):",
        *_flags(w),
    ]
    lines += [f"{_INSIDE}{line}" for line in _links(w)]
    return lines


def _flags(w: Written) -> list[str]:
    """The lines that add the flags, as they stand in the script; a type is widened where the default is no value of it."""
    scene, parser = w.scene, w.parser
    rows = list(scene.source.lines)
    linked = {f for link in w.links for f in link.flags}
    for name, flag in parser.flags.items():
        if name in linked and flag.may_be_none and flag.type is not None:
            node = flag.type
            row = rows[node.lineno - 1].encode()
            rows[node.lineno - 1] = (row[: node.end_col_offset] + b" | None" + row[node.end_col_offset :]).decode()
    first, last = parser.lines
    docstring = (
        scene.source.lines[parser.docstring.lineno - 1 : parser.docstring.end_lineno] if parser.docstring else []
    )
    above = _above(scene, parser.function) if parser.function is not None else []
    text = textwrap.dedent("\n".join(rows[first:last])).strip("\n")
    head = textwrap.dedent("\n".join(docstring)) if docstring else ""
    lines = [*(head.split("\n") if head else ()), *above, *text.split("\n")]
    return [f"{_INSIDE}{line}" if line.strip() else "" for line in lines]


def _above(scene: Scene, node: ast.stmt) -> list[str]:
    """The comments right above a statement."""
    found: list[str] = []
    line = node.lineno - 2
    while line >= 0 and scene.source.lines[line].lstrip().startswith("#"):
        found.insert(0, scene.source.lines[line].strip())
        line -= 1
    return found


def _links(w: Written) -> Iterable[str]:
    name = w.parser.name
    same = [link.flags[0] for link in w.links if not link.computed and link.target == f"model.{link.flags[0]}"]
    if len(same) > 2:
        each = "flag" if name != "flag" else "name"
        texts = [
            f"for {each} in ({_listed(same)}):",
            f'    {name}.link_arguments({each}, f"model.{{{each}}}")',
        ]
    else:
        texts = [f'{name}.link_arguments("{s}", "model.{s}")' for s in same]
    for text, group, plain in w.told.groups:
        texts.append(f'{name}.add_lightning_class_args({text}, "{group}")')
        defaults = ", ".join(f'"{group}.{argument}": {value}' for argument, value in plain)
        texts += [f"{name}.set_defaults({{{defaults}}})"] if plain else []
    for link in w.links:
        if not link.computed and link.target == f"model.{link.flags[0]}":
            continue
        flags = f'"{link.flags[0]}"' if len(link.flags) == 1 else f"({_listed(link.flags)})"
        computed = f", compute_fn=lambda {', '.join(link.flags)}: {link.computed}" if link.computed else ""
        texts.append(f'{name}.link_arguments({flags}, "{link.target}"{computed})')
    return _formatted("\n".join(texts), w.width - 8, 0)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def made(w: Written, indent: str) -> list[str]:
    """The lines that read the flags and make the module and the Trainer."""
    defaults = ", ".join(f'"{name}": {text}' for name, text in w.told.defaults)
    said = ", ".join(f'"{k.arg}": {w.scene.source.segment(k.value)}' for k in w.parser.said)
    arguments = [
        w.module.node.name,
        "run=False",
        "seed_everything_default=False",
        "save_config_callback=None",
        "auto_configure_optimizers=False",
        *(["args=[]"] if w.parser.reads_nothing else ()),
        *([f"trainer_defaults={{{defaults}}}"] if defaults else ()),
        *([f"parser_kwargs={{{said}}}"] if said else ()),
    ]
    name = "" if w.parser.entered is not None else w.parser.values
    text = f"{w.cli} = {w.cli_class}({', '.join(arguments)},)\n{w.whole.get(name, '')}"
    lines = _formatted(text, max(40, w.width - len(indent)), 0)
    lines[-1] += w.scene.comment(w.parser.made)
    return [f"{indent}{line}" for line in lines]


def drawn(w: Written, indent: str, read: Iterable[str]) -> list[str]:
    """The lines that make the network where the script makes it, and the names by which it is read besides."""
    wanted = set(read)
    lines = [f"{w.cli}.model.configure_model(){w.scene.comment(w.drawing[0].statement)}"]
    for number, builder in enumerate(w.drawing):
        said = w.scene.comment(builder.statement) if number else ""
        if builder.name in wanted:
            lines.append(f"{builder.name} = {w.cli}.model.{builder.attribute}{builder.moved}{said}")
        elif said:
            lines.append(said.strip())
    return [f"{indent}{line}" for line in lines]


def _formatted(text: str, width: int, shift: int) -> list[str]:
    lines = format_code(text + "\n", width - shift).rstrip("\n").split("\n")
    lines = [line for number, line in enumerate(lines) if line or lines[number - 1]]
    return [f"{' ' * shift}{line}" if line else "" for line in lines]


def without(statement: ast.stmt) -> Edit:
    """The edit that takes a statement out."""
    return Edit(statement.lineno - 1, statement.end_lineno or statement.lineno, "")
