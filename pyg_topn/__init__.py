"""One-shot generation of sets and graphs with PyTorch Geometric."""

__version__ = "0.1.0"
