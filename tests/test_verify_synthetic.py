"""Data sets that stand in for missing ones of torchvision, a small package of that name being the one that the scripts import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Invoke

from torch2lit.options import Options
from torch2lit.verify import VerifyResult, verify
from torch2lit.verify.ground import missing_ground
from torch2lit.verify.synthetic import _png, told_in

pytestmark = [pytest.mark.needs("torch", "lightning"), pytest.mark.usefixtures("warm")]

STUB = """
import os
import torch

class VisionDataset(torch.utils.data.Dataset):
    def __init__(self, root, transform=None, target_transform=None):
        self.root, self.transform, self.target_transform = root, transform, target_transform

class MNIST(VisionDataset):
    classes = [str(number) for number in range(10)]
    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform, target_transform)
        self.train = train
        if download:
            raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")
        if not os.path.exists(os.path.join(self.raw_folder, "data.pt")):
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.data, self.targets = torch.load(os.path.join(self.raw_folder, "data.pt"))
    @property
    def raw_folder(self):
        return os.path.join(self.root, type(self).__name__, "raw")
    def __len__(self):
        return len(self.data)
    def __getitem__(self, index):
        return self.data[index].float() / 255, int(self.targets[index])

class FashionMNIST(MNIST):
    pass

class CIFAR10(VisionDataset):
    base_folder = "cifar-10-batches-py"
    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform, target_transform)
        raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")

class CIFAR100(CIFAR10):
    base_folder = "cifar-100-python"

class SVHN(VisionDataset):
    def __init__(self, root, split="train", transform=None, target_transform=None, download=False):
        super().__init__(root, transform, target_transform)
        raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")

class ImageFolder(VisionDataset):
    def __init__(self, root, transform=None, target_transform=None):
        super().__init__(root, transform, target_transform)
        self.classes = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
        self.samples = [(os.path.join(root, name, file), number) for number, name in enumerate(self.classes)
                        for file in sorted(os.listdir(os.path.join(root, name)))]
    def __len__(self):
        return len(self.samples)
    def __getitem__(self, index):
        path, target = self.samples[index]
        with open(path, "rb") as file:
            return torch.tensor(list(file.read()[-2000:])).float() / 255, target
"""
TRAIN = """
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(10))
model(next(iter(loader))[0])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for images, labels in loader:
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
"""
DIGITS = """
import torch
from torchvision import datasets
data = datasets.MNIST("data", train=True, download=True)
test = datasets.MNIST("data", train=False)
print(len(data), len(test), tuple(data.data.shape), data.data.dtype, data.targets.dtype, data.transform)
loader = torch.utils.data.DataLoader(data, batch_size=128, shuffle=True)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project" / "torchvision" / "datasets").mkdir(parents=True)
    (tmp_path / "project" / "torchvision" / "__init__.py").write_text("")
    (tmp_path / "project" / "torchvision" / "datasets" / "__init__.py").write_text(STUB)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def prove(project: Path, text: str, *, synthetic_data: bool = True, train: str = TRAIN) -> VerifyResult:
    for name in ("raw.py", "converted.py"):
        (project / name).write_text(text + train)
    return verify(project / "raw.py", project / "converted.py", (), options=Options(), synthetic_data=synthetic_data)


def test_a_missing_data_set_is_stood_in_for_and_told(project: Path) -> None:
    result = prove(project, DIGITS)

    assert result.status == "identical", result.render()
    assert result.comparison is not None and result.comparison.steps == (4, 4)
    assert result.raw is not None
    assert result.raw.stdout == "512 128 (512, 28, 28) torch.uint8 torch.int64 None\n"
    assert "stood in for what is not here: MNIST (512 samples), MNIST (128 samples)" in result.render()
    assert "bit-identical (CPU), on synthetic data" in result.render()
    assert result.to_dict()["synthetic_data"] == ["MNIST (512 samples)", "MNIST (128 samples)"]
    assert not (project / "data").exists()


def test_without_the_option_the_script_fails_and_it_is_named(project: Path) -> None:
    result = prove(project, DIGITS, synthetic_data=False)

    assert (result.status, result.exit_code) == ("failed", 4)
    assert "--synthetic-data" in result.problem
    assert result.to_dict()["synthetic_data"] == []


def test_data_that_are_there_are_taken(project: Path) -> None:
    import torch

    (project / "data" / "MNIST" / "raw").mkdir(parents=True)
    torch.save((torch.ones(256, 28, 28), torch.ones(256, dtype=torch.int64)), project / "data/MNIST/raw/data.pt")

    result = prove(project, DIGITS.replace("print", "assert len(data) == 256\nprint"))

    assert result.status == "identical", result.render()
    assert result.comparison is not None and result.comparison.steps == (2, 2)
    assert "stood in for nothing" in result.render()
    assert "on synthetic data" not in result.render()


