"""Which proposals of features are accepted, and what is written of them: each law by a few lines of a script."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType

import pytest

from torch2lit.engine import convert_text
from torch2lit.feature import Part, Proposal, Training
from torch2lit.installed import features, in_order
from torch2lit.options import Options
from torch2lit.program import TrainerSpec
from torch2lit.testing import Tried, propose, propose_in, script

EARLY_STOPPING = next(feature for feature in features() if feature.name == "early_stopping")
_GOES = Proposal("nothing", "the same")
_CALLBACK = TrainerSpec().callback("{lightning}.Callback()")


@dataclass(frozen=True, slots=True)
class Marks:
    """Proposes to take away every ``mark(...)`` and what binds ``mark``, each on its own; the fields say what else it proposes."""

    answer: Proposal = _GOES
    name: str = "marks"
    after: tuple[str, ...] = ()
    whole: bool = False

    def proposals(self, training: Training) -> Iterable[Proposal]:
        found = [part for part in training.parts if self._is_mark(part)]
        for one in [found] if self.whole else [[part] for part in found]:
            yield self._with(one)

    def _is_mark(self, part: Part) -> bool:
        match part.statement:
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[ast.Constant(value="mark")])):
                return True
            case ast.Assign(targets=[ast.Name(id="mark")]):
                return True
        return False

    def _with(self, found: list[Part]) -> Proposal:
        a = self.answer
        removed = tuple(part.statement for part in found)
        return Proposal(
            a.target, a.reason, removed, trainer=a.trainer, after_fit=a.after_fit, fresh=a.fresh, level=a.level
        )


def marks(answer: Proposal, *epoch: str, above: str = "", below: str = "", whole: bool = False) -> Tried:
    return propose(Marks(answer, whole=whole), *epoch, above=above, below=below)


TOLD = Proposal("callback", "the same", trainer=_CALLBACK)


def test_what_is_accepted_goes_and_the_trainer_is_told() -> None:
    tried = marks(TOLD, 'print("mark")')
    assert tried.accepted and "callbacks=[L.Callback()]" in tried.text and '"mark"' not in tried.text


@pytest.mark.parametrize(
    "epoch",
    [
        ("if epoch > 1:", '    print("mark")'),
        ("for _ in range(2):", '    print("mark")'),
        ("try:", '    print("mark")', "finally:", "    print(1)"),
        ("with torch.no_grad():", '    print("mark")'),
        ("if epoch == 3:", "    continue", 'print("mark")'),
    ],
)
def test_guards(epoch: tuple[str, ...]) -> None:
    """The Trainer does always and once what it is told."""
    tried = marks(TOLD, *epoch)
    assert not tried.accepted and [law for law, _ in tried.conflicts] == ["guards"]
    assert "Callback" not in tried.text and '"mark"' in tried.text


@pytest.mark.parametrize(
    ("epoch", "below"),
    [
        (("mark = epoch", "print(mark)"), ""),
        (("mark = epoch",), "print(mark)"),
        (("mark = epoch", "def shown():", "    return mark", "print(shown())"), ""),
        (("mark = epoch",), "print(len(globals()))"),
    ],
)
def test_reads(epoch: tuple[str, ...], below: str) -> None:
    """What goes has bound nothing that anything else names, or may name by its text."""
    tried = marks(Proposal("nothing", "the same"), *epoch, below=below)
    assert not tried.accepted and [law for law, _ in tried.conflicts] == ["reads"]


def test_a_value_that_nobody_reads_goes() -> None:
    assert marks(Proposal("nothing", "the same"), "mark = epoch").accepted


def test_told_once() -> None:
    """Of two proposals with a callback of one class the second is not accepted; its statement stays."""
    tried = marks(TOLD, 'print("mark")', 'print("mark")')
    assert [law for law, _ in tried.conflicts] == ["told once"] and tried.text.count("L.Callback()") == 1
    assert tried.text.count('"mark"') == 1


@pytest.mark.parametrize("name", ["max_epochs", "accelerator"])
def test_told_once_by_the_plan(name: str) -> None:
    tried = marks(Proposal("argument", "the same", trainer=TrainerSpec().set(name, "7")), 'print("mark")')
    assert [law for law, _ in tried.conflicts] == ["told once"] and f"{name}=7" not in tried.text


def test_all_or_nothing() -> None:
    """One statement that may not go keeps all of a proposal's statements."""
    tried = marks(TOLD, 'print("mark")', "if epoch:", '    print("mark")', whole=True)
    assert not tried.accepted and tried.text.count('"mark"') == 2 and "Callback" not in tried.text


