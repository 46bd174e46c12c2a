"""What several processes would print and write N times is the first one's to do: files, folders, pictures, lines of a log.

torch.save(model.state_dict(), path)     →    if self.trainer.is_global_zero:
                                                  torch.save(...)
print(loss)                              →    self.print(loss)
"""

from __future__ import annotations

import ast

from ..recover.items import Item
from ..recover.roles import Role
from ..recover.syntax import Scope, dotted, walk_scope
from .afterwards import statements_after
from .draft import Draft

_WRITES = {
    "torch.save", "torchvision.utils.save_image", "os.mkdir", "os.makedirs", "os.remove", "os.rename", "os.replace",
    "shutil.copy", "shutil.copyfile", "shutil.copy2", "shutil.rmtree", "shutil.move", "json.dump", "pickle.dump",
    "yaml.dump", "numpy.save", "numpy.savez", "numpy.savetxt", "matplotlib.pyplot.savefig", "matplotlib.pyplot.show",
    "wandb.log", "mlflow.log_metric", "mlflow.log_metrics",
}  # fmt: skip
_LOADS = ("load", "open", "imread", "read", "read_csv", "load_file", "from_pretrained")
_SHARDED = ("fsdp", "deepspeed")
"""Strategies under which asking a model for its state takes all processes."""


def written_in_hooks(draft: Draft) -> set[ast.stmt]:
    """The statements of hooks that only write; none when the hooks read files as well, which the others would not find yet."""
    strategy = draft.options.strategy or ""
    nodes = [(i.node, i.frame.scope) for i in draft.all_items() if i.kind == "statement"]
    if strategy.startswith(_SHARDED) or any(_loads(node) for node, _ in nodes):
        return set()
    return {s for node, scope in nodes for s in _writing(draft, node, scope) if s not in draft.removals}


def only_writes(draft: Draft, item: Item) -> bool:
    """Whether some statement of a hook's item does nothing but write."""
    return item.kind == "statement" and bool(_writing(draft, item.node, item.frame.scope))


def written_after(draft: Draft) -> set[ast.stmt]:
    """The same for what surely runs after `fit`, in the function of the Trainer."""
    strategy = draft.options.strategy or ""
    later = surely_after(draft)
    if strategy.startswith(_SHARDED):
        return set()
    found: set[ast.stmt] = set()
    for index, statement in enumerate(later):
        if not any(_loads(other) for other in later[index:]):
            found |= set(_writing(draft, statement, draft.nest.entry.scope))
    return found


def surely_after(draft: Draft) -> list[ast.stmt]:
    """The statements after the loop, in its own block: where they run, the Trainer has been made."""
    parent = draft.source.parents[draft.nest.outermost]
    after = statements_after(draft)
    return [s for s in after if draft.source.parents[s] is parent and s.lineno > draft.nest.outermost.lineno]


def reads_files_after(draft: Draft) -> bool:
    """Whether what runs after the loop may read a file that the hooks have written."""
    return any(_loads(s) for s in statements_after(draft)) or not isinstance(draft.nest.entry.scope, ast.Module)


def only_shows(draft: Draft, statement: ast.stmt) -> bool:
    """Whether a statement only prints or writes, so that it does not matter to the other processes."""
    if statement in draft.removals or isinstance(statement, ast.Pass):
        return True
    if isinstance(statement, ast.If):
        return all(only_shows(draft, s) for s in (*statement.body, *statement.orelse))
    scope = draft.source.scope_of(statement)
    return is_print(draft, statement, scope) or _writes(draft, statement, scope)


def is_print(draft: Draft, statement: ast.stmt, scope: Scope) -> bool:
    """Whether a statement is a call of Python's own `print`."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return draft.roles.key(scope, "print") is None
    return False


def _writing(draft: Draft, node: ast.stmt, scope: Scope) -> list[ast.stmt]:
    """The outermost statements in a statement that do nothing but write."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    if _writes(draft, node, scope):
        return [node]
    blocks = [getattr(node, name, []) for name in ("body", "orelse", "finalbody")]
    return [found for block in blocks for inner in block for found in _writing(draft, inner, scope)]


def _writes(draft: Draft, node: ast.stmt, scope: Scope) -> bool:
    match node:
        case ast.Expr(value=ast.Call() as call):
            if draft.roles.full_name(call.func) in _WRITES:
                return True
            if isinstance(call.func, ast.Name) and (own := draft.source.function(call.func.id)) is not None:
                return _is_writer(draft, own)
            if isinstance(call.func, ast.Attribute) and draft.roles.of(call.func.value, scope) is Role.WRITER:
                return call.func.attr.startswith(("add_", "flush", "log"))
        case ast.With(items=[ast.withitem(context_expr=ast.Call(func=ast.Name(id="open")) as opened)], body=body):
            return _opens_to_write(opened) and all(_only_fills(draft, s, scope) for s in body)
    return False


def _is_writer(draft: Draft, function: ast.FunctionDef, depth: int = 2) -> bool:
    """Whether a function of the script does nothing but print and write: no other process needs it to have run."""
    if function.decorator_list or depth == 0 or isinstance(draft.source.parents.get(function), ast.ClassDef):
        return False
    statements = [s for s in function.body if not _is_text(s)]
    return bool(statements) and all(_only_puts(draft, s, function, depth) for s in statements)


def _only_puts(draft: Draft, node: ast.stmt, function: ast.FunctionDef, depth: int) -> bool:
    match node:
        case ast.If():
            return all(_only_puts(draft, s, function, depth) for s in (*node.body, *node.orelse))
        case ast.Pass() | ast.Return(value=None):
            return True
        case ast.Assign(targets=[ast.Name()], value=value):
            return all(_makes_text(draft, c) for c in walk_scope(value) if isinstance(c, ast.Call))
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))) if (own := draft.source.function(name)) is not None:
            return _is_writer(draft, own, depth - 1)
    return is_print(draft, node, function) or _writes(draft, node, function)


def _makes_text(draft: Draft, call: ast.Call) -> bool:
    """Whether a call makes a name or a text of what it is given."""
    name = draft.roles.full_name(call.func)
    text = isinstance(call.func, ast.Attribute) and call.func.attr in (
        "format",
        "join",
        "strip",
        "replace",
        "state_dict",
    )
    return (
        name.startswith("os.path.") or name in ("str", "int", "float", "round", "len", "pathlib.Path", "dict") or text
    )


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _opens_to_write(call: ast.Call) -> bool:
    modes = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
    return len(modes) == 1 and isinstance(modes[0], ast.Constant) and str(modes[0].value)[:1] in ("w", "a", "x")


def _only_fills(draft: Draft, node: ast.stmt, scope: Scope) -> bool:
    """Whether a statement writes to a file that is open."""
    if _writes(draft, node, scope):
        return True
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="write" | "writelines" | "writerow" | "writerows"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id="print"))):
            return True
    return False


def _loads(node: ast.AST) -> bool:
    for call in (n for n in walk_scope(node) if isinstance(n, ast.Call)):
        name = dotted(call.func).rpartition(".")[2]
        if name in _LOADS and not (name == "open" and _opens_to_write(call)):
            return True
    return False
