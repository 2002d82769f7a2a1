"""Tiny checkpoints: the real classes, shrunken, with seeded random weights, built here."""
