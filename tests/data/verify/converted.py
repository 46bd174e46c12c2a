"""The conversion of raw.py. The tests break it line by line."""

import argparse

import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 12)
        self.drop = nn.Dropout(0.3)
        self.last = nn.Linear(12, 1)

    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))


def points(n):
    x = torch.randn(n, 6)
    return TensorDataset(x, x.sum(1, keepdim=True) * 3)


class LitNet(L.LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def on_train_epoch_start(self):
        self.model.train()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.mse_loss(self.model(x), y)

    def on_validation_epoch_start(self):
        self.total = 0.0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.total += nn.functional.mse_loss(self.model(x), y).item()

    def on_validation_epoch_end(self):
        print(f"epoch {self.current_epoch} val {self.total:.6f}")
        torch.save(self.model.state_dict(), "last.pt")

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    torch.manual_seed(1)
    train_loader = DataLoader(points(40), batch_size=8, shuffle=True)
    val_loader = DataLoader(points(16), batch_size=8)
    model = Net()
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator="cpu",
        devices=1,
        gradient_clip_val=0.5,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(LitNet(model), train_loader, val_loader)


if __name__ == "__main__":
    main()