def test_free() -> None:
    """What one proposal has taken, another cannot take."""

    @dataclass(frozen=True, slots=True)
    class Twice(Marks):
        def proposals(self, training: Training) -> Iterable[Proposal]:
            found = [part for part in training.parts if self._is_mark(part)]
            return [self._with(found), Proposal("nothing", "again", tuple(part.statement for part in found))]

    tried = propose(Twice(), 'print("mark")')
    assert tried.accepted and [law for law, _ in tried.conflicts] == ["free"]


def test_level() -> None:
    """What is not exact is not done, as long as nobody asks for it."""
    proposal = Proposal("nothing", "nearly the same", level="native")
    tried = marks(proposal, 'print("mark")')
    assert not tried.accepted and tried.conflicts == (("level", "native"),)
    assert propose(Marks(proposal), 'print("mark")', level="native").accepted
    assert propose(Marks(_GOES), 'print("mark")', level="native").accepted


def test_lines_around_fit_use_fresh_names() -> None:
    answer = Proposal(
        "after", "the same", after_fit=("{found} = {trainer}.current_epoch", "print({found})"), fresh=("found",)
    )
    tried = marks(answer, 'print("mark")', above="found = 1")
    assert "found_2 = trainer.current_epoch\nprint(found_2)" in tried.text


def test_order_is_said() -> None:
    first, second, third = Marks(name="z"), Marks(name="a", after=("z",)), Marks(name="b")
    assert [f.name for f in in_order([first, second, third])] == ["b", "z", "a"]
    with pytest.raises(ValueError, match="wait for each other"):
        in_order([Marks(name="a", after=("b",)), Marks(name="b", after=("a",))])


def test_every_feature_is_found() -> None:
    assert [f.name for f in features()] == [
        "early_stopping",
        "model_checkpoint",
        "resume",
        "seed_everything",
        "logger",
        "wandb_logger",
        "mlflow_logger",
        "data_module",
        "weight_averaging",
        "epoch_metrics",
    ]


def test_a_plain_module_is_a_feature() -> None:
    module = ModuleType("acme_marks")
    module.__dict__.update(name="acme", after=(), proposals=Marks().proposals)
    assert propose(module, 'print("mark")').accepted


def test_a_fault_of_another_package_is_named_and_stops_nothing() -> None:
    class Broken:
        name, after = "acme", ()

        def proposals(self, training: Training) -> Iterable[Proposal]:
            raise KeyError("a fault of its own")

    tried = propose(Broken(), 'print("mark")')
    assert "class Lit" in tried.text and '"mark"' in tried.text
    assert any("`acme` of another package failed with" in message for message in tried.findings)


# ---- the features themselves, by a few lines each

_ABOVE = "best, bad = float('inf'), 0"
_PATIENT = (
    "if loss_now < best:",
    "    best, bad = loss_now, 0",
    "else:",
    "    bad += 1",
    "    if bad >= 3:",
    "        break",
)


def _edited(old: str, new: str) -> tuple[str, ...]:
    text = "\n".join(_PATIENT)
    assert text.count(old) == 1
    return tuple(text.replace(old, new).splitlines())


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (_PATIENT, 'EarlyStopping("loss_now", patience=3, check_finite=False)'),
        (_edited("loss_now < best", "best > loss_now"), "patience=3"),
        (_edited("bad >= 3", "bad > 3"), "patience=4"),
        (_edited("bad >= 3", "3 == bad"), "patience=3"),
        (_edited("loss_now < best", "loss_now + 0.1 < best"), "min_delta=0.1"),
        ((*_PATIENT[:-2], "if bad >= 3:", "    break"), "patience=3"),
    ],
)
def test_early_stopping(epoch: tuple[str, ...], text: str) -> None:
    tried = propose(EARLY_STOPPING, *epoch, above=_ABOVE)
    assert tried.accepted and text in tried.text and "best" not in tried.text, tried.text


