"""Notebooks: what is not converted stays byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import SCRIPT, Invoke

from torch2lit.files.errors import SourceError
from torch2lit.files.magics import Magics
from torch2lit.files.notebooks import NotebookSource

LOOP = "for batch in loader:\n    loss = model(batch)\n    loss.backward()\n    optimizer.step()"
NEW_LOOP = LOOP.replace("loss.backward()", "fabric.backward(loss)  # torch")
OUTPUTS = [{"output_type": "stream", "name": "stdout", "text": ["1\n", "ü\n"]}]


def code(source: str | list[str], **more: Any) -> dict[str, Any]:
    lines = source.splitlines(keepends=True) if isinstance(source, str) else source
    cell = {
        "cell_type": "code",
        "execution_count": 3,
        "id": "abc",
        "metadata": {"tags": ["t"]},
        "outputs": OUTPUTS,
    }
    return {**cell, "source": lines, **more}


def markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": [text]}


def notebook(*cells: dict[str, Any], language: str = "python") -> dict[str, Any]:
    metadata = {"kernelspec": {"name": "k", "language": language}, "language_info": {"name": language}}
    return {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


STYLES: dict[str, dict[str, Any]] = {
    "jupyter": {"indent": 1, "ensure_ascii": False},
    "two spaces": {"indent": 2, "ensure_ascii": False},
    "tab": {"indent": "\t", "ensure_ascii": False},
    "ascii": {"indent": 1, "ensure_ascii": True},
    "compact": {"separators": (",", ":"), "ensure_ascii": False},
    "one line": {},
}


class TestConversion:
    @pytest.mark.parametrize("style", STYLES)
    @pytest.mark.parametrize("end", ["", "\n", "\r\n"])
    def test_only_the_changed_cell_changes(self, invoke: Invoke, folder: Path, style: str, end: str) -> None:
        cells = [markdown("# Ü"), code("import torch\n# ö é"), code(LOOP), code("print('ä')")]
        expected = [*cells[:2], code(NEW_LOOP), cells[3]]
        dumped, wanted = (json.dumps(notebook(*some), **STYLES[style]) + end for some in (cells, expected))
        if end == "\r\n":
            dumped, wanted = (text.replace("\r\n", "\n").replace("\n", "\r\n") for text in (dumped, wanted))
        path = folder / "n.ipynb"
        path.write_bytes(dumped.encode())

        result = invoke("convert", "n.ipynb")

        assert result.exit_code == 0, result.stderr
        assert path.read_bytes().decode() == wanted

    def test_irregular_json_stays(self, invoke: Invoke, folder: Path) -> None:
        text = (
            '{ "nbformat":4,\n\n  "cells" : [ {"cell_type": "code", "source":\n"import torch\\n", '
            '"x": 1e5},\n'
            '{"source" : ["%s"] ,"cell_type":"code" } ], "weird": [1.0,   2],"metadata":{}}  \n'
        )
        (folder / "n.ipynb").write_text(text % LOOP.replace("\n", '\\n","'))

        assert invoke("convert", "n.ipynb").exit_code == 0
        assert (folder / "n.ipynb").read_text() == text % NEW_LOOP.replace("\n", '\\n","')

    @pytest.mark.parametrize("form", ["text", "list", "list of two"])
    def test_form_of_the_source_is_kept(self, invoke: Invoke, folder: Path, form: str) -> None:
        cell = code(LOOP)
        if form == "text":
            cell["source"] = LOOP
        if form == "list of two":
            cell["source"] = [LOOP[:10], LOOP[10:]]
        (folder / "n.ipynb").write_text(json.dumps(notebook(code("import torch"), cell), indent=1))

        invoke("convert", "n.ipynb")

        source = json.loads((folder / "n.ipynb").read_text())["cells"][1]["source"]
        assert source == (NEW_LOOP if form == "text" else NEW_LOOP.splitlines(keepends=True))

    @pytest.mark.parametrize(
        "cells",
        [
            [code("import torch")],
            [markdown("torch backward step"), code("x = 1")],
            [code("import torch\nstep = backward = 1")],
            [code("import torch"), code(LOOP), code("# torch2lit: skip-file")],
        ],
    )
    def test_without_anything_to_convert_it_stays(
        self, invoke: Invoke, folder: Path, cells: list[dict[str, Any]]
    ) -> None:
        text = json.dumps(notebook(*cells), indent=1)
        (folder / "n.ipynb").write_text(text)

        result = invoke("convert", "n.ipynb", "-v")

        assert (result.exit_code, (folder / "n.ipynb").read_text()) == (0, text)
        assert "n.ipynb: unchanged" in result.stderr

    def test_another_language_is_left_alone(self, invoke: Invoke, folder: Path) -> None:
        (folder / "n.ipynb").write_text(json.dumps(notebook(code(SCRIPT), language="julia")))

        assert "unchanged (not a Python notebook)" in invoke("convert", "n.ipynb", "-v").stderr

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{ torch backward step", "n.ipynb:1:3: error: not a notebook: Expecting property name"),
            ('["torch backward step"]', "n.ipynb:1:1: error: not a notebook: the JSON is not an object"),
            (
                '{"nbformat": 3, "worksheets": "torch backward step"}',
                "n.ipynb: error: not a notebook of format 4",
            ),
            ('{"nbformat": 4, "cells": "torch backward step"}', "n.ipynb: error: not a notebook of format 4"),
            (
                '{"nbformat": 4,\n"cells": []} torch backward step',
                "n.ipynb:2:14: error: not a notebook: Extra data",
            ),
        ],
    )
    def test_what_is_no_notebook_fails_cleanly(self, invoke: Invoke, folder: Path, text: str, message: str) -> None:
        (folder / "n.ipynb").write_text(text)

        result = invoke("convert", "n.ipynb")

        assert (result.exit_code, (folder / "n.ipynb").read_text()) == (123, text)
        assert result.stderr.startswith(message)

    def test_places_are_those_of_the_file(self, invoke: Invoke, folder: Path) -> None:
        cells = [code("import torch"), code(LOOP + "\n# REVIEW\n")]
        text = json.dumps(notebook(*cells), indent=1)
        (folder / "n.ipynb").write_text(text)

        report = json.loads(invoke("convert", "n.ipynb", "--check", "--format", "json").stdout)["files"][0]

        line = next(number for number, line in enumerate(text.split("\n"), 1) if "loss.backward" in line)
        (finding,) = report["findings"]
        assert finding["line"] == line
        assert text.split("\n")[line - 1][finding["column"] - 1 :].startswith("loss.backward")
        assert finding["message"] == "cell 2: a review"
        assert report["ledger"][0]["line"] == line

    def test_diff_is_of_the_file(self, invoke: Invoke, folder: Path) -> None:
        (folder / "n.ipynb").write_text(json.dumps(notebook(code("import torch"), code(LOOP)), indent=1))

        diff = invoke("convert", "n.ipynb", "--diff").stdout

        assert '-    "    loss.backward()\\n",\n' in diff
        assert '+    "    fabric.backward(loss)  # torch\\n",\n' in diff


class TestMagics:
    @pytest.mark.parametrize(
        "cell",
        [
            "%matplotlib inline\nimport torch",
            "!pip install torch\nimport torch  # 'x",
            "!echo \"it's (\nx = 1",
            "import torch\nmodel?\ntorch.nn.Linear??",
            "?model",
            "files = !ls -la | grep 'a\nimport os",
            "a, b = %time f()",
            "%%time\nx = 1\n!ls",
            "\n%%capture out\nx = 1",
            "if True:\n    !ls\n    %cd x\nelse:\n\t%cd ..",
            "x = (10\n  % 3)\n!ls\ny = (1\n%2)",
            "!wget a \\\n   -O b \\\n   c\nx = 1",
            "%load_ext tensorboard\n%tensorboard --logdir 'runs\n",
            "pip install torch\ncd ..\nls -la\nx = 1",
            "s = '''\n!not a magic\n'''\n!magic",
        ],
    )
    def test_are_hidden_line_by_line_and_put_back(self, cell: str) -> None:
        source = NotebookSource(json.dumps(notebook(code("import torch"), code(cell))))

        assert source.unread == []
        compile(source.text, "<cells>", "exec")
        assert source.text.count("\n") == 2 + len(cell.rstrip("\n").split("\n"))
        whole = "import torch\npass  # t2l-cell-1\n" + cell.rstrip("\n") + "\n"
        assert source.restore_magics(source.text) == whole

    @pytest.mark.parametrize(
        "cell",
        ["x = (10\n% 3)", "x = '''\n!ls\n'''", "x = a if b else 1\n", "# what is this?", "ls = cat(1)"],
    )
    def test_python_is_not_touched(self, cell: str) -> None:
        assert NotebookSource(json.dumps(notebook(code(cell)))).text == cell.rstrip("\n") + "\n"

    @pytest.mark.parametrize(
        ("cell", "given"),
        [
            ("def f(:\n    pass", True),
            ("this is no python\n!ls", True),
            ("%%bash\nls", False),
            ("%%writefile loop.py\nloss.backward()  # torch", True),
            ("%%writefile train.py\nimport torch\nloss.backward()", True),
        ],
    )
    def test_what_is_no_python_is_left_out(self, invoke: Invoke, folder: Path, cell: str, given: bool) -> None:
        text = json.dumps(notebook(code("import torch"), code(cell), code(LOOP)), indent=1)
        (folder / "n.ipynb").write_text(text)

        result = invoke("convert", "n.ipynb")

        assert result.exit_code == 0
        assert ("T2L001 unparsable-cell: cell 2" in result.stderr) is given
        cells = json.loads((folder / "n.ipynb").read_text())["cells"]
        assert cells[:2] == [code("import torch"), code(cell)]
        assert "".join(cells[2]["source"]) == NEW_LOOP

    def test_in_a_converted_cell_they_stay(self, invoke: Invoke, folder: Path) -> None:
        cell = f"%matplotlib inline\n{LOOP}\n    !nvidia-smi  "
        (folder / "n.ipynb").write_text(json.dumps(notebook(code("import torch"), code(cell))))

        assert invoke("convert", "n.ipynb").exit_code == 0

        converted = json.loads((folder / "n.ipynb").read_text())["cells"][1]["source"]
        assert "".join(converted) == f"%matplotlib inline\n{NEW_LOOP}\n    !nvidia-smi  "

    @pytest.mark.parametrize("indent", ["", "        "])
    def test_follow_their_placeholder(self, indent: str) -> None:
        magics = Magics()
        hidden = magics.hide("for x in y:\n    !ls {x} \n")
        assert hidden is not None
        placeholder = hidden.splitlines()[1].strip()

        assert magics.restore(f"a\n{indent}{placeholder}\nb\n") == f"a\n{indent}!ls {{x}} \nb\n"


class TestCells:
    SOURCE = ("a = 1\nb = 2", "", "c = 3\n", "d = 4")
    TEXT = "a = 1\nb = 2\npass  # t2l-cell-1\npass  # t2l-cell-2\nc = 3\npass  # t2l-cell-3\nd = 4\n"

    def test_are_apart_in_the_program(self) -> None:
        source = NotebookSource(json.dumps(notebook(*map(code, self.SOURCE))))
        assert source.text == self.TEXT
        assert source.boundaries == (0, 3, 4, 6)
        assert [source.cell_at(line) for line in range(7)] == [1, 1, 1, 2, 3, 3, 4]

    @pytest.mark.parametrize(
        ("old", "new", "cells"),
        [
            ("", "", list(SOURCE)),
            ("b = 2\n", "x\n", ["a = 1\nx", "", "c = 3\n", "d = 4"]),
            ("c = 3\n", "\n\nx\n\nc = 3\n\n", ["a = 1\nb = 2", "", "x\n\nc = 3\n", "d = 4"]),
            ("c = 3\n", "", ["a = 1\nb = 2", "", "", "d = 4"]),
            ("d = 4\n", "d = 4\nx\n", [*SOURCE[:3], "d = 4\nx"]),
            ("pass  # t2l-cell-2\n", "x\npass  # t2l-cell-2\n", ["a = 1\nb = 2", "x", "c = 3\n", "d = 4"]),
        ],
    )
    def test_get_the_code_between_their_neighbours(self, old: str, new: str, cells: list[str]) -> None:
        source = NotebookSource(json.dumps(notebook(*map(code, self.SOURCE))))
        after = source.with_code(self.TEXT.replace(old, new, 1))
        assert after is not None
        assert ["".join(cell["source"]) for cell in json.loads(after)["cells"]] == cells

    @pytest.mark.parametrize("line", [1, 2, 3])
    def test_that_are_not_all_there_hold_nothing(self, line: int) -> None:
        source = NotebookSource(json.dumps(notebook(*map(code, self.SOURCE))))
        assert source.with_code(self.TEXT.replace(f"pass  # t2l-cell-{line}\n", "")) is None

    @pytest.mark.parametrize(
        ("last", "new", "shown"),
        [
            ("b = 2\n", "fit()\nmodel.to(device)\n", "fit()\nmodel.to(device);"),
            ("b = 2\n", "trainer.fit(m)\n", "trainer.fit(m)"),
            ("model.to(d)\n", "x\nmodel.to(d)\n", "x\nmodel.to(d)"),
            ("b = 2\n", "model.to(device)  # why\n", "model.to(device)  # why"),
        ],
    )
    def test_display_nothing_new(self, last: str, new: str, shown: str) -> None:
        source = NotebookSource(json.dumps(notebook(code("a = 1\n" + last.rstrip()))))
        after = source.with_code(source.text.replace(last, new))
        assert after is not None
        assert "".join(json.loads(after)["cells"][0]["source"]) == "a = 1\n" + shown

    def test_display_nothing_new_above_blank_ends(self) -> None:
        source = NotebookSource(json.dumps(notebook(code("a = 1\nb = 2\n\n"))))
        after = source.with_code(source.text.replace("b = 2\n", "model.to(device)\n"))
        assert after is not None
        assert "".join(json.loads(after)["cells"][0]["source"]) == "a = 1\nmodel.to(device);\n\n"

    def test_with_blank_ends_keep_them(self) -> None:
        source = NotebookSource(json.dumps(notebook(code("\n\na = 1\n\n"), code("%%time\n\nb = 2"))))
        after = source.with_code(source.text.replace(" = 1", " = 3").replace("b = 2", "\nb = 4"))
        assert after is not None
        assert ["".join(cell["source"]) for cell in json.loads(after)["cells"]] == [
            "\n\na = 3\n\n",
            "%%time\n\n\nb = 4",
        ]


def test_too_deep_json() -> None:
    with pytest.raises(SourceError):
        NotebookSource('{"cells":' + "[" * 100_000)
