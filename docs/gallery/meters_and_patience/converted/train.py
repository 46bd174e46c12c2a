"""Train a small convolutional classifier on synthetic glyphs."""
import argparse

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from lightning.pytorch.callbacks import EarlyStopping
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset, random_split


class GlyphNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(width * 16, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.fc(self.drop(x.flatten(1)))


class AverageMeter:
    """Keeps the last value and the average."""

    def __init__(self):
        self.val, self.sum, self.count = 0, 0, 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


def accuracy(output, target):
    """Share of right answers in per cent."""
    return output.argmax(dim=1).eq(target).float().mean() * 100


def glyphs(n):
    target = torch.randint(10, (n,))
    strokes = torch.randn(10, 1, 8, 8)
    return TensorDataset(strokes[target] + 1.5 * torch.randn(n, 1, 8, 8), target)


class LitGlyphNet(L.LightningModule):
    def __init__(self, model, criterion, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model
        self.criterion = criterion
        self.best_loss = float("inf")

    def on_train_epoch_start(self):
        self.train_losses, self.train_top1 = AverageMeter(), AverageMeter()

    def training_step(self, batch, batch_idx):
        images, target = batch
        output = self.model(images)
        loss = self.criterion(output, target)

        self.train_losses.update(loss.item(), images.size(0))
        self.train_top1.update(accuracy(output, target).item(), images.size(0))

        if batch_idx % self.hparams.print_freq == 0:
            print(
                f"Epoch [{self.current_epoch}][{batch_idx}/{len(self.trainer.train_dataloader)}] loss {self.train_losses.val:.4f} ({self.train_losses.avg:.4f}) acc {self.train_top1.avg:.2f}"
            )
            self.log_dict({"loss": float(self.train_losses.val), "acc": self.train_top1.avg})
        return loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        if self.trainer.is_last_batch:
            self.train_loss, self.train_acc = self.train_losses.avg, self.train_top1.avg

    def on_validation_epoch_start(self):
        self.validate_losses, self.validate_top1 = AverageMeter(), AverageMeter()

    def validation_step(self, batch, batch_idx):
        images, target = batch
        output = self.model(images)
        self.validate_losses.update(self.criterion(output, target).item(), images.size(0))
        self.validate_top1.update(accuracy(output, target).item(), images.size(0))

    def on_train_epoch_end(self):
        val_loss, val_acc = self.validate_losses.avg, self.validate_top1.avg
        print(
            f"Epoch {self.current_epoch}: train {self.train_loss:.4f} / {self.train_acc:.2f}, val {val_loss:.4f} / {val_acc:.2f}"
        )
        self.log_dict({"train_loss": self.train_loss, "train_acc": self.train_acc, "val_acc": val_acc})
        self.log("val_loss", torch.tensor(val_loss, dtype=torch.float64))

        if val_loss < self.best_loss:
            self.best_loss = val_loss
            torch.save(
                {"epoch": self.current_epoch + 1, "state_dict": self.model.state_dict(), "best_loss": self.best_loss},
                self.hparams.checkpoint,
            )

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.model.parameters(), lr=self.hparams.lr, momentum=self.hparams.momentum)
        scheduler = StepLR(optimizer, step_size=self.hparams.step_size, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--step-size", type=int, default=3)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--print-freq", type=int, default=5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--checkpoint", default="best.pth")
    args = parser.parse_args()

    L.seed_everything(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    train_set, val_set, test_set = random_split(glyphs(700), [450, 130, 120])
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=50)
    test_loader = DataLoader(test_set, batch_size=50)

    model = GlyphNet(args.width).to(device)
    criterion = nn.CrossEntropyLoss()

    lit_glyph_net = LitGlyphNet(model, criterion, args)
    trainer = L.Trainer(
        max_epochs=args.epochs,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        callbacks=[EarlyStopping("val_loss", patience=args.patience, check_finite=False)],
    )
    trainer.fit(lit_glyph_net, train_loader, val_loader)
    if trainer.should_stop:
        print(f"No better loss in {args.patience} epochs, stopping")

    checkpoint = torch.load(args.checkpoint)
    model.load_state_dict(checkpoint["state_dict"])
    trainer.validate(lit_glyph_net, test_loader, verbose=False)
    test_loss, test_acc = lit_glyph_net.validate_losses.avg, lit_glyph_net.validate_top1.avg
    print(f"Best epoch {checkpoint['epoch']}: test {test_loss:.4f} / {test_acc:.2f}")


if __name__ == "__main__":
    main()