@pytest.mark.parametrize(
    "epoch",
    [
        _edited("loss_now < best", "loss_now <= best"),
        _edited("loss_now < best", "loss < best"),
        _edited("loss_now < best", "loss_now < best - 0.1"),
        _edited("loss_now < best", "not loss_now >= best"),
        _edited("loss_now < best", "loss_now < best and epoch"),
        _edited("best, bad = loss_now, 0", "best, bad = loss_now + 1, 0"),
        _edited("best, bad = loss_now, 0", "best, bad = loss_now, 1"),
        _edited("bad += 1", "bad += 2"),
        _edited("bad >= 3", "bad >= 3 and epoch > 4"),
        _edited("bad >= 3", "bad >= limit()"),
        (*_PATIENT, "print(epoch)"),
        (*_PATIENT[:-2], "    bad = bad + 0", *_PATIENT[-2:]),
        (*_PATIENT[:-2], "if bad >= 0:", "    break"),
        ("bad = 0 if epoch == 2 else bad", *_PATIENT),
        (*_PATIENT[:-1], "        print(bad)", "        break"),
        (*_PATIENT[:-1], "        print(epoch)", "        break"),
        ("if epoch == 4:", "    break", *_PATIENT[:-1], "        print('stop')", "        break"),
        ("if epoch == 4:", "    continue", *_PATIENT),
    ],
)
def test_no_early_stopping(epoch: tuple[str, ...]) -> None:
    tried = propose(EARLY_STOPPING, *epoch, above=f"{_ABOVE}\ndef limit():\n    return 3")
    assert not tried.accepted and "should_stop = True" in tried.text, tried.text


def test_a_counter_that_is_printed_stays() -> None:
    """The example of CONTRIBUTING.md."""
    epoch = (*_PATIENT[:4], "    print(bad)", *_PATIENT[4:])
    assert propose(EARLY_STOPPING, *epoch, above=_ABOVE).conflicts == (("reads", "bad"),)


def test_one_loop() -> None:
    """What stands above two training loops is the first one's, and is changed once."""
    loop = "for again in range(2):\n    for x, y in loader:\n        loss = nn.functional.mse_loss(model(x), y)\n        optimizer.zero_grad()\n        loss.backward()\n        optimizer.step()"
    tried = propose(SEED_EVERYTHING, "print(epoch)", above=_SEEDS, below=loop)
    assert tried.text.count("seed_everything(7)") == 1 and tried.text.count("L.Trainer(") == 2
    assert ("one loop" in {law for law, _ in tried.conflicts}) or not tried.conflicts


SEED_EVERYTHING = next(feature for feature in features() if feature.name == "seed_everything")
_SEEDS = "import random\nimport numpy as np\nrandom.seed(7)\nnp.random.seed(7)\ntorch.manual_seed(7)"


def test_seed_everything() -> None:
    tried = propose(SEED_EVERYTHING, above=_SEEDS)
    assert "L.seed_everything(7)\n" in tried.text and "manual_seed" not in tried.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.manual_seed(7)", "torch.manual_seed(8)"),
        ("random.seed(7)\nnp", "random.seed()\nnp"),
        ("np.random.seed(7)", "print(random.random())\nnp.random.seed(7)"),
        ("np.random.seed(7)", "if True:\n    np.random.seed(7)"),
        ("(7)", "(int(7))"),
        ("(7)", "(-7)"),
        ("np.random.seed(7)\n", ""),
    ],
)
def test_no_seed_everything(old: str, new: str) -> None:
    tried = propose(SEED_EVERYTHING, above=_SEEDS.replace(old, new))
    assert not tried.accepted and "manual_seed" in tried.text


def test_no_seed_everything_for_several_processes() -> None:
    assert not propose(SEED_EVERYTHING, above=_SEEDS, devices="2").accepted


MODEL_CHECKPOINT = next(feature for feature in features() if feature.name == "model_checkpoint")
_BEST = ("if loss_now < best:", "    best = loss_now", '    torch.save(model.state_dict(), "best.pth")')
_LOAD = 'model.load_state_dict(torch.load("best.pth"))'


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).replace("( ", "(").replace(" )", ")")


def _checkpoints(*epoch: str, above: str = "best = float('inf')", below: str = "") -> Tried:
    return propose(MODEL_CHECKPOINT, *epoch, above=above, below=below, checkpoints="lightning")


