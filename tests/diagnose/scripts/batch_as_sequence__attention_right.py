"""Attention that takes the batch first."""

import torch
from torch import nn

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm, self.head = nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, tokens):
        x = self.embed(tokens)
        mixed, _ = self.attention(x, x, x)
        return self.head(self.norm((x + mixed).mean(1)))


model = Model()
optimizer = torch.optim.Adam(model.parameters())
tokens, y = torch.randint(30, (6, 9)), torch.randint(3, (6,))
for _ in range(3):
    loss = nn.functional.cross_entropy(model(tokens), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
