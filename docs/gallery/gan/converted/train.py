"""A small GAN on 8x8 pictures of bars; samples are written after every epoch."""
import argparse
import os

import numpy as np
import lightning as L
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Generator(nn.Module):
    def __init__(self, nz, ngf):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(nz, ngf), nn.BatchNorm1d(ngf), nn.ReLU(), nn.Linear(ngf, 64), nn.Tanh()
        )

    def forward(self, noise):
        return self.main(noise).view(-1, 1, 8, 8)


class Discriminator(nn.Module):
    def __init__(self, ndf):
        super().__init__()
        self.main = nn.Sequential(
            nn.Flatten(), nn.Linear(64, ndf), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(ndf, 1), nn.Sigmoid()
        )

    def forward(self, images):
        return self.main(images).view(-1)


def weights_init(m):
    if isinstance(m, nn.Linear):
        nn.init.normal_(m.weight, 0.0, 0.1)


def bars(n):
    images = -torch.ones(n, 1, 8, 8)
    images[torch.arange(n), 0, :, torch.randint(8, (n,))] = 1.0
    return TensorDataset(images)


def save_grid(images, path):
    """Writes the pictures side by side as a portable graymap."""
    row = torch.cat(list(images[:, 0]), dim=1).add(1).mul(127.5).to(torch.uint8).cpu().numpy()
    with open(path, "wb") as file:
        file.write(b"P5 %d %d 255\n" % row.shape[::-1] + np.ascontiguousarray(row).tobytes())


class LitGeneratorDiscriminator(L.LightningModule):
    def __init__(self, netD, netG, criterion, opt):
        super().__init__()
        self.automatic_optimization = False
        self.save_hyperparameters(vars(opt))
        self.netD = netD
        self.netG = netG
        self.criterion = criterion

    def training_step(self, batch, batch_idx):
        optimizerD, optimizerG = self.optimizers()
        (real,) = batch
        # (1) Update D network: maximize log(D(x)) + log(1 - D(G(z)))
        self.netD.zero_grad()
        label = torch.full((real.size(0),), real_label, device=self.device)
        output = self.netD(real)
        errD_real = self.criterion(output, label)
        self.manual_backward(errD_real)
        D_x = output.mean().item()

        noise = torch.randn(real.size(0), self.hparams.nz, device=self.device)
        self.fake = self.netG(noise)
        label.fill_(fake_label)
        output = self.netD(self.fake.detach())
        errD_fake = self.criterion(output, label)
        self.manual_backward(errD_fake)
        errD = errD_real + errD_fake
        optimizerD.step()

        # (2) Update G network: maximize log(D(G(z)))
        self.netG.zero_grad()
        label.fill_(real_label)  # fake labels are real for generator cost
        output = self.netD(self.fake)
        errG = self.criterion(output, label)
        self.manual_backward(errG)
        optimizerG.step()

        if batch_idx % 4 == 0:
            print(
                f"[{self.current_epoch}/{self.hparams.niter}][{batch_idx}/{len(self.trainer.train_dataloader)}] Loss_D: {errD.item():.4f}"
                f" Loss_G: {errG.item():.4f} D(x): {D_x:.4f} D(G(z)): {output.mean().item():.4f}"
            )
            self.log_dict({"loss_d": errD.item(), "loss_g": errG, "D_x": D_x, "output": output.mean().item()})

    def validation_step(self, fixed_noise, batch_idx):
        self.fake = self.netG(fixed_noise)

    def on_train_epoch_end(self):
        save_grid(self.fake, f"{self.hparams.outf}/fake_samples_epoch_{self.current_epoch:03d}.pgm")
        torch.save(self.netG.state_dict(), f"{self.hparams.outf}/netG_epoch_{self.current_epoch}.pth")
        torch.save(self.netD.state_dict(), f"{self.hparams.outf}/netD_epoch_{self.current_epoch}.pth")

    def configure_optimizers(self):
        optimizerD = torch.optim.Adam(
            self.netD.parameters(), lr=self.hparams.lr, betas=(self.hparams.beta1, 0.999)
        )
        optimizerG = torch.optim.Adam(
            self.netG.parameters(), lr=self.hparams.lr, betas=(self.hparams.beta1, 0.999)
        )
        return [optimizerD, optimizerG]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--niter", type=int, default=4, help="number of epochs")
    parser.add_argument("--batchSize", type=int, default=32)
    parser.add_argument("--nz", type=int, default=10)
    parser.add_argument("--ngf", type=int, default=32)
    parser.add_argument("--ndf", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--beta1", type=float, default=0.5)
    parser.add_argument("--outf", default="samples")
    parser.add_argument("--manualSeed", type=int, default=999)
    opt = parser.parse_args()

    torch.manual_seed(opt.manualSeed)
    os.makedirs(opt.outf, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataloader = DataLoader(bars(300), batch_size=opt.batchSize, shuffle=True)

    netG = Generator(opt.nz, opt.ngf).to(device)
    netG.apply(weights_init)
    netD = Discriminator(opt.ndf).to(device)
    netD.apply(weights_init)

    criterion = nn.BCELoss()
    fixed_noise = torch.randn(8, opt.nz, device=device)
    real_label, fake_label = 1.0, 0.0

    # The script evaluates in one go: a validation has one batch. A generator of its own
    # keeps the loader from drawing the script's random numbers.
    val_loader = torch.utils.data.DataLoader(
        [fixed_noise], batch_size=None, generator=torch.Generator()
    )
    lit_generator_discriminator = LitGeneratorDiscriminator(netD, netG, criterion, opt)
    trainer = L.Trainer(
        max_epochs=opt.niter,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_generator_discriminator, dataloader, val_loader)
