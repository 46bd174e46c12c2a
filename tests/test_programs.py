"""Programs of several files convert as their golden folders say, once, and train the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fixture_cases import FIXTURES, case
from program_cases import contents, converted, copy_of, expected, processes_of, program_names, texts
from proven import unless_proven

from torch2lit.api import convert
from torch2lit.options import Options
from torch2lit.program import Conversion, Mechanism, Outcome
from torch2lit.project import convert_program
from torch2lit.recover.neighbours import imported_modules

NAMES = program_names()
Steps = Callable[[Sequence[Path]], list[Sequence[Path]]]
STARTED = tuple(name for name in NAMES if processes_of(name) is not None)
"""Programs that torchrun starts."""
VERIFIED = ("several-files-name-taken", "several-files-whole-loop-elsewhere", *STARTED)
"""Programs of which verify changes one file and several: all others are run in one process here, which is quicker."""


@pytest.mark.parametrize("name", NAMES)
def test_program(name: str, tmp_path: Path) -> None:
    entry = copy_of(name, tmp_path)
    conversions, changed, told = converted(entry)
    assert (changed, told) == expected(name)
    again, changed_again, _told = converted(entry)
    assert not changed_again
    refused = {c.path for c in conversions if c.outcome is Outcome.REFUSED}
    assert {c.path for c in again if c.outcome is not Outcome.UNCHANGED} <= refused


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_folder_converts_to_the_same(name: str, tmp_path: Path) -> None:
    entry = copy_of(name, tmp_path)
    convert(entry.parent, write=True)
    changed, _told = expected(name)
    for file, text in changed.items():
        assert (entry.parent / file).read_text("utf-8") == text


def _by_steps(name: str, place: Path, steps: Steps) -> dict[str, str]:
    """The changed files of a program of which files are named in several runs."""
    entry = copy_of(name, place)
    raw = texts(entry.parent)
    files = [entry.parent / file for file in raw]
    for named in steps(files):
        convert(named, write=True, jobs=1)
    return {file: text for file, text in texts(entry.parent).items() if text != raw[file]}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_naming_the_files_backwards_gives_the_same(name: str, tmp_path: Path) -> None:
    assert _by_steps(name, tmp_path, lambda files: [files[::-1]]) == expected(name)[0]
    folder = tmp_path / "program"  # every other way leads to these very texts, after which nothing changes any more
    files = [folder / file for file in texts(folder)]
    assert not [c.path for c in (*convert(files, jobs=1), *convert(folder, jobs=1)) if c.after != c.before]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", [1, -1], ids=["forwards", "backwards"])
def test_naming_one_file_after_the_other_gives_the_same(name: str, way: int, tmp_path: Path) -> None:
    assert _by_steps(name, tmp_path, lambda files: [[file] for file in files[::way]]) == expected(name)[0]


class TestFolder:
    def test_scripts_that_share_an_engine(self, tmp_path: Path) -> None:
        name = "several-files-engine-of-one-epoch"
        entry = copy_of(name, tmp_path)
        engine = (entry.parent / "engine.py").read_text("utf-8")
        entry.with_name("train_again.py").write_text(entry.read_text("utf-8"), "utf-8")
        outcomes = {Path(c.path).name: c.outcome for c in convert(entry.parent, write=True)}
        assert [name for name, outcome in outcomes.items() if outcome is Outcome.CONVERTED] == [
            "train.py",
            "train_again.py",
        ]
        assert entry.with_name("train_again.py").read_text("utf-8") == expected(name)[0]["train.py"]
        assert (entry.parent / "engine.py").read_text("utf-8") == engine
        assert all(c.outcome is Outcome.UNCHANGED for c in convert(entry.parent))

    @pytest.mark.parametrize("program", ["several-files-engine-of-one-epoch", "several-files-batches-through-a-logger"])
    @pytest.mark.parametrize("named", ["engine.py", "."])
    def test_a_file_is_left_to_the_script_that_starts_its_training(
        self, tmp_path: Path, named: str, program: str
    ) -> None:
        entry = copy_of(program, tmp_path)
        (left,) = [c for c in convert(entry.parent / named) if Path(c.path).name == "engine.py"]
        assert (left.outcome, left.reason) == (
            Outcome.UNCHANGED,
            "its training is started by train.py: convert that, or this file alone by --target fabric",
        )

    @pytest.mark.parametrize("program", ["several-files-engine-of-one-epoch", "several-files-batches-through-a-logger"])
    @pytest.mark.parametrize("named", ["engine.py", "."])
    def test_a_file_that_nothing_starts_is_for_fabric_alone(self, tmp_path: Path, named: str, program: str) -> None:
        entry = copy_of(program, tmp_path)
        entry.unlink()
        (left,) = [c for c in convert(entry.parent / named) if Path(c.path).name == "engine.py"]
        assert (left.outcome, left.reason) == (
            Outcome.UNCHANGED,
            "nothing in the project starts its training: convert the script that does, or this file alone by --target fabric",
        )
        (asked,) = convert(entry.with_name("engine.py"), Options(target="fabric"))
        assert asked.mechanism is Mechanism.FABRIC

    def test_the_script_is_told_that_starts_it_through_another_file(self, tmp_path: Path) -> None:
        entry = copy_of("several-files-engine-of-one-epoch", tmp_path)
        for used, text in {
            "between.py": "from engine import train_one_epoch\n\n\ndef one_epoch(*given):\n    return train_one_epoch(*given)\n",
            "main.py": entry.read_text("utf-8")
            .replace(
                "from engine import evaluate, train_one_epoch",
                "from between import one_epoch\nfrom engine import evaluate",
            )
            .replace("train_one_epoch(", "one_epoch("),
        }.items():
            entry.with_name(used).write_text(text, "utf-8")
        entry.unlink()
        (left,) = convert(entry.with_name("engine.py"))
        assert left.reason.startswith("its training is started by main.py:")

    def test_a_class_of_steps_is_left_to_the_script_that_steps_by_it(self, tmp_path: Path) -> None:
        entry = copy_of("program-step-in-an-object-elsewhere", tmp_path)
        misc = entry.with_name("misc.py")
        (left,) = convert(misc)
        assert (left.outcome, left.reason.partition(":")[0]) == (
            Outcome.UNCHANGED,
            "its training is started by train.py",
        )
        entry.unlink()
        (alone,) = convert(misc)
        assert alone.outcome is Outcome.REFUSED
        (asked,) = convert(misc, Options(target="fabric"))
        assert asked.mechanism is Mechanism.FABRIC

    def test_a_file_that_its_program_converts_may_be_named_alone(self, tmp_path: Path) -> None:
        entry = copy_of("several-files-function-that-others-import", tmp_path)
        (named,) = convert(entry.with_name("engine.py"))
        (together,) = [c for c in convert(entry) if Path(c.path).name == "engine.py"]
        assert named.after == together.after != named.before

    def test_a_file_that_a_program_needs_converted_is(self, tmp_path: Path) -> None:
        entry = copy_of("several-files-function-that-others-import", tmp_path)
        converted = {Path(c.path).name for c in convert(entry.parent) if c.outcome is Outcome.CONVERTED}
        assert converted == {"train.py", "engine.py"}


def test_what_a_second_conversion_would_change_is_refused(tmp_path: Path) -> None:
    entry = copy_of("several-files-engine-of-one-epoch", tmp_path)
    raw = entry.read_text("utf-8")

    def leaves_the_call(text: str, path: str, options: Options) -> Conversion:
        if path != str(entry):
            return Conversion(path, Outcome.REFUSED, text, text)
        return Conversion(path, Outcome.CONVERTED, text, raw + "# converted\n", Mechanism.MANUAL)

    found = convert_program(raw, str(entry), Options(), leaves_the_call)
    assert found is not None
    assert (found.entry.outcome, found.entry.after) == (Outcome.REFUSED, raw)
    assert found.entry.findings[0].message == "a second conversion would change what the first one leaves"


TRAINS = "    trainer.train(total_epochs)\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TRAINS, f"    print(sum(p.sum() for p in model.parameters()))\n{TRAINS}"),
        (TRAINS, f"{TRAINS}    print(trainer.model)\n"),
        ("    ddp_setup()\n", '    ddp_setup()\n    os.environ["RANK"] = os.environ["LOCAL_RANK"]\n'),
        ("    destroy_process_group()\n", '    print(os.environ["SLURM_PROCID"], os.environ["WORLD_SIZE"])\n'),
        (
            "from trainer import Trainer\n",
            "import trainer as trainers\nfrom trainer import Trainer\nMORE = trainers.Trainer\n",
        ),
    ],
)
def test_another_file_may_need_the_wrapper(old: str, new: str, tmp_path: Path) -> None:
    entry = copy_of("several-files-ddp-in-a-trainer-class", tmp_path)
    text = entry.read_text("utf-8")
    assert text.count(old) == 1
    entry.write_text(text.replace(old, new), "utf-8")
    found = [c for c in convert(entry) if Path(c.path).name == "trainer.py"]
    assert all("own-processes" in {f.slug for f in c.findings} and "DDP(" in c.after for c in found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    ddp_setup()\n", '    rank = int(os.environ["SLURM_PROCID"])\n    ddp_setup()\n'),
        (
            "    init_process_group(backend=",
            '    init_process_group(rank=3, world_size=8, init_method="env://", backend=',
        ),
    ],
)
def test_whatever_numbers_the_processes_the_group_is_asked(old: str, new: str, tmp_path: Path) -> None:
    entry = copy_of("several-files-ddp-in-a-trainer-class", tmp_path)
    text = entry.read_text("utf-8")
    assert text.count(old) == 1
    entry.write_text(text.replace(old, new), "utf-8")
    (found,) = (c for c in convert(entry) if Path(c.path).name == "trainer.py")
    assert "NODE_RANK=str(" in found.after and "DDP(" not in found.after


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[::6])
def test_nothing_is_written_without_asking(name: str, tmp_path: Path) -> None:
    entry = copy_of(name, tmp_path)
    before = {p: p.read_bytes() for p in entry.parent.rglob("*.py")}
    convert(entry)
    assert {p: p.read_bytes() for p in entry.parent.rglob("*.py")} == before


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in STARTED])
def test_program_trains_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    from fixture_runs import differences, run_program

    entry = copy_of(name, tmp_path)
    before = contents(entry.parent)
    if all(c.outcome in (Outcome.REFUSED, Outcome.UNCHANGED) for c in convert(entry, write=True)):
        pytest.skip("left as it is, as its findings say")
    after = contents(entry.parent)

    def compare() -> None:
        converted = run_program(entry)
        shutil.rmtree(entry.parent)
        raw = run_program(copy_of(name, tmp_path))
        assert raw.error == ""
        assert raw.trace.losses, "the raw program runs no backward pass"
        assert differences(raw, converted) == []

    unless_proven(name, ("a program", before, after), compare)


@pytest.mark.slow
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", VERIFIED)
def test_verify_says_identical(name: str, tmp_path: Path) -> None:
    pytest.importorskip("lightning")
    from torch2lit.api import verify

    result = verify(copy_of(name, tmp_path), options=Options(), processes=processes_of(name))
    assert result.status == "identical", result.render(False)


def test_output_goes_to_a_folder_with_the_others(tmp_path: Path) -> None:
    entry = copy_of("several-files-whole-loop-elsewhere", tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    convert(entry, write=True, output=f"{out}/")
    assert "Trainer(" in (out / "learning.py").read_text("utf-8")
    assert "Trainer(" not in (entry.parent / "learning.py").read_text("utf-8")


def test_a_module_may_read_what_lightning_is_told_of_spawned_processes(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    raw = case("ddp-spawned-by-a-function").raw
    script.write_text(raw.replace("import os\n", "import os\n\nfrom where import place\n", 1), "utf-8")
    (tmp_path / "where.py").write_text("def place():\n    return 0\n", "utf-8")
    assert [f.slug for c in convert(script) for f in c.findings] == ["ddp-is-a-strategy"]
    (tmp_path / "where.py").write_text("import os\n\nplace = os.environ.get('LOCAL_RANK')\n", "utf-8")
    (kept,) = [f for c in convert(script) for f in c.findings]
    assert kept.slug == "own-processes"
    assert "`LOCAL_RANK` of the environment" in kept.message


def test_a_module_of_the_project_that_is_missing_is_no_obstacle(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom engine import train\n\nif __name__ == '__main__':\n    train(torch.zeros(1))\n"
    )
    assert [c.outcome for c in convert(script)] == [Outcome.UNCHANGED]


def test_a_broken_module_of_the_project_is_told_where_it_may_train(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import torch\nfrom engine import train\n\nif __name__ == '__main__':\n    train(torch.zeros(1))\n"
    )
    engine = tmp_path / "engine.py"
    engine.write_text("def train(:\n    print(1)\n")
    assert [c.outcome for c in convert(script)] == [Outcome.UNCHANGED]
    engine.write_text("def train(:\n    loss.backward(); optimizer.step()\n")
    (conversion,) = convert(script)
    assert [f.slug for f in conversion.findings] == ["training-elsewhere"]
    assert "engine.py:1 is no Python of today" in conversion.findings[0].message


def test_modules_that_import_each_other_end(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\nfrom a import train\n\nif __name__ == '__main__':\n    train(torch.zeros(1))\n")
    (tmp_path / "a.py").write_text("from b import train\n")
    (tmp_path / "b.py").write_text("from a import train\n")
    assert [c.outcome for c in convert(script)] == [Outcome.UNCHANGED]


def test_training_in_a_process_of_its_own_is_told(tmp_path: Path) -> None:
    entry = copy_of("several-files-started-as-thread", tmp_path)
    text = entry.read_text("utf-8").replace("threading.Thread", "torch.multiprocessing.Process")
    entry.write_text(text, "utf-8")
    told = {f.slug for c in convert(entry) if c.path.endswith("train.py") for f in c.findings}
    assert told == {"converted-elsewhere", "own-processes"}


def test_a_function_that_is_passed_on_is_not_pulled_in(tmp_path: Path) -> None:
    entry = copy_of("several-files-started-as-thread", tmp_path)
    learning = entry.with_name("learning.py")
    whole = learning.read_text("utf-8")
    learning.write_text(
        whole.replace(
            "    for epoch in range(epochs):\n        train_epoch(",
            "    if True:\n        epoch = 0\n        train_epoch(",
        )
    )
    (conversion,) = (c for c in convert(entry, options=Options(target="trainer")) if c.path.endswith("train.py"))
    if conversion.outcome is Outcome.REFUSED:
        assert "is passed to `threading.Thread`" in conversion.findings[0].message
    assert conversion.after == conversion.before


def test_every_program_has_an_entry() -> None:
    assert NAMES, FIXTURES


@pytest.mark.parametrize(
    ("line", "modules"),
    [
        ("import a, b as c, d.e", ["a", "b", "d.e"]),
        ("from a import b, c", ["a", "a.b", "a.c"]),
        ("from . import engine", [".engine"]),
        ("from .nets import small  # import other", [".nets", ".nets.small"]),
        ("from a import (", ["a"]),
        ("    import inside", ["inside"]),
        ("print('import nothing')", []),
    ],
)
def test_imports_are_read_from_the_lines(line: str, modules: list[str]) -> None:
    assert imported_modules(f"x = 1\n{line}\ny = 2\n".encode()) == modules


def test_a_script_of_an_older_python_stops_no_run_of_several(tmp_path: Path) -> None:
    raw = case("parameter-named-like-a-global").raw
    (tmp_path / "one.py").write_text(raw, "utf-8")
    (tmp_path / "two.py").write_text(
        raw.replace("for x, y in loader:\n", "for x, y in loader:\n        y = y.cuda(async=True)\n"), "utf-8"
    )
    outcomes = [c.outcome for c in convert(tmp_path)]
    assert outcomes == [Outcome.CONVERTED, Outcome.CONVERTED]
