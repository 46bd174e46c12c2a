"""Denoise signals; an AveragedModel follows the weights and is used for validation."""
import argparse

import lightning as L
import torch
import torch.nn as nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset


class Denoiser(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, width, 5, padding=2), nn.ReLU(), nn.Dropout(0.1), nn.Conv1d(width, 1, 5, padding=2)
        )

    def forward(self, x):
        return x + self.body(x)


def signals(n):
    phase = torch.rand(n, 1, 1) * 6.28
    clean = torch.sin(torch.linspace(0, 12, 40).expand(n, 1, 40) + phase)
    return TensorDataset(clean + 0.4 * torch.randn(n, 1, 40), clean)


class LitDenoiser(L.LightningModule):
    def __init__(self, model, ema_model, criterion, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model
        self.ema_model = ema_model
        self.criterion = criterion

    def on_train_epoch_start(self):
        self.model.train()
        self.loss_sum, self.norm_max = 0.0, 0.0

    def training_step(self, batch, batch_idx):
        noisy, clean = batch
        loss = self.criterion(self.model(noisy), clean)
        return loss

    def on_before_optimizer_step(self, optimizer):
        self.grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), float("inf"))

    def on_train_batch_end(self, outputs, batch, batch_idx):
        loss = outputs["loss"]
        self.ema_model.update_parameters(self.model)

        self.loss_sum += loss.item()
        self.norm_max = max(self.norm_max, self.grad_norm.item())
        if self.hparams.progress:
            self.log("loss", loss.item(), prog_bar=True)
            self.log("grad_norm", self.grad_norm.item(), prog_bar=True)

    def on_validation_epoch_start(self):
        self.val_sum = 0.0

    def validation_step(self, batch, batch_idx):
        noisy, clean = batch
        self.val_sum += self.criterion(self.ema_model(noisy), clean).item()

    def on_train_epoch_end(self):
        self.ema_model.eval()  # as the validation leaves it
        torch.save(self.ema_model.module.state_dict(), f"ema_{self.current_epoch + 1}.pt")
        print(
            f"epoch {self.current_epoch + 1}: train {self.loss_sum / len(self.trainer.train_dataloader):.6f},"
            f" largest gradient {self.norm_max:.6f}, val with average {self.val_sum / len(self.trainer.val_dataloaders):.6f}"
        )
        self.log_dict(
            {
                "loss_sum": self.loss_sum / len(self.trainer.train_dataloader),
                "norm_max": self.norm_max,
                "val_with_average": self.val_sum / len(self.trainer.val_dataloaders),
            }
        )

    def on_validation_model_zero_grad(self):
        pass  # the script does not clear them here

    def configure_optimizers(self):
        return torch.optim.AdamW(self.model.parameters(), lr=self.hparams.lr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--ema_decay", type=float, default=0.9)
    parser.add_argument("--progress", action="store_true")
    args = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader = DataLoader(signals(320), batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(signals(100), batch_size=50)

    model = Denoiser(args.width)
    ema_model = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(args.ema_decay))
    criterion = nn.MSELoss()

    lit_denoiser = LitDenoiser(model, ema_model, criterion, args)
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=True,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_denoiser, train_loader, val_loader)
    torch.save(model.state_dict(), "last.pt")


if __name__ == "__main__":
    main()
