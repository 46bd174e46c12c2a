"""The page itself: templates filled with the data of conversions. Everything of the user's is escaped."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...program import Conversion, Outcome
from .curves import HEIGHT, WIDTH, curves_of
from .data import loops_of, new_lines, raw_lines, row_of, texts

if TYPE_CHECKING:
    from jinja2 import Environment

    from ...verify import VerifyResult


def render_html(conversions: Sequence[Conversion], verified: Mapping[str, VerifyResult] | None = None) -> str:
    """One self-contained page about all conversions. ``verified`` has the results of proofs by path.

    Raises ImportError where jinja2 or pygments is missing.
    """
    environment = _environment()
    verified = verified or {}
    details = {str(number): _detail(environment, one, verified.get(one.path)) for number, one in enumerate(conversions)}
    script = _resource("page.js")
    page: str = environment.get_template("page.html").render(
        version=__version__,
        rows=[row_of(one) for one in conversions],
        counts=Counter(one.outcome.value for one in conversions),
        mechanisms=Counter(one.mechanism.value for one in conversions if one.mechanism),
        outcomes=[outcome.value for outcome in Outcome],
        obstacles=_obstacles(conversions),
        verdicts={path: result.status for path, result in verified.items()},
        style=_resource("page.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        details=_embedded(details),
    )
    return page


def _obstacles(conversions: Sequence[Conversion]) -> list[tuple[str, int]]:
    """What stands in the way, most frequent first: findings that refuse or ask for a review, by name."""
    names = [f"{f.code} {f.slug}" for c in conversions for f in c.findings if f.severity != "note"]
    return sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))[:12]


def _detail(environment: Environment, one: Conversion, result: VerifyResult | None) -> str:
    before, after = texts(one)
    page: str = environment.get_template("file.html").render(
        one=one,
        row=row_of(one),
        raw=raw_lines(one, _highlighted(before)),
        new=new_lines(one, _highlighted(after)),
        loops=loops_of(one),
        whole=[f for f in one.findings if not f.line],
        result=result,
        verdict=result.render() if result is not None else "",
        curves=_curves(result),
        width=WIDTH,
        height=HEIGHT,
    )
    return page


def _curves(result: VerifyResult | None) -> Any:
    if result is None or result.raw is None or result.converted is None:
        return None
    first = result.comparison.first if result.comparison is not None else None
    parted = first.step if first is not None else 0
    return curves_of(result.raw.trace.losses, result.converted.trace.losses, parted)


def _highlighted(lines: Sequence[str]) -> list[str]:
    """Each line as HTML. Tokens that span lines keep their colour in each of them."""
    from markupsafe import Markup, escape
    from pygments.lexers.python import PythonLexer

    made: list[list[str]] = [[]]
    text = "\n".join(lines)
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        name = _short(str(kind))
        for index, piece in enumerate(value.split("\n")):
            if index:
                made.append([])
            if piece:
                made[-1].append(f"<i class={name}>{escape(piece)}</i>" if name else str(escape(piece)))
    made += [[] for _ in range(len(lines) - len(made))]
    return [Markup("".join(pieces)) for pieces in made[: len(lines)]]


_COLOURS = (
    ("Token.Keyword", "k"), ("Token.Literal.String", "s"), ("Token.Comment", "c"), ("Token.Literal.Number", "n"),
    ("Token.Name.Function", "f"), ("Token.Name.Class", "f"), ("Token.Name.Builtin", "b"), ("Token.Name.Decorator", "d"),
)  # fmt: skip


@lru_cache(maxsize=256)
def _short(kind: str) -> str:
    return next((short for prefix, short in _COLOURS if kind.startswith(prefix)), "")


def _embedded(value: object) -> Any:
    """JSON that no browser takes for the end of its script."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
