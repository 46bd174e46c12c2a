"""Handwritten digits with a small fully connected network, in the train()/test() style.

Convert, and prove that it still trains the same:

    torch2lit convert --diff examples/digits_mlp.py
    torch2lit verify examples/digits_mlp.py -- --epochs 3
"""
import argparse

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.fc1 = nn.Linear(64, hidden)
        self.dropout = nn.Dropout(0.25)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.fc2(self.dropout(x))
        return F.log_softmax(x, dim=1)


class LitNet(L.LightningModule):
    def __init__(self, model, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model

    def training_step(self, batch, batch_idx):
        train_loader = self.trainer.train_dataloader
        data, target = batch
        output = self.model(data)
        loss = F.nll_loss(output, target)
        if batch_idx % self.hparams.log_interval == 0:
            print(
                "Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}".format(
                    self.current_epoch + 1,
                    batch_idx * len(data),
                    len(train_loader.dataset),
                    100.0 * batch_idx / len(train_loader),
                    loss.item(),
                )
            )
            self.log("loss", loss)
        return loss

    def on_validation_epoch_start(self):
        self.test_loss = 0
        self.correct = 0

    def validation_step(self, batch, batch_idx):
        data, target = batch
        output = self.model(data)
        self.test_loss += F.nll_loss(output, target, reduction="sum").item()  # sum up batch loss
        pred = output.argmax(dim=1, keepdim=True)  # the most likely class
        self.correct += pred.eq(target.view_as(pred)).sum().item()

    def on_validation_epoch_end(self):
        test_loader = self.trainer.val_dataloaders
        self.test_loss /= len(test_loader.dataset)
        print(
            "\nTest set: Average loss: {:.4f}, Accuracy: {}/{} ({:.0f}%)\n".format(
                self.test_loss,
                self.correct,
                len(test_loader.dataset),
                100.0 * self.correct / len(test_loader.dataset),
            )
        )
        self.log("val_accuracy", 100.0 * self.correct / len(test_loader.dataset))
        self.log("test_loss", self.test_loss)

    def configure_optimizers(self):
        optimizer = torch.optim.Adadelta(self.model.parameters(), lr=self.hparams.lr)
        scheduler = StepLR(optimizer, step_size=1, gamma=self.hparams.gamma)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}


def load_data():
    digits = load_digits()
    x = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    y = torch.tensor(digits.target)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
    return TensorDataset(x_train, y_train), TensorDataset(x_test, y_test)


def main():
    parser = argparse.ArgumentParser(description="Digits example")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="training batch size (default: 64)")
    parser.add_argument("--epochs", type=int, default=5, metavar="N", help="number of epochs (default: 5)")
    parser.add_argument("--lr", type=float, default=1.0, metavar="LR", help="learning rate (default: 1.0)")
    parser.add_argument("--gamma", type=float, default=0.7, metavar="M", help="learning rate decay (default: 0.7)")
    parser.add_argument("--hidden", type=int, default=64, metavar="N", help="hidden units (default: 64)")
    parser.add_argument("--no-cuda", action="store_true", help="stay on the CPU")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="random seed (default: 1)")
    parser.add_argument("--log-interval", type=int, default=10, metavar="N", help="batches between two lines")
    parser.add_argument("--save-model", action="store_true", help="save the trained model")
    args = parser.parse_args()

    use_cuda = not args.no_cuda and torch.cuda.is_available()
    torch.manual_seed(args.seed)
    device = torch.device("cuda" if use_cuda else "cpu")

    train_set, test_set = load_data()
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=256)

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

    if args.save_model:
        torch.save(model.state_dict(), "digits_mlp.pt")


if __name__ == "__main__":
    main()
