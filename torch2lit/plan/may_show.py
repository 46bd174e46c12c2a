"""Whether somebody outside may see that a call has run: it prints, writes, makes folders, tells a log, or fetches something.

An error that `configure_optimizers` raises for a setting that it does not know comes behind what the script does before the training. That it comes
later is seen only by what has been shown until then.
"""

from __future__ import annotations

import ast

from ..recover.roles import Roles
from ..recover.syntax import dotted, walk

_SHOWING = {
    "print", "input", "open", "exec", "eval", "breakpoint", "system", "popen", "run", "Popen", "check_call", "check_output",
    "mkdir", "makedirs", "remove", "rename", "replace", "unlink", "rmdir", "rmtree", "copy", "copyfile", "copy2", "copytree", "move", "touch",
    "save", "savez", "savetxt", "save_image", "save_pretrained", "savefig", "imsave", "imwrite", "show", "dump", "write", "writelines",
    "write_text", "write_bytes", "to_csv", "debug", "info", "warning", "warn", "error", "exception", "critical", "log", "log_metric",
    "log_metrics", "log_params", "init", "watch", "SummaryWriter", "add_scalar", "add_text", "add_graph", "add_image", "add_hparams",
    "pprint", "pp", "echo", "secho", "display", "writerow", "writerows", "writeheader", "print_exc", "fatal", "tofile",
    "to_json", "to_excel", "to_parquet", "to_pickle", "extractall", "symlink", "link", "mkdtemp", "mkstemp", "load_dataset",
    "from_pretrained", "Experiment", "FileHandler", "basicConfig", "summary", "tqdm", "trange", "download", "urlretrieve", "download_url", "exit", "_exit", "kill",
}  # fmt: skip
"""What functions and methods are called that others see at once."""
_SPEAKING = {"print", "pprint"}
_LIBRARIES = {
    "wandb",
    "mlflow",
    "logging",
    "loguru",
    "subprocess",
    "shutil",
    "rich",
    "requests",
    "urllib",
    "gdown",
    "tqdm",
}
_DEPTH = 4


def may_show(roles: Roles, call: ast.Call, depth: int = _DEPTH) -> bool:
    """Whether a call in a file may be seen from outside: itself, or by what it runs of the project."""
    full = roles.full_name(call.func)
    last = (full or dotted(call.func)).rpartition(".")[2] or getattr(call.func, "attr", "")
    if last in _SHOWING or full.partition(".")[0] in _LIBRARIES:
        return True
    if any(_may_ask_to_show(k, last) for k in call.keywords):
        return True
    if not isinstance(call.func, ast.Name | ast.Attribute) or any(_names_one(a) for a in call.args):
        return True
    if any(_names_one(value) for value in _bound(roles, call.func)):
        return True
    run = _run_by(roles, call, full)
    return run is None or any(_shows(*one, depth) for one in run)


def _may_ask_to_show(keyword: ast.keyword, called: str) -> bool:
    """Whether an argument may say that something is shown or fetched; what a text is filled with says nothing."""
    if keyword.arg is None:
        return called != "format"
    return "download" in keyword.arg or "verbose" in keyword.arg


def _names_one(value: ast.expr) -> bool:
    """Whether a value is, or holds, a function that shows, as another one may call it: ``partial(print, flush=True)``."""
    return any(isinstance(n, ast.Name) and n.id in _SPEAKING for n in walk(value) if not _is_called(value, n))


def _is_called(value: ast.expr, node: ast.AST) -> bool:
    return any(isinstance(c, ast.Call) and c.func is node for c in walk(value))


def _bound(roles: Roles, function: ast.expr) -> list[ast.expr]:
    """What a variable holds that is called."""
    key = roles.key(roles.source.scope_of(function), function.id) if isinstance(function, ast.Name) else None
    return [binding.value for binding in roles.bindings(key)] if key is not None else []


def _run_by(roles: Roles, call: ast.Call, full: str) -> list[tuple[ast.AST, Roles]] | None:
    """The functions and classes of the project that a call may run, with their files; None where one is not to be seen."""
    if (function := roles.function_named(full)) is not None:
        return [function]
    if (owner := roles.own_class_named(full)) is not None:
        return [owner]
    if roles.defined_beside(full) is not None:
        return None
    if isinstance(call.func, ast.Attribute):
        name = call.func.attr
        methods = (f for f in roles.source.functions if f.name == name and roles.source.in_class(f) is not None)
        return [(method, roles) for method in methods]
    return []


def _shows(definition: ast.AST, roles: Roles, depth: int) -> bool:
    calls = [n for n in walk(definition) if isinstance(n, ast.Call)]
    return bool(calls) and (not depth or any(may_show(roles, call, depth - 1) for call in calls))
