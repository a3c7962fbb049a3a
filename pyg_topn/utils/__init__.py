"""Ragged tensors, canonical orders and small things that every stage uses."""
