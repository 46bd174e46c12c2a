"""A variational autoencoder of the handwritten digits that ship with scikit-learn."""
from __future__ import print_function

import argparse

import lightning as L
import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser(description="VAE digits example")
parser.add_argument("--batch-size", type=int, default=128, metavar="N")
parser.add_argument("--epochs", type=int, default=3, metavar="N")
parser.add_argument("--seed", type=int, default=1, metavar="S")
parser.add_argument("--log-interval", type=int, default=4, metavar="N")
args = parser.parse_args()

torch.manual_seed(args.seed)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
train_loader = DataLoader(TensorDataset(images[:1400]), batch_size=args.batch_size, shuffle=True)
test_loader = DataLoader(TensorDataset(images[1400:]), batch_size=args.batch_size, shuffle=False)


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()

        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


model = VAE()


# Reconstruction + KL divergence losses summed over all elements and batch
def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x, reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


class LitVAE(L.LightningModule):
    def __init__(self, model, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model

    def on_train_epoch_start(self):
        self.train_loss = 0

    def training_step(self, batch, batch_idx):
        train_loader = self.trainer.train_dataloader
        (data,) = batch
        recon_batch, mu, logvar = self.model(data)
        loss = loss_function(recon_batch, data, mu, logvar)
        self.train_loss += loss.item()
        if batch_idx % self.hparams.log_interval == 0:
            print(
                "Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}".format(
                    self.current_epoch + 1,
                    batch_idx * len(data),
                    len(train_loader.dataset),
                    100.0 * batch_idx / len(train_loader),
                    loss.item() / len(data),
                )
            )
            self.log("loss", loss.item() / len(data))
        return loss

    def on_validation_epoch_start(self):
        print(
            "====> Epoch: {} Average loss: {:.4f}".format(
                self.current_epoch + 1, self.train_loss / len(self.trainer.train_dataloader.dataset)
            )
        )
        self.log("average_loss", self.train_loss / len(self.trainer.train_dataloader.dataset))
        self.test_loss = 0

    def validation_step(self, batch, batch_idx):
        (data,) = batch
        recon_batch, mu, logvar = self.model(data)
        self.test_loss += loss_function(recon_batch, data, mu, logvar).item()

    def on_validation_epoch_end(self):
        self.test_loss /= len(self.trainer.val_dataloaders.dataset)
        print("====> Test set loss: {:.4f}".format(self.test_loss))
        self.log("test_loss", self.test_loss)

    def on_train_epoch_end(self):
        with torch.no_grad():
            sample = torch.randn(4, 4).to(self.device)
            sample = self.model.decode(sample).cpu()
            torch.save(sample, "sample_" + str(self.current_epoch + 1) + ".pt")

    def configure_optimizers(self):
        return optim.Adam(self.model.parameters(), lr=1e-3)


if __name__ == "__main__":
    lit_vae = LitVAE(model, args)
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
    trainer.fit(lit_vae, train_loader, test_loader)
