"""Votes become a tuned contender."""