@pytest.mark.parametrize(
    ("epoch", "above", "text"),
    [
        (
            _BEST,
            "best = float('inf')",
            'ModelCheckpoint(".", filename="best", monitor="loss_now", enable_version_counter=False)',
        ),
        (("if best > loss_now:", *_BEST[1:]), "best = 100", 'monitor="loss_now", enable'),
        (("if loss_now > best:", *_BEST[1:]), "best = 0", 'monitor="loss_now", mode="max"'),
        ((*_BEST, "print(best)"), "best = 1e9", 'filename="best"'),
        (('torch.save(model.state_dict(), "a/b/last.pt")',), "", 'ModelCheckpoint("a/b", filename="last", enable'),
        (
            ('torch.save({"w": model.state_dict(), "e": epoch + 1}, "x")',),
            "",
            'ModelCheckpoint(".", filename="x", enable',
        ),
        (('torch.save(model.state_dict(), f"m{epoch}.pt")',), "", 'filename="m{epoch}", auto_insert_metric_name=False'),
        (("if (epoch + 1) % 3 == 0:", '    torch.save(model.state_dict(), "m.pt")'), "", "every_n_epochs=3"),
    ],
)
def test_model_checkpoint(epoch: tuple[str, ...], above: str, text: str) -> None:
    tried = _checkpoints(*epoch, above=above)
    assert tried.accepted and text in _on_one_line(tried.text), tried.text
    assert "torch.save" not in tried.text and "enable_checkpointing" not in tried.text
    assert any("`state_dict`" in message for message in tried.findings)


@pytest.mark.parametrize(
    "epoch",
    [
        ("if loss_now <= best:", *_BEST[1:]),
        ("if loss_now + 0.1 < best:", *_BEST[1:]),
        ("if loss_now < best and epoch > 2:", *_BEST[1:]),
        ("if epoch > 2:", *(f"    {line}" for line in _BEST)),
        ("if loss < best:", "    best = loss", _BEST[2]),
        (*_BEST[:1], "    best = loss_now * 1.0", _BEST[2]),
        (*_BEST, "best = min(best, 3.0)"),
        (_BEST[0], _BEST[1], '    torch.save(model, "best.pth")'),
        (_BEST[0], _BEST[1], '    torch.save(nn.Linear(2, 2).state_dict(), "best.pth")'),
        (_BEST[0], _BEST[1], '    torch.save({"w": model.state_dict(), "loss": total}, "best.pth")'),
        (_BEST[0], _BEST[1], '    torch.save(model.state_dict(), f"best{loss_now:.2f}.pth")'),
        (_BEST[0], _BEST[1], '    torch.save(model.state_dict(), f"best{epoch}.pth")'),
        (*_BEST, "model.weight.data.mul_(0.9)"),
        (*_BEST, "print(open('best.pth', 'rb'))"),
        ("if epoch == 3:", "    continue", *_BEST),
    ],
)
def test_no_model_checkpoint(epoch: tuple[str, ...]) -> None:
    tried = _checkpoints(*epoch)
    assert not tried.accepted and "torch.save(" in tried.text and "import ModelCheckpoint" not in tried.text, tried.text
    assert any("goes on saving this itself: " in message for message in tried.findings)


def test_a_function_that_saves_is_named() -> None:
    above = "best = 1.0\nkept = []\ndef keep(what):\n    torch.save(what, 'best.pth')\n    kept.append(1)"
    tried = _checkpoints(_BEST[0], _BEST[1], "    keep(model.state_dict())", above=above)
    assert "keep(" in tried.text and any("goes on saving this itself: `keep` does it" in m for m in tried.findings)


def test_a_function_that_only_saves_the_best_is_the_callback() -> None:
    above = "best = 1.0\ndef keep(what):\n    torch.save(what, 'best.pth')"
    tried = _checkpoints(_BEST[0], _BEST[1], "    keep(model.state_dict())", above=above)
    assert tried.accepted and "keep(" not in tried.text and 'filename="best"' in tried.text, tried.text


def test_the_best_weights_are_loaded_from_the_checkpoint() -> None:
    tried = _checkpoints(*_BEST, below=_LOAD)
    assert 'lit_linear.load_state_dict(torch.load(model_checkpoint.best_model_path)["state_dict"])' in tried.text, (
        tried.text
    )


@pytest.mark.parametrize(
    "below",
    [
        "nn.Linear(4, 1).load_state_dict(torch.load('best.pth'))",
        f"other = nn.Linear(4, 1)\n{_LOAD.replace('model.', 'other.', 1)}",
        f"def again():\n    {_LOAD}\nagain()",
        f"if epoch:\n    {_LOAD}",
        "import os\nprint(os.path.getsize('best.pth'))",
        "torch.load(input())",
    ],
)
def test_a_file_that_something_else_reads_stays(below: str) -> None:
    assert not _checkpoints(*_BEST, below=below).accepted


