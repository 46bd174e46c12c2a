"""Denoise signals; an AveragedModel follows the weights and is used for validation."""
import argparse

import lightning as L
import torch
import torch.nn as nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm


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
    def __init__(self, model, ema_model, criterion, train_loader, val_loader, args):
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters(vars(args))
        self.model = model
        self.ema_model = ema_model
        self.criterion = criterion
        self.train_loader = train_loader
        self.val_loader = val_loader

    def training_step(self, batch, batch_idx):
        optimizer = self.optimizers()
        self.model.train()
        loader = self.train_loader
        if self.hparams.progress:
            loader = tqdm(loader, desc=f"epoch {self.current_epoch + 1}")
        loss_sum, norm_max = 0.0, 0.0
        for noisy, clean in loader:
            noisy, clean = noisy.to(self.device), clean.to(self.device)
            loss = self.criterion(self.model(noisy), clean)
            optimizer.zero_grad()
            self.manual_backward(loss)
            grad_norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), float("inf"))
            optimizer.step()
            self.ema_model.update_parameters(self.model)

            loss_sum += loss.item()
            norm_max = max(norm_max, grad_norm.item())
            if self.hparams.progress:
                loader.set_postfix(loss=loss.item(), grad_norm=grad_norm.item())

        self.ema_model.eval()
        val_sum = 0.0
        with torch.no_grad():
            for noisy, clean in self.val_loader:
                noisy, clean = noisy.to(self.device), clean.to(self.device)
                val_sum += self.criterion(self.ema_model(noisy), clean).item()
        torch.save(self.ema_model.module.state_dict(), f"ema_{self.current_epoch + 1}.pt")
        print(
            f"epoch {self.current_epoch + 1}: train {loss_sum / len(self.train_loader):.6f},"
            f" largest gradient {norm_max:.6f}, val with average {val_sum / len(self.val_loader):.6f}"
        )
        self.log_dict(
            {
                "loss_sum": loss_sum / len(self.train_loader),
                "norm_max": norm_max,
                "val_with_average": val_sum / len(self.val_loader),
            }
        )

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

    lit_denoiser = LitDenoiser(model, ema_model, criterion, train_loader, val_loader, args)
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_denoiser, [0])
    torch.save(model.state_dict(), "last.pt")


if __name__ == "__main__":
    main()
