"""A wrong conversion of accumulating.py: Trainer steps on the last batch of every epoch."""

import lightning as L
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = torch.randn(40, 4)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)


class LitLinear(L.LightningModule):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def training_step(self, batch, batch_idx):
        data, target = batch
        return nn.functional.mse_loss(self.model(data), target)

    def configure_optimizers(self):
        return torch.optim.SGD(self.model.parameters(), lr=0.1)


trainer = L.Trainer(
    max_epochs=4,
    accelerator="cpu",
    devices=1,
    accumulate_grad_batches=2,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(LitLinear(nn.Linear(4, 1)), loader)
