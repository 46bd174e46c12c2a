"""Train on the wines; network, data, engine and helpers stand in files of their own."""
import argparse

import lightning as L
import torch
import torch.nn as nn
from data import get_loaders
from model import ResidualMLP
from utils import EarlyStopping, set_seed


class LitResidualMLP(L.LightningModule):
    def __init__(self, model, criterion, stopping, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model
        self.criterion = criterion
        self.stopping = stopping

    def on_train_epoch_start(self):
        self.model.train()
        self.train_one_epoch_total, self.train_one_epoch_seen = 0.0, 0

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.criterion(self.model(x), y)

        self.train_one_epoch_total += loss.item() * len(x)
        self.train_one_epoch_seen += len(x)
        if batch_idx % self.hparams.print_freq == 0:
            print(f"epoch {self.current_epoch} step {batch_idx}: loss {loss.item():.4f}")
            self.log("loss", loss)
        return loss

    def on_validation_epoch_start(self):
        self.train_loss = self.train_one_epoch_total / self.train_one_epoch_seen
        self.evaluate_total, self.correct, self.evaluate_seen = 0.0, 0, 0

    def validation_step(self, batch, batch_idx):
        x, y = batch
        output = self.model(x)
        self.evaluate_total += self.criterion(output, y).item() * len(x)
        self.correct += (output.argmax(1) == y).sum().item()
        self.evaluate_seen += len(x)

    def on_validation_epoch_end(self):
        self.test_loss, self.test_acc = (
            self.evaluate_total / self.evaluate_seen,
            100.0 * self.correct / self.evaluate_seen,
        )
        self.log_dict({"test_acc": self.test_acc, "test_loss": self.test_loss})

    def on_train_epoch_end(self):
        print(
            f"* epoch {self.current_epoch}: train {self.train_loss:.4f}, test {self.test_loss:.4f}, accuracy {self.test_acc:.2f}"
        )
        self.log("train_loss", self.train_loss)
        self.stopping(self.test_loss, self.model)
        if self.stopping.early_stop:
            print("Early stopping")
            self.trainer.should_stop = True

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=self.hparams.lr, epochs=self.hparams.epochs, steps_per_epoch=1
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def main(args):
    set_seed(args.seed)
    device = torch.device(args.device)
    train_loader, test_loader = get_loaders(args.batch_size, args.seed)

    model = ResidualMLP(13, args.width, args.depth, 3, args.dropout).to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    stopping = EarlyStopping(args.patience)

    lit_residual_mlp = LitResidualMLP(model, criterion, stopping, args)
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator=device.type,
        devices=[device.index] if device.index else 1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_residual_mlp, train_loader, test_loader)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--print-freq", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    main(parser.parse_args())
