"""A network that solves y' = -y with L-BFGS: the optimizer evaluates the loss several times in one step."""
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
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5, line_search_fn="strong_wolfe")
points = torch.linspace(0, 2, 40).unsqueeze(1)
steps = 12

for step in range(steps):

    def closure():
        optimizer.zero_grad()
        loss = residual(model, points)
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    if step % 3 == 0:
        with torch.no_grad():
            error = (model(points) - torch.exp(-points)).abs().max()
        print(f"step {step}: residual {loss.item():.3e}, largest error {error.item():.3e}")

torch.save(model.state_dict(), "solution.pt")
