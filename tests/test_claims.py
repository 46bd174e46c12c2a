"""What conversions say of themselves is true: on small programs here, on a folder of public files where one is given.

All fixtures are checked as well, by the laws of tests/fixture_cases.py. `TORCH2LIT_CORPUS=FOLDER pytest tests/test_claims.py` checks
every Python file of a folder.
"""

from __future__ import annotations

import ast
import os
import re
from dataclasses import replace
from pathlib import Path

import fixture_cases
import pytest
from claims import untrue_claims

from torch2lit.api import convert, convert_source
from torch2lit.files.decoding import decode
from torch2lit.new_lines import origins_of
from torch2lit.program import Conversion, Fate, Outcome

CORPUS = os.environ.get("TORCH2LIT_CORPUS", "")
HEAD = """import torch
import torch.nn.functional as F
from torch import nn
from torch.cuda import empty_cache
from torch.utils.data import DataLoader, TensorDataset

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
x = torch.randn(90, 6)
loader = DataLoader(TensorDataset(x, x[:, :3].argmax(1)), batch_size=16)
model = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3)).to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""
ARMS = (
    HEAD
    + """
for epoch in range(2):
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data.to(device)), target.to(device))
        if epoch > 0:
            loss.backward()
        else:
            (2 * loss).backward()
        optimizer.step()
"""
)
SEVERAL = """
def joined(model):
    '''Says nothing.'''
    return model


def train(model, loader):
    '''One epoch.'''
    for data, target in loader:
        step(model, data, target)


def step(model, data, target):
    '''One batch.'''
    optimizer.zero_grad()
    loss = F.cross_entropy(model(data), target)
    loss.backward()
    optimizer.step()


for epoch in range(2):
    train(model, loader)
"""


def converted(text: str) -> Conversion:
    result = convert_source(text)
    assert result.outcome is Outcome.CONVERTED, result.findings
    return result


def messages(result: Conversion) -> str:
    return "\n".join(f.message for f in result.findings)


def test_arms_of_one_condition_are_not_added_up() -> None:
    result = converted(ARMS)
    assert "2 backward passes, of which each batch runs one" in messages(result)
    assert untrue_claims(ARMS, result) == []


def test_passes_that_both_run_are_added_up() -> None:
    text = ARMS.replace("        else:\n            (2 * loss).backward()\n", "        (2 * loss).backward()\n")
    assert "2 backward passes per batch" in messages(converted(text))


def test_a_branch_that_leaves_excludes_what_follows() -> None:
    text = ARMS.replace(
        "            loss.backward()\n        else:\n            (2 * loss).backward()\n",
        "            loss.backward()\n            continue\n        (2 * loss).backward()\n",
    )
    assert "2 backward passes, of which each batch runs one" in messages(converted(text))


def test_a_docstring_without_a_place_is_told() -> None:
    result = converted(HEAD + SEVERAL)
    assert '"""One epoch."""' in result.after or "'''One epoch.'''" in result.after
    assert "the docstring of `step` has no place left: One batch." in messages(result)
    assert "Says nothing." in result.after
    assert untrue_claims(HEAD + SEVERAL, result) == []


def test_an_import_that_goes_is_not_kept() -> None:
    text = HEAD.replace("from torch.cuda import empty_cache\n", "from tqdm import tqdm\n") + (
        "for epoch in range(2):\n    for data, target in tqdm(loader):\n        optimizer.zero_grad()\n"
        "        loss = F.cross_entropy(model(data.to(device)), target.to(device))\n        loss.backward()\n"
        "        optimizer.step()\n"
    )
    result = converted(text)
    assert "from tqdm" not in result.after
    entry = next(e for e in result.ledger if e.source == "from tqdm import tqdm")
    assert (entry.fate, entry.codemod) == (Fate.REPLACED, "unused_imports")


def test_every_line_of_the_output_has_an_origin() -> None:
    result = converted(ARMS)
    places = {origin.place: origin.kind for origin in origins_of(result)}
    assert places["import"] == "written"
    assert places["Trainer"] == "written"
    moved = [o for o in origins_of(result) if o.kind == "moved" and o.place == "training_step"]
    assert moved
    raw, new = ARMS.splitlines(), result.after.splitlines()
    assert raw[moved[0].raw - 1].split("=")[0].strip() in new[moved[0].line - 1]


@pytest.mark.parametrize("name", ["refused-accelerate-that-accumulates", "refused-deepspeed", "refused-horovod"])
def test_every_use_of_a_framework_is_listed(name: str) -> None:
    case = fixture_cases.case(name)
    message = next(f.message for f in convert_source(case.raw).findings if f.slug == "framework-wrapped")
    listed = set(re.findall(r"`(\w+)` \(lines? ", message))
    owners = {"accelerator", "engine", "hvd", "deepspeed"}
    used = {
        n.attr
        for n in ast.walk(ast.parse(case.raw))
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in owners
    }
    assert used
    assert used <= listed


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "# fine\n", "comment is told to be gone"),
        ("import torch\n", "", "told to be kept, and gone"),
        ("", "left = 1\n", "raw line"),
    ],
)
def test_an_untrue_claim_is_seen(old: str, new: str, told: str) -> None:
    text = ARMS.replace("    for data", "    # fine\n    for data")
    result = converted(text)
    note = replace(result.findings[0], message="gone with its statement: # fine", line=3, slug="comment-removed")
    after = new + result.after.replace(old, "", 1)
    wrong = replace(result, after=after, findings=(*result.findings, note))
    assert any(told in one for one in untrue_claims(text, wrong)), untrue_claims(text, wrong)


@pytest.mark.slow
@pytest.mark.skipif(not CORPUS, reason="TORCH2LIT_CORPUS names no folder")
def test_claims_hold_for_public_files() -> None:
    told = []
    for result in convert(Path(CORPUS)):
        if result.outcome is Outcome.CONVERTED and result.path.endswith(".py"):
            text, _encoding = decode(Path(result.path).read_bytes())
            try:
                ast.parse(text)
            except SyntaxError:
                continue
            told += [f"{result.path}: {one}" for one in untrue_claims(text, result)]
    assert not told, "\n".join(told)
