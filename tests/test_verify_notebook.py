"""A notebook as one program."""

from __future__ import annotations

import json

import pytest

from torch2lit.verify.notebook import Shell, code_of, compiled


def notebook(*sources: str, kind: str = "code") -> str:
    cells = [{"cell_type": kind, "source": source.splitlines(keepends=True)} for source in sources]
    return json.dumps({"nbformat": 4, "cells": cells})


def test_code_cells_follow_each_other_and_text_is_left_out() -> None:
    text = json.loads(notebook("x = 1", "y = x"))
    text["cells"].insert(1, {"cell_type": "markdown", "source": "# title"})
    assert code_of(json.dumps(text)) == "x = 1\n\ny = x\n"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("!pip install torch", "pass  # !pip install torch"),
        ("if True:\n    %matplotlib inline", "if True:\n    pass  # %matplotlib inline"),
        ("files = !ls", "files = []  # !ls"),
        ("torch.nn?", "pass  # torch.nn?"),
        ("%%bash\necho 1", "# %%bash\n# echo 1"),
        ("%%time\nx = 1", "pass  # %%time\nx = 1"),
        ("x = (5\n% 2)", "x = (5\n% 2)"),
        ("%time f(1)", "f(1)"),
        ("y = %time f(1)", "y = f(1)"),
        ("%timeit f(1)", "pass  # %timeit f(1)"),
        ("%%timeit\nx = 1", "# %%timeit\n# x = 1"),
        ("%%capture out\nx = 1", "out = get_ipython()  # %%capture out\nx = 1"),
        ("%%capture --no-stderr\nx = 1", "pass  # %%capture --no-stderr\nx = 1"),
        ("this is no python\nx = 1", "# this is no python\n# x = 1"),
        ("%run helper.py", 'exec(compile(open("helper.py").read(), "helper.py", "exec"))'),
    ],
)
def test_magics_become_comments(cell: str, code: str) -> None:
    assert code_of(notebook(cell)) == code + "\n"
    compile(code, "cell", "exec")


def test_the_future_may_begin_in_any_cell() -> None:
    cells = compiled(
        notebook("x = 1\nx", "from __future__ import annotations", "def f(a: nowhere): pass", "1 / 0"), "n"
    )
    namespace: dict[str, object] = {}
    for cell in cells[:3]:
        exec(cell, namespace)
    with pytest.raises(ZeroDivisionError) as error:
        exec(cells[3], namespace)
    assert error.traceback[-1].lineno == 7


def test_the_shell_takes_everything() -> None:
    assert str(Shell().run_line_magic("matplotlib", "inline").shape()) == ""


def test_the_old_format_is_read_too() -> None:
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": ["x = 1"]}]}]}
    assert code_of(json.dumps(old)) == "x = 1\n"


@pytest.mark.parametrize("text", ["", "[]", "print(1)"])
def test_what_is_no_notebook_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        code_of(text)
