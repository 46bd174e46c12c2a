"""Contrastive learning of two views, with a learning rate that is set by hand in every step."""
import argparse
import math
import time

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset


def parse_option():
    parser = argparse.ArgumentParser("argument for training")
    parser.add_argument("--print_freq", type=int, default=4)
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--learning_rate", type=float, default=0.1)
    parser.add_argument("--warm_epochs", type=int, default=1)
    parser.add_argument("--temp", type=float, default=0.2)
    parser.add_argument("--save_freq", type=int, default=2)
    return parser.parse_args()


class AverageMeter(object):
    """Computes and stores the average and current value"""

    def __init__(self):
        self.reset()

    def reset(self):
        self.val = 0
        self.avg = 0
        self.sum = 0
        self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


class TwoViews(Dataset):
    def __init__(self, count):
        self.clean = torch.randn(count, 16)

    def __len__(self):
        return len(self.clean)

    def __getitem__(self, index):
        sample = self.clean[index]
        return [sample + 0.3 * torch.randn(16), sample + 0.3 * torch.randn(16)]


class Encoder(nn.Module):
    def __init__(self, dim=16, feat_dim=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(dim, 32), nn.BatchNorm1d(32), nn.ReLU())
        self.head = nn.Linear(32, feat_dim)

    def forward(self, x):
        return F.normalize(self.head(self.encoder(x)), dim=1)


def info_nce(first, second, temperature):
    logits = first @ second.t() / temperature
    labels = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.t(), labels)) / 2


def adjust_learning_rate(args, optimizer, progress):
    if progress < args.warm_epochs:
        lr = args.learning_rate * progress / args.warm_epochs
    else:
        done = (progress - args.warm_epochs) / (args.epochs - args.warm_epochs)
        lr = args.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    for param_group in optimizer.param_groups:
        param_group["lr"] = lr


class LitEncoder(L.LightningModule):
    """one epoch training"""

    def __init__(self, model, opt):
        super().__init__()
        self.model = model
        self.opt = opt

    def on_train_epoch_start(self):
        self.batch_time = AverageMeter()
        self.losses = AverageMeter()

        self.end = time.time()

    def training_step(self, batch, batch_idx):
        first, second = batch
        bsz = first.shape[0]

        # warm-up and cosine, by hand
        adjust_learning_rate(
            self.opt, self.trainer.optimizers[0], self.current_epoch + batch_idx / len(self.trainer.train_dataloader)
        )

        # compute loss
        loss = info_nce(self.model(first), self.model(second), self.opt.temp)

        # update metric
        self.losses.update(loss.item(), bsz)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        # measure elapsed time
        self.batch_time.update(time.time() - self.end)
        self.end = time.time()

        # print info
        if (batch_idx + 1) % self.opt.print_freq == 0:
            print(
                "Train: [{0}][{1}/{2}]\tloss {loss.val:.3f} ({loss.avg:.3f})".format(
                    self.current_epoch, batch_idx + 1, len(self.trainer.train_dataloader), loss=self.losses
                )
            )
            self.log("loss", float(self.losses.val))

    def on_train_epoch_end(self):
        loss = self.losses.avg
        print(
            "epoch {}, loss {:.4f}, lr {:.5f}".format(
                self.current_epoch, loss, self.trainer.optimizers[0].param_groups[0]["lr"]
            )
        )
        self.log_dict({"train_loss": loss, "lr": self.trainer.optimizers[0].param_groups[0]["lr"]})

        if (self.current_epoch + 1) % self.opt.save_freq == 0:
            state = {
                "opt": vars(self.opt),
                "model": self.model.state_dict(),
                "optimizer": self.trainer.optimizers[0].state_dict(),
                "epoch": self.current_epoch,
            }
            torch.save(state, "ckpt_epoch_{epoch}.pth".format(epoch=self.current_epoch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.model.parameters(), lr=self.opt.learning_rate, momentum=0.9, weight_decay=1e-4)


def main():
    opt = parse_option()
    torch.manual_seed(2)

    train_loader = DataLoader(TwoViews(200), batch_size=opt.batch_size, shuffle=True, drop_last=True)
    model = Encoder()
    if torch.cuda.is_available():
        model = model.cuda()

    # training routine
    lit_encoder = LitEncoder(model, opt)
    trainer = L.Trainer(
        max_epochs=opt.epochs,
        accelerator="cuda" if torch.cuda.is_available() else "cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_encoder, train_loader)


if __name__ == "__main__":
    main()