def test_checkpoints_stay_the_scripts_own_where_nobody_asks() -> None:
    assert not propose(MODEL_CHECKPOINT, *_BEST, above="best = 1.0").accepted
    assert propose(MODEL_CHECKPOINT, *_BEST, above="best = 1.0", level="native").accepted
    assert not propose(MODEL_CHECKPOINT, *_BEST, above="best = 1.0", level="native", checkpoints="own").accepted


def test_a_law_that_is_broken_is_told() -> None:
    """Two callbacks of one class with one key would be one to a checkpoint."""
    tried = _checkpoints('torch.save(model.state_dict(), "a.pt")', 'torch.save(model.state_dict(), "b.pt")')
    assert tried.text.count("torch.save(") == 1 and [law for law, _ in tried.conflicts] == ["told once"]
    assert any("the Trainer is told of" in message for message in tried.findings)


LOGGER = next(feature for feature in features() if feature.name == "logger")
_WRITER = "from torch.utils.tensorboard import SummaryWriter\nwriter = SummaryWriter('runs')"
_OTHER_WRITER = _WRITER.replace("torch.utils.tensorboard", "tensorboardX")


def _points(*epoch: str, above: str = _WRITER, below: str = "writer.close()", logger: str = "auto") -> Tried:
    return propose(LOGGER, *epoch, above=above, below=below, logger=logger)


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (
            ("writer.add_scalar('a', loss_now, epoch)",),
            "self.logger.log_metrics({'a': loss_now}, step=self.current_epoch)",
        ),
        (
            ("writer.add_scalar('a', global_step=epoch, scalar_value=1)",),
            "log_metrics({'a': 1}, step=self.current_epoch)",
        ),
        (("writer.add_scalar('a', loss_now)",), "self.logger.experiment.add_scalar('a', loss_now)"),
        (
            ("writer.add_scalar('a', 1, epoch, 3.0)",),
            "self.logger.experiment.add_scalar('a', 1, self.current_epoch, 3.0)",
        ),
        (
            ("if epoch:", "    writer.add_scalars('a', {'b': 1}, epoch)"),
            "self.logger.experiment.add_scalars('a', {'b': 1}",
        ),
        (
            ("writer.add_scalar('a', 1, 2)", "writer.add_scalar('b', 3, 2)"),
            "self.logger.log_metrics({'a': 1, 'b': 3}, step=2)",
        ),
        (("writer.add_scalar('a', 1, 2)", "writer.add_scalar('a', 3, 2)"), "self.logger.log_metrics({'a': 3}, step=2)"),
        (("writer.add_scalar('a', 1, 2)", "writer.add_scalar('b', 3, 4)"), "self.logger.log_metrics({'b': 3}, step=4)"),
        (
            ("writer.add_scalar('a', 1, 2)", "print(epoch)", "writer.add_scalar('b', 3, 2)"),
            "self.logger.log_metrics({'b': 3}, step=2)",
        ),
    ],
)
def test_logger(epoch: tuple[str, ...], text: str) -> None:
    tried = _points(*epoch)
    assert tried.accepted and text in tried.text and "riter" not in tried.text.replace("add_", ""), tried.text
    assert "logger=logger" in tried.text and "logger=False)" in tried.text, (
        "what the module logs itself is for callbacks"
    )


@pytest.mark.parametrize(
    ("epoch", "above", "below"),
    [
        (("print(writer)",), _WRITER, ""),
        (("writer.add_scalar('a', 1, epoch)", "writer.close()"), _WRITER, ""),
        (("writer.add_hparams({}, {})",), _WRITER, ""),
        (("x = writer.add_scalar('a', 1, epoch)",), _WRITER, ""),
        (("writer.add_scalar('a', 1, epoch)",), f"{_WRITER}\nwriter = SummaryWriter('b')", ""),
        (("writer.add_scalar('a', 1, epoch)",), f"{_WRITER}\nother = SummaryWriter('b')", ""),
        (("writer.add_scalar('a', 1, epoch)",), _WRITER.replace("'runs'", "comment='x'"), ""),
        (("writer.add_scalar('a', 1, epoch)",), _WRITER.replace("'runs'", "input()"), ""),
        (("writer.add_scalar('a', 1, epoch)",), _WRITER.replace("'runs'", "*['a']"), ""),
        (("writer.add_scalar('a b', 1, epoch)",), _OTHER_WRITER, ""),
        (("writer.add_scalar('/a', 1, epoch)",), _OTHER_WRITER, ""),
        (("writer.add_scalar(f'a{epoch}', 1, epoch)",), _OTHER_WRITER, ""),
        (("writer.add_scalar('a', 1)",), _OTHER_WRITER, ""),
        (("writer.add_histogram('a', model.weight, epoch)",), _OTHER_WRITER, ""),
        (("writer.add_scalar('a', 1, epoch)",), _OTHER_WRITER, "writer.export_scalars_to_json('a.json')"),
        (("writer.add_scalar('a', 1, epoch)",), _OTHER_WRITER.replace("'runs'", "'runs', write_to_disk=False"), ""),
        (("writer.add_scalar('a', 1, epoch)",), _WRITER, "if epoch:\n    writer.close()"),
        (("writer.add_scalar('a', 1, epoch)",), _WRITER, "print(globals())"),
    ],
)  # fmt: skip
def test_a_writer_that_stays(epoch: tuple[str, ...], above: str, below: str) -> None:
    tried = _points(*epoch, above=above, below=below)
    assert not tried.accepted and "SummaryWriter(" in tried.text and "TensorBoardLogger" not in tried.text, tried.text
    assert any("goes on writing to TensorBoard itself: " in message for message in tried.findings)


