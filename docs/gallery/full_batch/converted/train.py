"""Classify the nodes of a synthetic graph, the whole graph in every step."""
import argparse

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--hidden", type=int, default=16)
parser.add_argument("--dropout", type=float, default=0.5)
parser.add_argument("--lr", type=float, default=0.02)
parser.add_argument("--weight-decay", type=float, default=5e-4)
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()


class GCN(nn.Module):
    def __init__(self, features, hidden, classes, dropout):
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, classes)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(adj @ self.first(x))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(adj @ self.second(x), dim=1)


def community_graph(nodes, classes):
    """Nodes of one class are linked more often than others; rows of the matrix sum to one."""
    labels = torch.arange(nodes) % classes
    near = (labels[:, None] == labels[None, :]).float() * 0.04 + 0.02
    links = torch.bernoulli(near.triu(1))
    adj = links + links.T + torch.eye(nodes)
    features = torch.randn(nodes, 12) + 3 * F.one_hot(labels, 12)
    return features, adj / adj.sum(dim=1, keepdim=True), labels


def accuracy(output, labels):
    return output.argmax(dim=1).eq(labels).double().mean()


torch.manual_seed(args.seed)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
features, adj, labels = community_graph(240, 4)
order = torch.randperm(240)
idx_train, idx_val, idx_test = order[:60], order[60:120], order[120:]

model = GCN(features.shape[1], args.hidden, 4, args.dropout).to(device)
features, adj, labels = features.to(device), adj.to(device), labels.to(device)
idx_train, idx_val, idx_test = idx_train.to(device), idx_val.to(device), idx_test.to(device)


class LitGCN(L.LightningModule):
    def __init__(self, model, args):
        super().__init__()
        self.save_hyperparameters(vars(args))
        self.model = model

    def training_step(self, batch, batch_idx):
        features, adj, idx_train, labels, idx_val = batch
        output = self.model(features, adj)
        self.loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        self.log("loss_train", self.loss_train)
        self.acc_train = accuracy(output[idx_train], labels[idx_train])
        return self.loss_train

    def validation_step(self, batch, batch_idx):
        features, adj, idx_train, labels, idx_val = batch
        output = self.model(features, adj)
        self.loss_val = F.nll_loss(output[idx_val], labels[idx_val])
        self.acc_val = accuracy(output[idx_val], labels[idx_val])

    def on_validation_epoch_end(self):
        print(
            f"Epoch: {self.current_epoch + 1:04d} loss_train: {self.loss_train.item():.4f} acc_train: {self.acc_train.item():.4f}"
            f" loss_val: {self.loss_val.item():.4f} acc_val: {self.acc_val.item():.4f}"
        )
        self.log_dict(
            {
                "acc_train": self.acc_train.item(),
                "loss_val": self.loss_val.item(),
                "acc_val": self.acc_val.item(),
            }
        )

    def configure_optimizers(self):
        return torch.optim.Adam(
            self.model.parameters(), lr=self.hparams.lr, weight_decay=self.hparams.weight_decay
        )


def test():
    model.eval()
    with torch.no_grad():
        output = model(features, adj)
    loss_test = F.nll_loss(output[idx_test], labels[idx_test])
    acc_test = accuracy(output[idx_test], labels[idx_test])
    print(f"Test set results: loss= {loss_test.item():.4f} accuracy= {acc_test.item():.4f}")


# The whole set is the one batch of every epoch. A generator of its own keeps
# the loader from drawing the script's random numbers.
loader = torch.utils.data.DataLoader(
    [(features, adj, idx_train, labels, idx_val)], batch_size=None, generator=torch.Generator()
)
lit_gcn = LitGCN(model, args)
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
trainer.fit(lit_gcn, loader, loader)
model.to(device)
print("Optimization Finished!")
test()
torch.save(model.state_dict(), "gcn.pth")
