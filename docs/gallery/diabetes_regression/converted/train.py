"""Linear regression on the diabetes data with a full-batch loop: no loader, one step on everything per pass.

Convert, and prove that it still trains the same:

    torch2lit convert --diff examples/diabetes_regression.py
    torch2lit verify examples/diabetes_regression.py
"""
import lightning as L
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(42)

x, y = load_diabetes(return_X_y=True)
x = torch.tensor(x, dtype=torch.float32)
y = torch.tensor(y, dtype=torch.float32).unsqueeze(1)
x = (x - x.mean(0)) / x.std(0)
y = (y - y.mean()) / y.std()
order = torch.randperm(len(x))
train_idx, test_idx = order[:350], order[350:]
x_train, y_train = x[train_idx], y[train_idx]
x_test, y_test = x[test_idx], y[test_idx]

model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 1))
criterion = nn.MSELoss()

# The whole set is the one batch of every epoch. A generator of its own keeps
# the loader from drawing the script's random numbers.
train_loader = torch.utils.data.DataLoader(
    [(x_train, y_train)], batch_size=None, generator=torch.Generator()
)
val_loader = torch.utils.data.DataLoader(
    [(x_test, y_test)], batch_size=None, generator=torch.Generator()
)


class LitModel(L.LightningModule):
    def __init__(self, model, criterion):
        super().__init__()
        self.model = model
        self.criterion = criterion
        self.losses = []

    def training_step(self, batch, batch_idx):
        x_train, y_train = batch
        prediction = self.model(x_train)
        self.loss = self.criterion(prediction, y_train)
        self.log("train_loss", self.loss)
        self.losses.append(self.loss.item())
        self.log("loss", self.loss)
        return self.loss

    def validation_step(self, batch, batch_idx):
        x_test, y_test = batch
        self.test_loss = self.criterion(self.model(x_test), y_test)

    def on_validation_epoch_end(self):
        print(
            f"epoch {self.current_epoch + 1:3d}  train loss {self.loss.item():.4f}  test loss {self.test_loss.item():.4f}"
        )
        self.log("test_loss", self.test_loss.item())

    def configure_optimizers(self):
        return torch.optim.Adam(self.model.parameters(), lr=0.01, weight_decay=1e-3)


lit_model = LitModel(model, criterion)
trainer = L.Trainer(
    max_epochs=200,
    accelerator="cpu",
    devices=1,
    check_val_every_n_epoch=20,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(lit_model, train_loader, val_loader)

model.eval()
with torch.no_grad():
    error = model(x_test) - y_test
    r2 = 1 - error.pow(2).sum() / (y_test - y_test.mean()).pow(2).sum()
print(f"lowest train loss {min(lit_model.losses):.4f} in epoch {lit_model.losses.index(min(lit_model.losses)) + 1}, test r2 {r2.item():.3f}")