@pytest.mark.parametrize("told", ["'runs'", "log_dir='runs'", "logdir='runs'"])
def test_scalars_of_another_writer_are_the_same_points(told: str) -> None:
    tried = _points("writer.add_scalar('loss/a_1.b', loss_now, epoch)", above=_OTHER_WRITER.replace("'runs'", told))
    assert tried.accepted and "log_metrics({'loss/a_1.b': loss_now}" in tried.text and "tensorboardX" not in tried.text
    assert 'TensorBoardLogger("runs"' in tried.text.replace("'", '"') and any(
        "tensorboardX" in m for m in tried.findings
    )


def test_a_script_without_a_writer_gets_a_logger() -> None:
    assert 'logger=CSVLogger(".")' in _points(above="", below="").text
    assert 'logger=TensorBoardLogger(".")' in _points(above="", below="", logger="tensorboard").text
    assert "logger=False" in _points(above="", below="", logger="own").text


def test_a_writer_of_the_file_itself() -> None:
    above = f"{_WRITER}\ndef log(step):\n    writer.add_scalar('a', step, step)"
    tried = _points("log(epoch)", above=above)
    assert "    logger.log_metrics({'a': step}, step=step)" in tried.text and "logger=logger" in tried.text, tried.text


def test_what_an_object_holds_is_no_variable_that_may_be_named() -> None:
    held = "import argparse\nargs = argparse.Namespace(a=1)\nprint(vars(args).items())"
    assert _points("writer.add_scalar('a', 1, epoch)", above=f"{_WRITER}\n{held}").accepted


def test_a_writer_and_a_csv_logger_are_not_mixed() -> None:
    tried = _points("writer.add_scalar('a', loss_now, epoch)", logger="csv")
    assert not tried.accepted and "logger=False" in tried.text and "CSVLogger" not in tried.text


WANDB = next(feature for feature in features() if feature.name == "wandb_logger")
MLFLOW = next(feature for feature in features() if feature.name == "mlflow_logger")
_RUN = "import wandb\nrun = wandb.init(project='p')"


@pytest.mark.parametrize(
    ("above", "epoch", "text"),
    [
        (_RUN, ("wandb.log({'a': loss_now})",), "self.logger.log_metrics({'a': loss_now})"),
        (_RUN, ("wandb.log(data={'a': loss_now})",), "self.logger.log_metrics({'a': loss_now})"),
        (_RUN, ("run.log({'a': 1}, step=epoch)",), "self.logger.experiment.log({'a': 1}, step=self.current_epoch)"),
        (_RUN, ("wandb.log({'a': 1})",), "logger=WandbLogger(experiment=run),"),
        ("import wandb\nwandb.init()", ("wandb.log({'a': 1})",), "logger=WandbLogger(experiment=wandb.run),"),
        (
            "import wandb as w\nif input():\n    w.init()",
            ("if epoch:", "    w.log({'a': 1})"),
            "logger=WandbLogger(experiment=wandb.run) if wandb.run is not None else False,",
        ),
        ("import wandb\nrun = wandb.init(reinit=True)", ("wandb.log({'a': 1})",), "experiment=wandb.run)"),
        ("from wandb import init, log\ninit()", ("log({'a': 1})",), "experiment=wandb.run)"),
    ],
)
def test_rows_of_wandb(above: str, epoch: tuple[str, ...], text: str) -> None:
    tried = propose(WANDB, *epoch, above=above, logger="wandb")
    assert tried.accepted and text in tried.text and "logger=False)" in tried.text, tried.text


