"""torch2lit turns raw PyTorch training scripts into PyTorch Lightning and proves that they still train the same."""

__version__ = "0.1.0"
