"""A network that solves y' = -y with L-BFGS: the optimizer evaluates the loss several times in one step."""
import lightning as L
import torch
import torch.nn as nn

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


class Solution(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, t):
        return 1 + t * self.net(t)  # y(0) = 1


def residual(model, t):
    t = t.requires_grad_(True)
    y = model(t)
    dy = torch.autograd.grad(y.sum(), t, create_graph=True)[0]
    return (dy + y).pow(2).mean()


model = Solution()
points = torch.linspace(0, 2, 40).unsqueeze(1)
steps = 12


class LitSolution(L.LightningModule):
    def __init__(self, model, points):
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.points = points

    def training_step(self, step, batch_idx):
        optimizer = self.optimizers()

        def closure():
            optimizer.zero_grad()
            loss = residual(self.model, self.points)
            self.manual_backward(loss)
            return loss

        loss = optimizer.step(closure)
        if step % 3 == 0:
            with torch.no_grad():
                error = (self.model(self.points) - torch.exp(-self.points)).abs().max()
            print(f"step {step}: residual {loss.item():.3e}, largest error {error.item():.3e}")
            self.log_dict({"loss": loss, "error": error.item()})

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.model.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")


lit_solution = LitSolution(model, points)
trainer = L.Trainer(
    max_epochs=1,
    accelerator="cpu",
    devices=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(lit_solution, range(steps))
optimizer = trainer.optimizers[0]

torch.save(model.state_dict(), "solution.pt")
