"""A module is imported from another file and trains there: it reads nothing of the script that makes it."""

from __future__ import annotations

import ast

import pytest
from fixture_cases import case, conversion
from fixture_runs import differences, raw_run, run_script

pytestmark = pytest.mark.needs("torch", "lightning")
STAND_ALONE = [
    "accumulation-over-a-window-that-grows",
    "args-mutated-in-loop",
    "bar-told-what-has-to-be-done",
    "batches-from-an-iterator-made-once",
    "best-checkpoint",
    "full-batch",
    "gradient-scaler-switched-off",
    "loss-with-dropout-that-validation-uses",
    "module-level",
    "numbers-printed-per-epoch",
    "numbers-written-by-an-own-writer",
    "plateau-scheduler",
    "resume-from-checkpoint",
    "sample-images-after-validation",
    "schedule-told-the-epoch",
    "scheduler-per-batch",
    "scheduler-per-epoch",
    "switch-of-a-method",
    "test-without-no-grad",
    "validation-before-training-in-epoch",
    "values-of-the-script",
    "values-of-the-script-read-in-main",
    "while-loss-is-large",
]
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def is_constant(statement: ast.stmt) -> bool:
    """Whether a statement gives a name a value that is written out, or the logger of that name."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=function)):
            return ast.unparse(function) == "logging.getLogger"
        case ast.Assign(targets=[ast.Name()], value=value):
            return not any(isinstance(n, ast.Name | ast.Call) for n in ast.walk(value))
    return False


def makes_trainer(statement: ast.stmt) -> bool:
    """Whether a function makes the Trainer, which is the script's."""
    return isinstance(statement, ast.FunctionDef) and ".Trainer(" in ast.unparse(statement)


def names_of(statement: ast.stmt) -> list[str]:
    """What a statement at module level binds."""
    match statement:
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [(n.asname or n.name).partition(".")[0] for n in names]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]):
            return [name]
    return []


def in_two_files(text: str) -> str:
    """A script that first makes a module `library` of the text's definitions and constants, and takes them from there."""
    body = ast.parse(text).body
    library = [s for s in body if (isinstance(s, DEFINITIONS) or is_constant(s)) and not makes_trainer(s)]
    script = [s for s in body if s not in library]
    names = sorted({name for s in library for name in names_of(s)})
    code = ast.unparse(ast.Module(library, []))
    return "\n".join(
        [
            "import sys, types",
            "library = sys.modules['library'] = types.ModuleType('library')",
            f"exec(compile({code!r}, 'library.py', 'exec'), library.__dict__)",
            f"from library import {', '.join(names)}",
            ast.unparse(ast.Module(script, [])),
        ]
    )


@pytest.mark.parametrize("name", STAND_ALONE)
def test_module_trains_when_it_is_imported(name: str) -> None:
    assert differences(raw_run(name), run_script(case(name), in_two_files(conversion(name).after))) == []


def test_a_module_that_reads_the_script_is_found() -> None:
    """The split is no mere copy: what a function binds anew in the script is not there for the library."""
    name = "value-bound-anew-by-a-called-function"
    assert "NameError" in run_script(case(name), in_two_files(conversion(name).after)).error
