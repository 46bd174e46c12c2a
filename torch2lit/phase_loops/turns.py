"""What the names of a loop over phases stand for in each of its turns.

for phase in ["train", "val"]                                   a word
for phase, loader in [("train", train_loader), ("val", val_loader)]    a word and a variable that stays
for phase, loader in loaders.items()                            a key that is written out, and `loaders["train"]`
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from ..recover.known import Known
from ..recover.names import parameter_names
from ..recover.roles import Roles
from ..recover.syntax import Scope

_LOOKS = frozenset({"items", "keys", "values", "get"})


@dataclass(frozen=True)
class Meant:
    """What a name stands for: the text that may stand in its place, and its value where that is a constant."""

    text: str
    known: Known | None = None


Names = Mapping[str, Meant]


def turns_of(roles: Roles, loop: ast.For) -> tuple[Names, ...]:
    """For each turn what the names of the loop stand for; () when that is not known, or nothing tells the turns apart."""
    found = _turns(roles, loop)
    words = [tuple(m.known.value for m in one.values() if m.known is not None) for one in found]
    return tuple(found) if len(found) > 1 and all(words) and len(set(words)) == len(words) else ()


def _turns(roles: Roles, loop: ast.For) -> list[Names]:
    scope = roles.source.scope_of(loop)
    match loop.target, loop.iter:
        case ast.Name(id=name), ast.Call(func=ast.Attribute(value=ast.Name() as table, attr="keys"), args=[]):
            return [{name: key} for key in _keys(roles, table, scope)]
        case ast.Tuple(elts=[ast.Name(id=name), ast.Name(id=value)]), ast.Call(
            func=ast.Attribute(value=ast.Name() as table, attr="items"), args=[]
        ):
            if not stays(roles, table, scope):
                return []
            return [{name: key, value: Meant(f"{table.id}[{key.text}]")} for key in _keys(roles, table, scope)]
        case ast.Name(id=name), ast.Name() as table if keys := _keys(roles, table, scope):
            return [{name: key} for key in keys]
        case target, looped:
            rows = [_row(roles, target, one, scope) for one in _listed(roles, looped, scope)]
            return [row for row in rows if row is not None] if None not in rows else []


def _row(roles: Roles, target: ast.expr, value: ast.expr, scope: Scope) -> Names | None:
    match target, value:
        case ast.Name(id=name), ast.Constant() if (meant := _word(roles, value)) is not None:
            return {name: meant}
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) | ast.List(elts=values) if len(targets) == len(values):
            found: dict[str, Meant] = {}
            for one, given in zip(targets, values, strict=True):
                word = _word(roles, given)
                if not isinstance(one, ast.Name) or one.id in found:
                    return None
                if word is None and not (isinstance(given, ast.Name) and stays(roles, given, scope)):
                    return None
                found[one.id] = word or Meant(roles.source.segment(given))
            return found
    return None


def _word(roles: Roles, node: ast.expr) -> Meant | None:
    if not isinstance(node, ast.Constant) or not isinstance(node.value, str | bool | int):
        return None
    plain = not isinstance(node.value, str) or (node.value.isprintable() and not set("'\"\\{}") & set(node.value))
    return Meant(roles.source.segment(node), Known(node.value)) if plain else None


def stays(roles: Roles, name: ast.Name, scope: Scope) -> bool:
    """Whether a variable has one value for as long as the function runs."""
    key = roles.key(scope, name.id)
    if key is None or roles.rebound_unseen(key):
        return False
    stores = [n for n in roles.mentions(key) if not isinstance(n.ctx, ast.Load)]
    if not isinstance(key[0], ast.Module) and name.id in parameter_names(key[0]):
        return not stores
    around = {a for n in stores for a in roles.source.ancestors(n) if isinstance(a, ast.For | ast.While)}
    return len(stores) == 1 and not any(roles.source.scope_of(a) is key[0] for a in around)


def _listed(roles: Roles, looped: ast.expr, scope: Scope) -> list[ast.expr]:
    """The elements of a list that is written out, here or where its name gets it."""
    if isinstance(looped, ast.Name):
        made = _made(roles, looped, scope)
        if made is None:
            return []
        looped = made
    return looped.elts if isinstance(looped, ast.List | ast.Tuple) else []


def _keys(roles: Roles, table: ast.Name, scope: Scope) -> list[Meant]:
    """The keys of a dictionary that is made of written keys, in their order."""
    match _made(roles, table, scope):
        case ast.Dict(keys=keys) if all(isinstance(key, ast.Constant) for key in keys):
            words = [_word(roles, key) for key in keys if key is not None]
        case ast.DictComp(
            key=ast.Name(id=name), generators=[ast.comprehension(target=ast.Name(id=own), iter=one, ifs=[])]
        ):
            words = [_word(roles, key) for key in _listed(roles, one, scope)] if name == own else []
        case _:
            return []
    found = [word for word in words if word is not None]
    return found if len(found) == len(words) else []


def _made(roles: Roles, name: ast.Name, scope: Scope) -> ast.expr | None:
    """What a variable holds from its one binding on: nothing but looks at it follows."""
    key = roles.key(scope, name.id)
    bindings = roles.bindings(key) if key is not None else []
    if key is None or len(bindings) != 1 or bindings[0].index is not None or roles.rebound_unseen(key):
        return None
    return bindings[0].value if all(_only_looks(roles, node) for node in roles.mentions(key)) else None


def _only_looks(roles: Roles, node: ast.Name) -> bool:
    """Whether a mention of a list or dictionary leaves it as it is: it binds it, runs over it or asks for a part or its length."""
    match roles.source.parents.get(node):
        case ast.Assign(targets=[target]) if target is node:
            return True
        case ast.For(iter=looped) | ast.comprehension(iter=looped) if looped is node:
            return True
        case ast.Call(func=ast.Name(id="len")) | ast.Compare() | ast.Subscript(ctx=ast.Load()):
            return True
        case ast.Attribute(attr=attribute) if attribute in _LOOKS:
            return True
    return False
