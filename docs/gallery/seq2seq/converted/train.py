"""Reverse sequences with an encoder and a decoder, each with an optimizer of its own, and teacher forcing."""
import random

import lightning as L
import torch
import torch.nn as nn
from torch import optim

SOS_token = 0
VOCAB = 12
MAX_LENGTH = 6
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
teacher_forcing_ratio = 0.5


class EncoderRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(EncoderRNN, self).__init__()
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)

    def forward(self, tokens):
        return self.gru(self.embedding(tokens))


class DecoderRNN(nn.Module):
    def __init__(self, hidden_size, output_size):
        super(DecoderRNN, self).__init__()
        self.embedding = nn.Embedding(output_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, token, hidden):
        output, hidden = self.gru(self.embedding(token), hidden)
        return self.out(output), hidden


def random_pair(batch_size=16):
    source = torch.randint(1, VOCAB, (batch_size, MAX_LENGTH))
    return source, source.flip(1)


class LitModel(L.LightningModule):
    def __init__(self, encoder, decoder, criterion, n_iters, print_every, learning_rate):
        super().__init__()
        self.automatic_optimization = False
        self.encoder = encoder
        self.decoder = decoder
        self.criterion = criterion
        self.n_iters = n_iters
        self.print_every = print_every
        self.learning_rate = learning_rate
        self.print_loss_total = 0  # Reset every print_every
        self.plot_losses = []

    def training_step(self, batch, batch_idx):
        iter = batch_idx + 1
        encoder_optimizer, decoder_optimizer = self.optimizers()
        input_tensor, target_tensor = batch
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()

        _, hidden = self.encoder(input_tensor)
        token = torch.full((input_tensor.size(0), 1), SOS_token, dtype=torch.long, device=self.device)
        use_teacher_forcing = random.random() < teacher_forcing_ratio

        loss = 0
        for di in range(MAX_LENGTH):
            logits, hidden = self.decoder(token, hidden)
            loss += self.criterion(logits.squeeze(1), target_tensor[:, di])
            token = target_tensor[:, di : di + 1] if use_teacher_forcing else logits.argmax(-1).detach()

        self.manual_backward(loss)
        encoder_optimizer.step()
        decoder_optimizer.step()

        trainIters_loss = loss.item() / MAX_LENGTH
        self.print_loss_total += trainIters_loss
        self.plot_losses.append(trainIters_loss)

        if iter % self.print_every == 0:
            print("%d %d%% %.4f" % (iter, iter / self.n_iters * 100, self.print_loss_total / self.print_every))
            self.log("print_loss_total", float(self.print_loss_total / self.print_every))
            self.print_loss_total = 0

    def configure_optimizers(self):
        encoder_optimizer = optim.SGD(self.encoder.parameters(), lr=self.learning_rate)
        decoder_optimizer = optim.SGD(self.decoder.parameters(), lr=self.learning_rate)
        return [encoder_optimizer, decoder_optimizer]


class TrainBatches:
    """One batch for each step of the training, made when its turn comes."""

    def __init__(self, n_iters):
        self.steps = range(1, n_iters + 1)

    def __len__(self):
        return len(self.steps)

    def __iter__(self):
        for _ in self.steps:
            input_tensor, target_tensor = random_pair()
            yield input_tensor, target_tensor


def trainIters(encoder, decoder, n_iters, print_every=10, learning_rate=0.01):
    criterion = nn.CrossEntropyLoss()

    lit_model = LitModel(encoder, decoder, criterion, n_iters, print_every, learning_rate)
    trainer = L.Trainer(
        max_epochs=1,
        accelerator=device.type,
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(lit_model, TrainBatches(n_iters))

    return lit_model.plot_losses


if __name__ == "__main__":
    random.seed(1)
    torch.manual_seed(1)
    hidden_size = 32
    encoder = EncoderRNN(VOCAB, hidden_size).to(device)
    decoder = DecoderRNN(hidden_size, VOCAB).to(device)
    losses = trainIters(encoder, decoder, 30)
    print("first %.4f, last %.4f" % (losses[0], losses[-1]))
