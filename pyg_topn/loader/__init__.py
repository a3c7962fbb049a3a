"""Loaders: from data sets to batches."""

from pyg_topn.loader.resident_loader import ResidentLoader

__all__ = ["ResidentLoader"]
