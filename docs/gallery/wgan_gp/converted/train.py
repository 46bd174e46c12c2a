"""WGAN with a gradient penalty on a ring of Gaussians: several steps of the critic for one of the generator."""
import argparse
import math

import lightning as L
import torch
import torch.nn as nn
from torch import autograd
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--n_epochs", type=int, default=3)
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--b1", type=float, default=0.5)
parser.add_argument("--b2", type=float, default=0.9)
parser.add_argument("--latent_dim", type=int, default=8)
parser.add_argument("--n_critic", type=int, default=3)
parser.add_argument("--sample_interval", type=int, default=6)
opt = parser.parse_args()
print(opt)

torch.manual_seed(5)
cuda = True if torch.cuda.is_available() else False


class Generator(nn.Module):
    def __init__(self):
        super(Generator, self).__init__()
        self.model = nn.Sequential(nn.Linear(opt.latent_dim, 32), nn.LeakyReLU(0.2), nn.Linear(32, 2))

    def forward(self, z):
        return self.model(z)


class Discriminator(nn.Module):
    def __init__(self):
        super(Discriminator, self).__init__()
        self.model = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, point):
        return self.model(point)


# Loss weight for gradient penalty
lambda_gp = 10

generator = Generator()
discriminator = Discriminator()
if cuda:
    generator.cuda()
    discriminator.cuda()

angles = torch.randint(8, (320,)) * (2 * math.pi / 8)
ring = torch.stack([angles.cos(), angles.sin()], dim=1) + 0.05 * torch.randn(320, 2)
dataloader = DataLoader(TensorDataset(ring), batch_size=opt.batch_size, shuffle=True)


Tensor = torch.cuda.FloatTensor if cuda else torch.FloatTensor


def compute_gradient_penalty(D, real_samples, fake_samples):
    """Calculates the gradient penalty loss for WGAN GP"""
    alpha = torch.rand(real_samples.size(0), 1).type(Tensor)
    interpolates = (alpha * real_samples + (1 - alpha) * fake_samples).requires_grad_(True)
    d_interpolates = D(interpolates)
    fake = torch.ones(real_samples.size(0), 1).type(Tensor)
    gradients = autograd.grad(
        outputs=d_interpolates, inputs=interpolates, grad_outputs=fake, create_graph=True, retain_graph=True, only_inputs=True
    )[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean()


class LitGeneratorDiscriminator(L.LightningModule):
    def __init__(self, generator, discriminator, Tensor, opt):
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters(vars(opt), ignore=["Tensor"])
        self.generator = generator
        self.discriminator = discriminator
        self.Tensor = Tensor
        self.batches_done = 0

    def training_step(self, batch, batch_idx):
        optimizer_D, optimizer_G = self.optimizers()
        (points,) = batch
        real_points = points.type(self.Tensor)

        # ---------------------
        #  Train Discriminator
        # ---------------------
        optimizer_D.zero_grad()
        z = torch.randn(points.shape[0], self.hparams.latent_dim).type(self.Tensor)
        fake_points = self.generator(z)
        real_validity = self.discriminator(real_points)
        fake_validity = self.discriminator(fake_points)
        gradient_penalty = compute_gradient_penalty(self.discriminator, real_points.data, fake_points.data)
        d_loss = -torch.mean(real_validity) + torch.mean(fake_validity) + lambda_gp * gradient_penalty
        self.manual_backward(d_loss)
        optimizer_D.step()

        # Train the generator every n_critic steps
        if batch_idx % self.hparams.n_critic == 0:
            optimizer_G.zero_grad()
            fake_points = self.generator(z)
            g_loss = -torch.mean(self.discriminator(fake_points))
            self.manual_backward(g_loss)
            optimizer_G.step()

            print(
                "[Epoch %d/%d] [Batch %d/%d] [D loss: %f] [G loss: %f]"
                % (
                    self.current_epoch,
                    self.hparams.n_epochs,
                    batch_idx,
                    len(self.trainer.train_dataloader),
                    d_loss.item(),
                    g_loss.item(),
                )
            )
            self.log_dict({"d_loss": d_loss, "g_loss": g_loss})
            if self.batches_done % self.hparams.sample_interval == 0:
                torch.save(fake_points.data[:25], "points_%d.pt" % self.batches_done)
            self.batches_done += self.hparams.n_critic

    def configure_optimizers(self):
        optimizer_G = torch.optim.Adam(
            self.generator.parameters(), lr=self.hparams.lr, betas=(self.hparams.b1, self.hparams.b2)
        )
        optimizer_D = torch.optim.Adam(
            self.discriminator.parameters(), lr=self.hparams.lr, betas=(self.hparams.b1, self.hparams.b2)
        )
        return [optimizer_D, optimizer_G]


lit_generator_discriminator = LitGeneratorDiscriminator(generator, discriminator, Tensor, opt)
trainer = L.Trainer(
    max_epochs=opt.n_epochs,
    accelerator="cuda" if cuda else "cpu",
    devices=1,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    num_sanity_val_steps=0,
)
trainer.fit(lit_generator_discriminator, dataloader)
