"""Pictures: generated molecules, training curves, histograms against the data."""

from pyg_topn.plot._curves import plot_training_curves
from pyg_topn.plot._grid import plot_molecules
from pyg_topn.plot._histograms import plot_histograms

__all__ = ["plot_histograms", "plot_molecules", "plot_training_curves"]
