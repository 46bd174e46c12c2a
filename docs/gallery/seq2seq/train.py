"""Reverse sequences with an encoder and a decoder, each with an optimizer of its own, and teacher forcing."""
import random

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


def train(input_tensor, target_tensor, encoder, decoder, encoder_optimizer, decoder_optimizer, criterion):
    encoder_optimizer.zero_grad()
    decoder_optimizer.zero_grad()

    _, hidden = encoder(input_tensor)
    token = torch.full((input_tensor.size(0), 1), SOS_token, dtype=torch.long, device=device)
    use_teacher_forcing = random.random() < teacher_forcing_ratio

    loss = 0
    for di in range(MAX_LENGTH):
        logits, hidden = decoder(token, hidden)
        loss += criterion(logits.squeeze(1), target_tensor[:, di])
        token = target_tensor[:, di : di + 1] if use_teacher_forcing else logits.argmax(-1).detach()

    loss.backward()
    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item() / MAX_LENGTH


def trainIters(encoder, decoder, n_iters, print_every=10, learning_rate=0.01):
    plot_losses = []
    print_loss_total = 0  # Reset every print_every

    encoder_optimizer = optim.SGD(encoder.parameters(), lr=learning_rate)
    decoder_optimizer = optim.SGD(decoder.parameters(), lr=learning_rate)
    criterion = nn.CrossEntropyLoss()

    for iter in range(1, n_iters + 1):
        input_tensor, target_tensor = random_pair()
        input_tensor, target_tensor = input_tensor.to(device), target_tensor.to(device)

        loss = train(input_tensor, target_tensor, encoder, decoder, encoder_optimizer, decoder_optimizer, criterion)
        print_loss_total += loss
        plot_losses.append(loss)

        if iter % print_every == 0:
            print("%d %d%% %.4f" % (iter, iter / n_iters * 100, print_loss_total / print_every))
            print_loss_total = 0

    return plot_losses


if __name__ == "__main__":
    random.seed(1)
    torch.manual_seed(1)
    hidden_size = 32
    encoder = EncoderRNN(VOCAB, hidden_size).to(device)
    decoder = DecoderRNN(hidden_size, VOCAB).to(device)
    losses = trainIters(encoder, decoder, 30)
    print("first %.4f, last %.4f" % (losses[0], losses[-1]))
