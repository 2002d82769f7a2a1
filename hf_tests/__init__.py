"""Nightly tests of Hugging Face models on this machine's hardware."""

__version__ = "0.1.0"
