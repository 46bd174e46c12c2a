"""Optimizers that stay attributes of the script's object, told from the script alone: no other file lies beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from torch2lit.api import convert_source

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.mark.parametrize(
    "name",
    (
        "methods-that-make-an-optimizer-of-a-known-object",
        "methods-that-make-an-optimizer-read-by-name",
        "methods-that-make-an-optimizer-that-is-saved",
        "methods-that-make-an-optimizer-that-the-script-reads",
        "methods-that-make-the-optimizers-of-several-objects",
        "object-that-trains-again-with-its-optimizer",
        "object-whose-constructor-calls-behind-its-optimizer",
        "object-whose-model-grows-before-it-trains",
        "object-whose-model-grows-behind-its-optimizer",
        "object-whose-part-changes-behind-its-optimizer",
        "object-whose-rate-changes-behind-its-optimizer",
        "object-with-a-class-value-whose-settings-change",
    ),
)
def test_an_attribute_that_others_read_stays(name: str) -> None:
    text = (FIXTURES / name / "raw.py").read_text()
    assert "return self.fitter.optimizer" in convert_source(text).after


def test_an_attribute_that_another_file_names_stays(tmp_path: Path) -> None:
    text = (FIXTURES / "methods-that-make-their-optimizer" / "raw.py").read_text()
    script = tmp_path / "fitting.py"
    script.write_text(text)
    assert "return torch.optim.Adam(" in convert_source(text, script).after
    (tmp_path / "report.py").write_text("from fitting import fitter\n\nprint(fitter.optimizer.state_dict())\n")
    assert "return self.fitter.optimizer" in convert_source(text, script).after


def test_an_object_that_another_file_trains_again_keeps_its_optimizer(tmp_path: Path) -> None:
    text = (FIXTURES / "object-that-makes-its-own-optimizer" / "raw.py").read_text()
    script = tmp_path / "fitting.py"
    script.write_text(text := f"from again import again\n\n{text}\nagain(fitter)\n")
    (tmp_path / "again.py").write_text("def again(one):\n    one.fit(1)\n")
    assert "self.optimizer = torch.optim.SGD(self.model.parameters()" in convert_source(text, script).after
