"""A class that trains: model, optimizer and loaders are its attributes, epochs and steps its methods."""
import logging
from dataclasses import dataclass
from pathlib import Path

import lightning as L
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


class LitModel(L.LightningModule):
    def __init__(self, own_trainer):
        super().__init__()
        self.own_trainer = own_trainer
        self.model = self.own_trainer.model

    def on_train_epoch_start(self):
        self.model.train()
        self.train_epoch_running = 0.0

    def training_step(self, batch, batch_idx):
        inputs, targets = batch
        loss = self.own_trainer.criterion(self.model(inputs), targets)
        self.train_epoch_running += loss.item() * inputs.size(0)
        return loss

    def on_validation_epoch_start(self):
        self.train_loss = self.train_epoch_running / len(self.own_trainer.train_loader.dataset)
        self.validate_running = 0.0

    def validation_step(self, batch, batch_idx):
        inputs, targets = batch
        self.validate_running += self.own_trainer.criterion(self.model(inputs), targets).item() * inputs.size(0)

    def on_validation_epoch_end(self):
        self.val_loss = self.validate_running / len(self.own_trainer.val_loader.dataset)
        self.log("val_loss", torch.tensor(self.val_loss, dtype=torch.float64))

    def on_train_epoch_end(self):
        self.own_trainer.scheduler.step(self.val_loss)
        log.info("epoch %d: train %.5f, val %.5f", self.current_epoch, self.train_loss, self.val_loss)
        self.log("train_loss", self.train_loss)
        if self.val_loss < self.own_trainer.best:
            self.own_trainer.best = self.val_loss
            self.own_trainer.save(self.current_epoch, self.val_loss)

    def configure_optimizers(self):
        return self.own_trainer.optimizer


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

    def save(self, epoch, val_loss):
        torch.save({"epoch": epoch, "model": self.model.state_dict(), "val_loss": val_loss}, self.out / "best.pt")

    def fit(self):
        lit_model = LitModel(self)
        device = torch.device(self.device)
        trainer_2 = L.Trainer(
            max_epochs=self.config.epochs,
            accelerator=device.type,
            devices=[device.index] if device.index else 1,
            gradient_clip_val=self.config.clip,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer_2.fit(lit_model, self.train_loader, self.val_loader)
        self.model.to(device)
        if trainer_2.current_epoch > 0:  # as the last validation leaves it
            self.model.eval()


if __name__ == "__main__":
    torch.manual_seed(3)
    config = Config()
    trainer = Trainer(LSTMForecaster(config.hidden), config, windows(150, 12, 0.1), windows(50, 12, 0.1))
    trainer.fit()
    log.info("best %.5f", trainer.best)
