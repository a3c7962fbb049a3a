"""Layers: creation, encoder, update and decoder."""
