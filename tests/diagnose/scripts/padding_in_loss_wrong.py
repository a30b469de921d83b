"""Error: a language model is trained to predict padding."""

import torch
from torch import nn

PAD, VOCABULARY = 0, 20
torch.manual_seed(0)


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, 16, padding_idx=PAD)
        self.lstm = nn.LSTM(16, 16, batch_first=True)
        self.head = nn.Linear(16, VOCABULARY)

    def forward(self, tokens):
        return self.head(self.lstm(self.embed(tokens))[0])


model = LanguageModel()
optimizer = torch.optim.Adam(model.parameters())
tokens = torch.randint(1, VOCABULARY, (4, 9))
for row, length in enumerate((9, 5, 3, 7)):
    tokens[row, length:] = PAD
for _ in range(3):
    logits = model(tokens[:, :-1]).flatten(0, 1)
    targets = tokens[:, 1:].flatten()
    loss = nn.functional.cross_entropy(logits, targets)  # <-- fault
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
