"""A character model, driven by iterations: batches at random places, a hand-written schedule, micro-steps."""
import argparse
import math
from contextlib import nullcontext

import lightning as L
import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--max-iters", type=int, default=24)
parser.add_argument("--eval-interval", type=int, default=8)
parser.add_argument("--eval-iters", type=int, default=5)
parser.add_argument("--log-interval", type=int, default=4)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--block-size", type=int, default=16)
parser.add_argument("--n-embd", type=int, default=32)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--gradient-accumulation-steps", type=int, default=2)
parser.add_argument("--learning-rate", type=float, default=1e-2)
parser.add_argument("--min-lr", type=float, default=1e-3)
parser.add_argument("--warmup-iters", type=int, default=4)
parser.add_argument("--weight-decay", type=float, default=0.1)
parser.add_argument("--grad-clip", type=float, default=1.0)
parser.add_argument("--bf16", action="store_true")
args = parser.parse_args()


class CharModel(nn.Module):
    def __init__(self, vocab, block_size, n_embd, dropout):
        super().__init__()
        self.token = nn.Embedding(vocab, n_embd)
        self.place = nn.Parameter(torch.randn(block_size, n_embd) * 0.02)
        self.mix = nn.Linear(n_embd, 3 * n_embd)
        self.norm = nn.LayerNorm(n_embd)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(n_embd, vocab)

    def forward(self, idx, targets):
        x = self.drop(self.token(idx) + self.place[: idx.size(1)])
        q, k, v = self.mix(self.norm(x)).chunk(3, dim=-1)
        x = x + self.drop(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        logits = self.head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


def get_batch(split):
    data = train_data if split == "train" else val_data
    start = torch.randint(len(data) - args.block_size, (args.batch_size,))
    x = torch.stack([data[i : i + args.block_size] for i in start])
    y = torch.stack([data[i + 1 : i + 1 + args.block_size] for i in start])
    return x.to(device), y.to(device)


@torch.no_grad()
def estimate_loss():
    out = {}
    model.eval()
    for split in ["train", "val"]:
        losses = torch.zeros(args.eval_iters)
        for k in range(args.eval_iters):
            x, y = get_batch(split)
            with ctx:
                logits, loss = model(x, y)
            losses[k] = loss.item()
        out[split] = losses.mean()
    model.train()
    return out


def get_lr(it):
    if it < args.warmup_iters:
        return args.learning_rate * (it + 1) / args.warmup_iters
    ratio = (it - args.warmup_iters) / (args.max_iters - args.warmup_iters)
    return args.min_lr + 0.5 * (1.0 + math.cos(math.pi * ratio)) * (args.learning_rate - args.min_lr)


torch.manual_seed(1337)
device = "cuda" if torch.cuda.is_available() else "cpu"
ctx = torch.autocast(device, dtype=torch.bfloat16) if args.bf16 else nullcontext()

text = "the quick brown fox jumps over the lazy dog and runs away. " * 40
chars = sorted(set(text))
data = torch.tensor([chars.index(c) for c in text])
train_data, val_data = data[:2000], data[2000:]

model = CharModel(len(chars), args.block_size, args.n_embd, args.dropout).to(device)
decay = [p for p in model.parameters() if p.dim() >= 2]
nodecay = [p for p in model.parameters() if p.dim() < 2]
groups = [{"params": decay, "weight_decay": args.weight_decay}, {"params": nodecay, "weight_decay": 0.0}]


class LitCharModel(L.LightningModule):
    def __init__(self, model, ctx, groups, args):
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters(vars(args), ignore=["ctx"])
        self.model = model
        self.ctx = ctx
        self.groups = groups
        self.best_val_loss = float("inf")

    def training_step(self, it, batch_idx):
        optimizer = self.optimizers()
        lr = get_lr(it)
        for group in optimizer.param_groups:
            group["lr"] = lr

        if it % self.hparams.eval_interval == 0:
            losses = estimate_loss()
            print(f"step {it}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
            self.log_dict({"train_loss": float(losses['train']), "val_loss": float(losses['val'])})
            if losses["val"] < self.best_val_loss:
                self.best_val_loss = losses["val"]
                if it > 0:
                    torch.save(
                        {"model": self.model.state_dict(), "iter": it, "best_val_loss": self.best_val_loss},
                        "ckpt.pt",
                    )
        if it == self.hparams.max_iters:
            self.trainer.should_stop = True
            return

        for micro_step in range(self.hparams.gradient_accumulation_steps):
            x, y = get_batch("train")
            with self.ctx:
                logits, self.loss = self.model(x, y)
                self.loss = self.loss / self.hparams.gradient_accumulation_steps
            self.manual_backward(self.loss)
        if self.hparams.grad_clip != 0.0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.hparams.grad_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        if it % self.hparams.log_interval == 0:
            print(
                f"iter {it}: loss {self.loss.item() * self.hparams.gradient_accumulation_steps:.4f}, lr {lr:.6f}"
            )
            self.log_dict({"loss": self.loss.item() * self.hparams.gradient_accumulation_steps, "lr": lr})

    def configure_optimizers(self):
        return torch.optim.AdamW(self.groups, lr=self.hparams.learning_rate, betas=(0.9, 0.95))


lit_char_model = LitCharModel(model, ctx, groups, args)
trainer = L.Trainer(
    max_epochs=1,
    accelerator=device,
    devices=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(lit_char_model, range(args.max_iters + 1))
