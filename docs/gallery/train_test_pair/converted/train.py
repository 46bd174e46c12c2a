"""A raw script in the most common shape: a train()/test() pair, the epoch loop in main()."""
import argparse

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        return F.log_softmax(self.fc2(self.drop(F.relu(self.fc1(x)))), dim=1)


def blobs(n):
    target = torch.arange(n) % 10
    return TensorDataset(torch.randn(n, 64) + target[:, None] / 3, target)


class LitNet(L.LightningModule):
    def __init__(self, model, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model
        self.best = 0.0

    def training_step(self, batch, batch_idx):
        data, target = batch
        output = self.model(data)
        loss = F.nll_loss(output, target)  # the model returns log-probabilities
        if batch_idx % self.hparams.log_interval == 0:
            print(
                f"epoch {self.current_epoch + 1} [{batch_idx * len(data)}/{len(self.trainer.train_dataloader.dataset)}] loss {loss.item():.6f}"
            )
            self.log("loss", loss)
        return loss

    def on_validation_epoch_start(self):
        self.test_loss = 0
        self.correct = 0

    def validation_step(self, batch, batch_idx):
        data, target = batch
        output = self.model(data)
        self.test_loss += F.nll_loss(output, target, reduction="sum").item()  # sum up the batch
        self.correct += output.argmax(dim=1).eq(target).sum().item()

    def on_validation_epoch_end(self):
        test_loader = self.trainer.val_dataloaders
        self.test_loss /= len(test_loader.dataset)
        self.accuracy = self.correct / len(test_loader.dataset)
        print(f"test loss {self.test_loss:.4f}, accuracy {self.accuracy:.3f}")
        self.log_dict(
            {"val_accuracy": torch.tensor(self.accuracy, dtype=torch.float64), "test_loss": self.test_loss}
        )

    def on_train_epoch_end(self):
        if self.accuracy > self.best:
            self.best = self.accuracy
            torch.save(self.model.state_dict(), "best.pt")

    def configure_optimizers(self):
        optimizer = torch.optim.Adadelta(self.model.parameters(), lr=self.hparams.lr)
        scheduler = StepLR(optimizer, step_size=1, gamma=self.hparams.gamma)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=48)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=5)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    train_loader = DataLoader(blobs(500), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(blobs(200), batch_size=100)

    model = Net(args.hidden)

    lit_net = LitNet(model, args)
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
    trainer.fit(lit_net, train_loader, test_loader)
    print(f"best accuracy {lit_net.best:.3f}")


if __name__ == "__main__":
    main()
