"""Twofold: every message answered twice, voted on blind, kept as a preference dataset."""

__version__ = "0.1.0"
