"""One weight embeds the tokens and scores them: its gradient has two contributions."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


class LanguageModel(nn.Module):
    def __init__(self, vocabulary=12, width=8):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.mix = nn.Linear(width, width)
        self.score = nn.Linear(width, vocabulary, bias=False)
        self.score.weight = self.embedding.weight

    def forward(self, tokens):
        return self.score(torch.tanh(self.mix(self.embedding(tokens))))


model = LanguageModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
tokens = torch.randint(12, (4, 7))
for _ in range(5):
    logits = model(tokens[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
