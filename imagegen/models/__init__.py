"""Networks and the formulas of each family, as plain `nn.Module`s and functions."""
