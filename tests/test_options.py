"""Options, what Lightning accepts, and the configuration file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import SCRIPT, Invoke

from torch2lit.config import Config, ConfigProblem, find_config, load_config
from torch2lit.lightning_values import (
    ACCELERATORS,
    PRECISION_ALIASES,
    PRECISIONS,
    STRATEGIES,
    ValueProblem,
    devices_code,
)
from torch2lit.options import Options


class TestValues:
    @pytest.mark.parametrize(
        ("given", "kept", "code"),
        [
            ("auto", "auto", '"auto"'),
            ("-1", "-1", "-1"),
            ("2", "2", "2"),
            (" 02 ", "2", "2"),
            ("0,1", "0,1", "[0, 1]"),
            ("1, 3 ", "1,3", "[1, 3]"),
            ("0,", "0,", "[0]"),
            ("[0]", "0,", "[0]"),
            ("[0, 2]", "0,2", "[0, 2]"),
        ],
    )
    def test_devices(self, given: str, kept: str, code: str) -> None:
        options = Options(devices=given)

        assert options.devices == kept
        assert devices_code(kept) == code
        assert Options(devices=kept) == options

    @pytest.mark.parametrize(
        "given", ["", "0", "-2", "two", "1.5", "1;2", "0,0", ",", "[", "[]", "1 2", "0,-1", "½", "²"]
    )
    def test_wrong_devices(self, given: str) -> None:
        with pytest.raises(ValueProblem):
            Options(devices=given)

    @pytest.mark.parametrize(("given", "kept"), [*PRECISION_ALIASES.items(), *((one, one) for one in PRECISIONS)])
    def test_precision_has_one_spelling(self, given: str, kept: str) -> None:
        assert Options(precision=given).precision == kept

    @pytest.mark.parametrize(
        ("name", "value", "meant"),
        [
            ("precision", "bf16-mix", "bf16-mixed"),
            ("precision", "FP16", ""),
            ("precision", "16_mixed", "16-mixed"),
            ("accelerator", "GPU", "gpu"),
            ("accelerator", "cuda:0", "cuda"),
            ("strategy", "ddp_spwan", "ddp_spawn"),
            ("strategy", "deepspeed_stage2", "deepspeed_stage_2"),
            ("strategy", "dp", ""),
            ("target", "fabrik", "fabric"),
        ],
    )
    def test_wrong_value_names_the_nearest(self, name: str, value: str, meant: str) -> None:
        with pytest.raises(ValueProblem, match=f"did you mean '{meant}'" if meant else "Legal values: ") as caught:
            Options(**{name: value})  # type: ignore[arg-type]

        assert caught.value.name == name

    @pytest.mark.parametrize(
        "values",
        [
            {"accelerator": "cpu", "devices": "0,1"},
            {"accelerator": "cpu", "devices": "-1"},
            {"accelerator": "cpu", "strategy": "fsdp"},
            {"accelerator": "cpu", "strategy": "deepspeed_stage_2"},
            {"accelerator": "mps", "strategy": "fsdp_cpu_offload"},
            {"strategy": "fsdp", "precision": "64"},
        ],
    )
    def test_what_cannot_go_together(self, values: dict[str, str]) -> None:
        with pytest.raises(ValueProblem):
            Options(**values)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "values",
        [
            {"accelerator": "cpu", "devices": "2", "strategy": "ddp", "precision": "bf16"},
            {"accelerator": "gpu", "devices": "-1", "strategy": "fsdp", "precision": "16-true"},
            {"accelerator": "cpu", "precision": "64"},
        ],
    )
    def test_what_can(self, values: dict[str, str]) -> None:
        Options(**values)  # type: ignore[arg-type]

    @pytest.mark.slow
    def test_are_those_of_lightning(self) -> None:
        pytest.importorskip("lightning")
        from lightning.fabric.connector import _PRECISION_INPUT
        from lightning.pytorch.accelerators import AcceleratorRegistry
        from lightning.pytorch.strategies import StrategyRegistry

        spelled = {value for part in _PRECISION_INPUT.__args__ for value in part.__args__}
        assert {str(value) for value in spelled} == {*PRECISIONS, *PRECISION_ALIASES}
        # fsdp2 is a name of our own for its ModelParallelStrategy
        assert {"auto", "fsdp2", *StrategyRegistry.available_strategies()} == set(STRATEGIES)
        assert {"auto", "gpu", *AcceleratorRegistry} == set(ACCELERATORS)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "values",
        [
            {"accelerator": "cpu", "devices": [0, 1]},
            {"accelerator": "cpu", "devices": -1},
            {"accelerator": "cpu", "strategy": "fsdp"},
            {"accelerator": "cpu", "devices": 0},
            {"accelerator": "quantum"},
            {"strategy": "dp"},
            {"precision": "17"},
        ],
    )
    def test_what_is_refused_here_lightning_refuses(self, values: dict[str, object]) -> None:
        lightning = pytest.importorskip("lightning")

        from lightning.fabric.utilities.exceptions import MisconfigurationException

        with pytest.raises((ValueError, TypeError, MisconfigurationException)):
            lightning.Trainer(logger=False, enable_checkpointing=False, **values)


class TestConfig:
    def load(self, folder: Path, table: str) -> Config:
        path = folder / "pyproject.toml"
        path.write_text(f"[tool.torch2lit]\n{table}\n")
        return load_config(path)

    def test_every_key(self, folder: Path) -> None:
        config = self.load(
            folder,
            'accelerator = "gpu"\ndevices = 2\nnum-nodes = 3\nstrategy = "ddp"\nprecision = "bf16"\n'
            'target = "fabric"\nlevel = "native"\ncheckpoints = "own"\nlogger = "csv"\ndatamodule = "own"\ncallbacks = "own"\nmetrics = "own"\n'
            'fail-on = "review"\nexclude = "/a/"\nextend-exclude = ["/b/", "/c/"]\nforce_exclude = []\n'
            'select = ["T2L0"]\nignore = "T2L001"\njobs = 4\n',
        )

        assert config == Config(
            "gpu",
            "2",
            3,
            "ddp",
            "bf16",
            "fabric",
            "native",
            "own",
            "csv",
            "own",
            "own",
            "own",
            "review",
            ("/a/",),
            ("/b/", "/c/"),
            (),
            ("T2L0",),
            ("T2L001",),
            4,
        )

    def test_devices_as_a_list(self, folder: Path) -> None:
        assert self.load(folder, "devices = [0, 1]").devices == "0,1"

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (
                'acelerator = "gpu"',
                "unknown key 'acelerator' in .tool.torch2lit., did you mean 'accelerator'",
            ),
            ("xyz = 1", "unknown key 'xyz' in .tool.torch2lit.; known are"),
            ('accelerator = "quantum"', "accelerator: 'quantum' is unknown"),
            ("accelerator = 1", "accelerator: 1 is not a text"),
            ("precision = 17", "precision: '17' is unknown"),
            ("devices = true", "devices: True is not a text"),
            ("devices = []", "devices: "),
            ("num-nodes = 0", "num-nodes: 0 is not a number"),
            ("jobs = true", "jobs: True is not a number"),
            ('target = "jax"', "target: 'jax' is none of auto, trainer, fabric"),
            ('fail-on = "note"', "fail-on: 'note' is none of review, refused"),
            ('exclude = "("', "exclude: "),
            ("select = [1]", "select: .* neither a text nor a list of texts"),
            ("x = ", "Invalid value"),
        ],
    )
    def test_what_is_wrong_is_told(self, folder: Path, table: str, message: str) -> None:
        with pytest.raises(ConfigProblem, match=message) as caught:
            self.load(folder, table)

        assert "pyproject.toml" in str(caught.value)

    @pytest.mark.parametrize("text", ["", "[tool.black]\n", "[tool.torch2lit-other]\nx = 1\n"])
    def test_file_without_the_table_sets_nothing(self, folder: Path, text: str) -> None:
        (folder / "pyproject.toml").write_text(text)

        assert load_config(folder / "pyproject.toml") == Config()
        assert find_config([folder / "x.py"]) is None

    def test_nearest_table_is_found(self, folder: Path) -> None:
        (folder / "pyproject.toml").write_text("[tool.torch2lit]\n")
        (folder / "a").mkdir()
        (folder / "a" / "pyproject.toml").write_text("[tool.black]\n")

        assert find_config([folder / "a" / "x.py"]) == folder / "pyproject.toml"
        assert find_config([folder / "a" / "x.py", folder / "a" / "b"]) == folder / "pyproject.toml"

    def test_search_ends_at_the_repository(self, folder: Path) -> None:
        (folder / "pyproject.toml").write_text("[tool.torch2lit]\n")
        (folder / "repo" / ".git").mkdir(parents=True)

        assert find_config([folder / "repo" / "x.py"]) is None

    def test_command_line_goes_before_file(self, invoke: Invoke, folder: Path) -> None:
        (folder / "train.py").write_text(SCRIPT + "# REVIEW\n")
        (folder / "pyproject.toml").write_text('[tool.torch2lit]\nfail-on = "review"\nprecision = "16"\n')

        assert invoke("convert", "train.py", "--check").exit_code == 1
        assert invoke("convert", "train.py", "--diff").exit_code == 1
        assert invoke("convert", "train.py", "--diff", "--fail-on", "refused").exit_code == 0

    @pytest.mark.parametrize("arguments", [[], ["--config", "pyproject.toml"]])
    def test_wrong_file_is_a_usage_error(self, invoke: Invoke, folder: Path, arguments: list[str]) -> None:
        (folder / "train.py").write_text(SCRIPT)
        (folder / "pyproject.toml").write_text("[tool.torch2lit]\nprecison = 16\n")

        result = invoke("convert", "train.py", *arguments)

        assert result.exit_code == 2
        assert "did you mean 'precision'?" in result.stderr
        assert (folder / "train.py").read_text() == SCRIPT

    def test_excludes_of_the_file_hold(self, invoke: Invoke, folder: Path) -> None:
        for name in ("a", "b"):
            (folder / f"{name}.py").write_text(SCRIPT)
        (folder / "other.toml").write_text('[tool.torch2lit]\nextend-exclude = "a.py"\n')

        result = invoke("convert", ".", "--config", "other.toml", "--check", "--format", "json")

        assert [file["path"] for file in json.loads(result.stdout)["files"]] == ["b.py"]
