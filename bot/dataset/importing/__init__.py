"""Battles and votes that others collected, read from their files into a collection of its own."""
