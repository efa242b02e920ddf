"""Votes become files that training libraries read."""
