"""Neural networks. The only floor that may import torch."""