@pytest.mark.parametrize(
    ("above", "epoch"),
    [
        (_RUN, ("wandb.log({'a': 1})", "wandb.finish()")),
        (_RUN, ("wandb.log({'a': 1})", "run.finish()")),
        (_RUN, ("wandb.log({'a': 1})", "wandb.init()")),
        (f"{_RUN}\ndef again():\n    run.finish()\n    wandb.init()\ndef log():\n    again()", ("log()", "wandb.log({'a': 1})")),
        (f"{_RUN}\nend = lambda: wandb.finish()", ("end()", "wandb.log({'a': 1})")),
        (_RUN, ("print(wandb.log({'a': 1}))",)),
        ("import wandb\nrun = wandb.init(reinit='create_new')", ("run.log({'a': 1})",)),
        (f"{_RUN}\nrun = run or None", ("run.log({'a': 1})",)),
        ("if input():\n    import wandb\n    wandb.init()", ("wandb.log({'a': 1})",)),
    ],
)  # fmt: skip
def test_rows_of_wandb_that_stay(above: str, epoch: tuple[str, ...]) -> None:
    tried = propose(WANDB, *epoch, above=above, logger="wandb")
    assert not tried.accepted and "WandbLogger" not in tried.text, tried.text
    assert any("goes on writing to Weights & Biases itself: " in message for message in tried.findings)


_TRACKED = "import mlflow\nmlflow.start_run()"


@pytest.mark.parametrize(
    ("above", "epoch", "text"),
    [
        (
            _TRACKED,
            ("mlflow.log_metric('a', loss_now, step=epoch)",),
            "self.logger.log_metrics({'a': loss_now}, step=self.current_epoch)",
        ),
        (_TRACKED, ("mlflow.log_metric('a', loss_now)",), "self.logger.log_metrics({'a': loss_now})"),
        (_TRACKED, ("mlflow.log_metrics({'a': 1, 'b/c': 2}, epoch)",), "log_metrics({'a': 1, 'b/c': 2}, step="),
        (_TRACKED, ("mlflow.log_metric('a', 1)",), "logger=MLFlowLogger("),
        ("import mlflow\nif input():\n    mlflow.start_run()", ("mlflow.log_metric('a', 1)",), "else False"),
    ],
)
def test_metrics_of_mlflow(above: str, epoch: tuple[str, ...], text: str) -> None:
    tried = propose(MLFLOW, *epoch, above=above, logger="mlflow")
    assert tried.accepted and text in tried.text and "logger=False)" in tried.text, tried.text


@pytest.mark.parametrize(
    ("above", "epoch"),
    [
        (_TRACKED, ("mlflow.log_metric('a:b', 1)",)),
        (_TRACKED, ("mlflow.log_metric(f'a{epoch}', 1)",)),
        (_TRACKED, ("mlflow.log_metrics({'a': 1, **{}})",)),
        (_TRACKED, ("mlflow.log_metrics(dict(a=1))",)),
        (_TRACKED, ("mlflow.log_metric('a', 1, synchronous=False)",)),
        (_TRACKED, ("mlflow.log_metric('a', step=epoch, value=1)",)),
        (_TRACKED, ("mlflow.log_metric('a', 1)", "mlflow.end_run()")),
        (_TRACKED, ("with mlflow.start_run(nested=True):", "    mlflow.log_metric('a', 1)")),
        (f"mlflow.pytorch.autolog()\n{_TRACKED}".replace("mlflow.pytorch", "import mlflow\nmlflow.pytorch", 1), ("mlflow.log_metric('a', 1)",)),
        (_TRACKED, ("mlflow.log_metric('a', 1)", "mlflow.pytorch.log_model(model, 'm')")),
    ],
)  # fmt: skip
def test_metrics_of_mlflow_that_stay(above: str, epoch: tuple[str, ...]) -> None:
    tried = propose(MLFLOW, *epoch, above=above, logger="mlflow")
    assert not tried.accepted and "MLFlowLogger" not in tried.text, tried.text
    assert any("goes on writing to MLflow itself: " in message for message in tried.findings)


def test_numbers_of_a_script_without_a_writer_go_to_a_service() -> None:
    assert "logger=WandbLogger()" in _points(above="", below="", logger="wandb").text
    assert "logger=MLFlowLogger()" in _points(above="", below="", logger="mlflow").text