def test_a_broken_data_set_is_not_replaced(project: Path) -> None:
    (project / "data" / "cifar-10-batches-py").mkdir(parents=True)
    (project / "data" / "cifar-10-batches-py" / "data_batch_1").write_text("half of it")

    result = prove(project, "import torch\nfrom torchvision.datasets import CIFAR10\nCIFAR10('data')\n")

    assert (result.status, result.exit_code) == ("failed", 4)


def test_every_kind_has_the_shapes_and_types_of_the_real_one(project: Path) -> None:
    result = prove(
        project,
        """
import torch, torchvision
from torchvision.datasets import CIFAR10, CIFAR100, SVHN, FashionMNIST, ImageFolder
class Mine(CIFAR10):
    pass
state = torch.get_rng_state()
for kind in (CIFAR10, CIFAR100, Mine):
    for train in (True, False):
        found = kind("data", train, download=True)
        print(kind.__name__, found.data.shape, found.data.dtype, type(found.targets[0]), len(found.classes), max(found.targets), len(found.class_to_idx))
for split in ("train", "test"):
    found = SVHN("data", split=split)
    print("SVHN", found.data.shape, found.data.dtype, found.labels.shape, found.labels.dtype)
fashion = FashionMNIST(root="data", train=False, transform=len)
print(fashion.data.shape, fashion.transform is len, sorted(set(fashion.targets.tolist())) == list(range(10)))
folder = ImageFolder("/nowhere/train", transform=len)
print(folder.classes, len(folder), folder.transform is len, open(folder.samples[0][0], "rb").read(4))
assert torch.equal(state, torch.get_rng_state())
loader = torch.utils.data.DataLoader(folder, batch_size=8, shuffle=True)
""",
    )

    assert result.status == "identical", result.render()
    assert result.raw is not None
    assert result.raw.stdout.splitlines() == [
        *(
            f"{name} ({samples}, 32, 32, 3) uint8 <class 'int'> {classes} {classes - 1} {classes}"
            for name, classes in (("CIFAR10", 10), ("CIFAR100", 100), ("Mine", 10))
            for samples in (512, 128)
        ),
        "SVHN (512, 3, 32, 32) uint8 (512,) int64",
        "SVHN (128, 3, 32, 32) uint8 (128,) int64",
        "torch.Size([128, 28, 28]) True True",
        "['class_0', 'class_1'] 32 True b'\\x89PNG'",
    ]
    assert result.to_dict()["synthetic_data"] == [
        *(f"{name} ({samples} samples)" for name in ("CIFAR10", "CIFAR100", "SVHN") for samples in (512, 128)),
        "FashionMNIST (128 samples)",
        "ImageFolder of train (32 samples)",
    ]


def test_scripts_without_torchvision_are_as_they_were(project: Path) -> None:
    text = "import torch\nloader = [(torch.ones(2, 3), torch.ones(2, dtype=torch.int64))]\n"
    result = prove(project, text + "import importlib.util\nassert importlib.util.find_spec('torchvision.datasets')\n")

    assert result.status == "identical", result.render()
    assert result.raw is not None and result.raw.stand_ins == ()


def test_looking_for_the_module_before_its_import_changes_nothing(project: Path) -> None:
    look = "import importlib.util\nassert importlib.util.find_spec('torchvision.datasets')\n"

    assert prove(project, look + DIGITS).to_dict()["synthetic_data"]


def test_the_command_hands_it_on(invoke: Invoke, project: Path) -> None:
    for name in ("raw.py", "converted.py"):
        (project / name).write_text(DIGITS + TRAIN)

    told = invoke("verify", "raw.py", "converted.py", "--synthetic-data", "--format", "json")

    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["synthetic_data"] == ["MNIST (512 samples)", "MNIST (128 samples)"]


def test_pictures_are_files_that_others_read() -> None:
    image = pytest.importorskip("PIL.Image")
    import io

    colors = bytes(range(24))
    read = image.open(io.BytesIO(_png(4, 2, colors)))

    assert (read.size, read.mode, read.tobytes()) == ((4, 2), "RGB", colors)


def test_each_stand_in_is_told_once() -> None:
    assert told_in("A\t1\nB\t2\nA\t1\nhal") == ["A (1 samples)", "B (2 samples)"]


def test_missing_data_are_seen_in_the_last_words() -> None:
    where = '  File "/x/site-packages/torchvision/datasets/folder.py", line 41, in find_classes\n'
    missing = "FileNotFoundError: [Errno 2] No such file or directory: 'data/train'\n"

    assert "--synthetic-data" in missing_ground(where + missing, None)
    assert missing_ground(missing, None) == ""
    assert missing_ground(where + "ValueError: Dataset\n", None) == ""
