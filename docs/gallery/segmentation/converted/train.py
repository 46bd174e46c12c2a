"""Segment blobs with a small U-Net; keeps the best weights and can go on from a checkpoint."""
import argparse
import os

import lightning as L
import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, Dataset


class Blobs(Dataset):
    """Bright discs on a noisy ground, and where they are."""

    def __init__(self, count, size, seed):
        generator = torch.Generator().manual_seed(seed)
        grid = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")).float()
        centres = torch.rand(count, 2, generator=generator) * size
        radii = 2 + 3 * torch.rand(count, generator=generator)
        distance = (grid[None] - centres[:, :, None, None]).pow(2).sum(1).sqrt()
        self.masks = (distance < radii[:, None, None]).float().unsqueeze(1)
        self.images = self.masks + 0.7 * torch.randn(self.masks.shape, generator=generator)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.masks[index]


def block(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class UNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = block(1, width)
        self.bottom = block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.fuse = block(2 * width, width)
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        skip = self.down(x)
        x = self.bottom(nn.functional.max_pool2d(skip, 2))
        return self.head(self.fuse(torch.cat([skip, self.up(x)], dim=1)))


def dice_loss(logits, masks):
    probabilities = torch.sigmoid(logits)
    overlap = (probabilities * masks).sum()
    return 1 - (2 * overlap + 1) / (probabilities.sum() + masks.sum() + 1)


def mean_iou(model, loader, device):
    model.eval()
    overlap, union = 0.0, 0.0
    with torch.no_grad():
        for images, masks in loader:
            images, masks = images.to(device), masks.to(device)
            found = model(images) > 0
            overlap += (found & (masks > 0)).sum().item()
            union += (found | (masks > 0)).sum().item()
    return overlap / max(union, 1.0)


class LitUNet(L.LightningModule):
    def __init__(self, model, best, criterion, optimizer_state, scheduler_state, start_epoch, args):
        super().__init__()
        self.hparams.update(vars(args))
        self.model = model
        self.best = best
        self.criterion = criterion
        self.optimizer_state = optimizer_state
        self.scheduler_state = scheduler_state
        self.start_epoch = start_epoch

    def on_train_epoch_start(self):
        self.total = 0.0

    def training_step(self, batch, batch_idx):
        images, masks = batch
        logits = self.model(images)
        loss = self.criterion(logits, masks) + dice_loss(logits, masks)
        self.total += loss.item()
        return loss

    def on_validation_epoch_start(self):
        self.overlap, self.union = 0.0, 0.0

    def validation_step(self, batch, batch_idx):
        images, masks = batch
        found = self.model(images) > 0
        self.overlap += (found & (masks > 0)).sum().item()
        self.union += (found | (masks > 0)).sum().item()

    def on_validation_epoch_end(self):
        self.iou = self.overlap / max(self.union, 1.0)
        self.log("val_iou", torch.tensor(self.iou, dtype=torch.float64))

    def on_train_epoch_end(self):
        epoch = self.current_epoch + self.start_epoch
        print(
            f"epoch {epoch + 1}/{self.hparams.epochs}  loss {self.total / len(self.trainer.train_dataloader):.4f}  iou {self.iou:.4f}"
        )
        self.log("loss", self.total / len(self.trainer.train_dataloader))
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.trainer.optimizers[0].state_dict(),
            "scheduler": self.lr_schedulers().state_dict(),
            "epoch": epoch + 1,
            "best": max(self.best, self.iou),
        }
        torch.save(state, os.path.join(self.hparams.out, "last.pt"))
        if self.iou > self.best:
            self.best = self.iou
            torch.save(self.model.state_dict(), os.path.join(self.hparams.out, "best.pt"))

    def configure_optimizers(self):
        optimizer = optim.AdamW(self.model.parameters(), lr=self.hparams.lr, weight_decay=1e-4)
        scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.hparams.epochs)
        if self.optimizer_state is not None:
            optimizer.load_state_dict(self.optimizer_state)
        if self.scheduler_state is not None:
            scheduler.load_state_dict(self.scheduler_state)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def main():
    parser = argparse.ArgumentParser(description="Segmentation of blobs")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--resume", default="", help="checkpoint to go on from")
    parser.add_argument("--out", default="checkpoints")
    args = parser.parse_args()

    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_loader = DataLoader(Blobs(60, 16, seed=1), batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(Blobs(20, 16, seed=2), batch_size=args.batch_size)

    model = UNet(args.width).to(device)
    criterion = nn.BCEWithLogitsLoss()
    optimizer_state = None
    scheduler_state = None

    start_epoch, best = 0, 0.0
    if args.resume:
        state = torch.load(args.resume, map_location=device)
        model.load_state_dict(state["model"])
        optimizer_state = state["optimizer"]
        scheduler_state = state["scheduler"]
        start_epoch, best = state["epoch"], state["best"]
        print(f"resumed {args.resume} at epoch {start_epoch}")

    os.makedirs(args.out, exist_ok=True)
    lit_u_net = LitUNet(model, best, criterion, optimizer_state, scheduler_state, start_epoch, args)
    trainer = L.Trainer(
        max_epochs=max(args.epochs - start_epoch, 0),
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_u_net, train_loader, val_loader)
    model.to(device)

    model.load_state_dict(torch.load(os.path.join(args.out, "best.pt")))
    print(f"best iou {mean_iou(model, val_loader, device):.4f}")


if __name__ == "__main__":
    main()
