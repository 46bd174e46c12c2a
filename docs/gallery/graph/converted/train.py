"""A graph network on one graph: the whole graph is the batch, masks say which nodes are trained and tested on."""
import argparse
import time

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super().__init__()
        self.gc1 = nn.Linear(nfeat, nhid)
        self.gc2 = nn.Linear(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(adj @ self.gc1(x))
        x = F.dropout(x, self.dropout, training=self.training)
        return F.log_softmax(adj @ self.gc2(x), dim=1)


def load_data(nodes=120, classes=4):
    labels = torch.randint(classes, (nodes,))
    near = labels[:, None] == labels[None, :]
    edges = torch.rand(nodes, nodes) < torch.where(near, 0.2, 0.02)
    adj = (edges | edges.t() | torch.eye(nodes, dtype=torch.bool)).float()
    features = F.one_hot(labels, classes).float() + torch.randn(nodes, classes)
    order = torch.randperm(nodes)
    return adj / adj.sum(1, keepdim=True), features, labels, order[:40], order[40:70], order[70:]


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    correct = preds.eq(labels).double().sum()
    return correct / len(labels)


parser = argparse.ArgumentParser()
parser.add_argument("--no-cuda", action="store_true", default=False, help="Disables CUDA training.")
parser.add_argument("--fastmode", action="store_true", default=False, help="Validate during training pass.")
parser.add_argument("--seed", type=int, default=42)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--weight_decay", type=float, default=5e-4)
parser.add_argument("--hidden", type=int, default=16)
parser.add_argument("--dropout", type=float, default=0.5)
args = parser.parse_args()
args.cuda = not args.no_cuda and torch.cuda.is_available()

torch.manual_seed(args.seed)
adj, features, labels, idx_train, idx_val, idx_test = load_data()
model = GCN(features.shape[1], args.hidden, labels.max().item() + 1, args.dropout)

if args.cuda:
    model.cuda()
    features = features.cuda()
    adj = adj.cuda()
    labels = labels.cuda()


class LitGCN(L.LightningModule):
    def __init__(self, model, adj, idx_val, labels, args):
        super().__init__()
        self.model = model
        self.adj = adj
        self.idx_val = idx_val
        self.labels = labels
        self.args = args

    def training_step(self, batch, batch_idx):
        features, idx_train, labels = batch
        self.t = time.time()
        self.output = self.model(features, self.adj)
        self.loss_train = F.nll_loss(self.output[idx_train], labels[idx_train])
        self.acc_train = accuracy(self.output[idx_train], labels[idx_train])
        return self.loss_train

    def validation_step(self, batch, batch_idx):
        features, idx_train, labels = batch
        self.output = self.model(features, self.adj)

    def on_train_epoch_end(self):
        loss_val = F.nll_loss(self.output[self.idx_val], self.labels[self.idx_val])
        acc_val = accuracy(self.output[self.idx_val], self.labels[self.idx_val])
        print(
            "Epoch: {:04d}".format(self.current_epoch + 1),
            "loss_train: {:.4f}".format(self.loss_train.item()),
            "acc_train: {:.4f}".format(self.acc_train.item()),
            "loss_val: {:.4f}".format(loss_val.item()),
            "acc_val: {:.4f}".format(acc_val.item()),
        )
        self.log_dict(
            {
                "loss_train": self.loss_train,
                "acc_train": self.acc_train.item(),
                "loss_val": loss_val.item(),
                "acc_val": acc_val.item(),
            }
        )
        (time.time() - self.t)

    def configure_optimizers(self):
        return torch.optim.Adam(self.model.parameters(), lr=self.args.lr, weight_decay=self.args.weight_decay)


def test():
    model.eval()
    output = model(features, adj)
    loss_test = F.nll_loss(output[idx_test], labels[idx_test])
    acc_test = accuracy(output[idx_test], labels[idx_test])
    print("Test set results:", "loss= {:.4f}".format(loss_test.item()), "accuracy= {:.4f}".format(acc_test.item()))


# The whole set is the one batch of every epoch. A generator of its own keeps
# the loader from drawing the script's random numbers.
loader = torch.utils.data.DataLoader(
    [(features, idx_train, labels)], batch_size=None, generator=torch.Generator()
)
lit_gcn = LitGCN(model, adj, idx_val, labels, args)
trainer = L.Trainer(
    max_epochs=args.epochs,
    accelerator="cuda" if args.cuda else "cpu",
    devices=1,
    limit_val_batches=0 if args.fastmode else 1.0,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(lit_gcn, loader, loader)
model.to("cuda" if args.cuda else "cpu")
print("Optimization Finished!")
test()
