"""A class that trains: model, optimizer and loaders are its attributes, epochs and steps its methods."""
import logging
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

logging.basicConfig(level=logging.INFO, format="%(message)s")
log = logging.getLogger("train")


@dataclass
class Config:
    epochs: int = 4
    batch_size: int = 16
    lr: float = 3e-3
    hidden: int = 32
    clip: float = 1.0
    out: str = "runs"


class LSTMForecaster(nn.Module):
    """Predicts the next value of a series from a window."""

    def __init__(self, hidden):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, window):
        states, _ = self.lstm(window)
        return self.head(states[:, -1])


def windows(count, length, noise):
    time = torch.arange(count + length).float()
    series = torch.sin(time / 5) + noise * torch.randn(count + length)
    inputs = torch.stack([series[i : i + length] for i in range(count)]).unsqueeze(-1)
    return TensorDataset(inputs, series[length : length + count].unsqueeze(-1))


class Trainer:
    def __init__(self, model, config, train_set, val_set):
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.criterion = nn.MSELoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.lr)
        self.scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=0)
        self.train_loader = DataLoader(train_set, batch_size=config.batch_size, shuffle=True)
        self.val_loader = DataLoader(val_set, batch_size=config.batch_size)
        self.best = float("inf")
        self.out = Path(config.out)
        self.out.mkdir(exist_ok=True)

    def train_epoch(self):
        self.model.train()
        running = 0.0
        for inputs, targets in self.train_loader:
            inputs, targets = inputs.to(self.device), targets.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(inputs), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
            self.optimizer.step()
            running += loss.item() * inputs.size(0)
        return running / len(self.train_loader.dataset)

    @torch.no_grad()
    def validate(self):
        self.model.eval()
        running = 0.0
        for inputs, targets in self.val_loader:
            inputs, targets = inputs.to(self.device), targets.to(self.device)
            running += self.criterion(self.model(inputs), targets).item() * inputs.size(0)
        return running / len(self.val_loader.dataset)

    def save(self, epoch, val_loss):
        torch.save({"epoch": epoch, "model": self.model.state_dict(), "val_loss": val_loss}, self.out / "best.pt")

    def fit(self):
        for epoch in range(self.config.epochs):
            train_loss = self.train_epoch()
            val_loss = self.validate()
            self.scheduler.step(val_loss)
            log.info("epoch %d: train %.5f, val %.5f", epoch, train_loss, val_loss)
            if val_loss < self.best:
                self.best = val_loss
                self.save(epoch, val_loss)


if __name__ == "__main__":
    torch.manual_seed(3)
    config = Config()
    trainer = Trainer(LSTMForecaster(config.hidden), config, windows(150, 12, 0.1), windows(50, 12, 0.1))
    trainer.fit()
    log.info("best %.5f", trainer.best)