def test_a_writer_of_one_kind_is_not_mixed_with_a_run_of_another() -> None:
    raw = script("writer.add_scalar('a', 1, epoch)", "wandb.log({'a': 1})", above=f"{_WRITER}\n{_RUN}")
    after = convert_text(raw, "raw.py", Options(logger="auto"))
    assert "logger=logger" in after.after and "wandb.log(" in after.after and "WandbLogger" not in after.after
    assert any("another logger already" in f.message for f in after.findings)


DATA = next(feature for feature in features() if feature.name == "data_module")


def _data(raw: str) -> Tried:
    return propose_in(DATA, raw, datamodule="lightning")


def test_data_that_only_the_loader_reads_moves() -> None:
    tried = _data(script().replace("loader = ", "data = TensorDataset(torch.randn(40, 4), torch.randn(40, 1))\nloader = ", 1).replace("DataLoader(TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8)", "DataLoader(data, 8)"))  # fmt: skip
    assert tried.accepted and "trainer.fit(lit_linear, datamodule=data_module)" in tried.text, tried.text
    assert 'data_module.setup("fit")' in tried.text and "DataLoader(self.data, batch_size=8)" in tried.text, tried.text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("batch_size=8)", "batch_size=int(input()))", "self.loader_batch_size = int(input())"),
        ("batch_size=8)", "batch_size=[8][0])", "DataLoader(self.data, batch_size=self.loader_batch_size)"),
        ("batch_size=8)", "collate_fn=lambda rows: rows)", "self.loader_collate_fn = lambda rows: rows"),
        ("DataLoader(data, batch_size=8)", "DataLoader(list(data), 8)", "self.set = list(data)"),
        ("model = nn", "print(len(loader))\nmodel = nn", "print(len(data_module.train_dataloader()))"),
        ("model = nn", "# of both\nmodel = nn", "# of both\nmodel = nn"),
        ("batch_size=8)", "batch_size=8)  # few", "batch_size=8)  # few"),
    ],
)
def test_what_moves_with_the_data(old: str, new: str, text: str) -> None:
    above = "data = TensorDataset(torch.randn(40, 4), torch.randn(40, 1))\n"
    raw = script().replace("TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8", "data, batch_size=8")
    raw = raw.replace("loader = ", above + "loader = ", 1)
    assert old in raw
    tried = _data(raw.replace(old, new, 1))
    assert tried.accepted and text in tried.text, tried.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model = nn", "print(next(iter(loader)))\nmodel = nn"),
        ("model = nn", "print(torch.rand(len(loader)))\nmodel = nn"),
        ("model = nn", "if input():\n    print(len(loader))\nmodel = nn"),
        ("batch_size=8)", "*[8])"),
        ("batch_size=8)", "batch_size=(size := 8))"),
        ("batch_size=8)", "**{'batch_size': 8})"),
        ("model = nn", "def later():\n    return loader\nmodel = nn"),
        ("model = nn", "print(globals())\nmodel = nn"),
        ("loader = DataLoader", "loader = list(DataLoader"),
        ("for x, y in loader:", "for x, y in list(loader):"),
        ("for x, y in loader:", "for x, y in DataLoader([], 8):"),
    ],
)
def test_data_that_stays(old: str, new: str) -> None:
    above = "data = TensorDataset(torch.randn(40, 4), torch.randn(40, 1))\n"
    raw = script().replace("TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8", "data, batch_size=8")
    raw = raw.replace("loader = ", above + "loader = ", 1)
    assert old in raw
    changed = raw.replace(old, new, 1).replace(
        "list(DataLoader(data, batch_size=8)", "list(DataLoader(data, batch_size=8))"
    )
    tried = _data(changed)
    assert not tried.accepted and "LightningDataModule" not in tried.text, tried.text


def test_the_size_that_a_namespace_hands_on_stays() -> None:
    settings = "import argparse\nargs = argparse.Namespace(size=8)\ndata = TensorDataset(torch.randn(40, 4), torch.randn(40, 1))\n"
    raw = script().replace(
        "TensorDataset(torch.randn(40, 4), torch.randn(40, 1)), batch_size=8", "data, batch_size=args.size"
    )
    raw = raw.replace("loader = ", settings + "loader = ", 1)
    assert _data(raw).accepted
    assert not _data(raw.replace("model = nn", "vars(args).update(size=4)\nmodel = nn", 1)).accepted
    assert not _data(raw.replace("model = nn", "args.size = 4\nmodel = nn", 1)).accepted
