"""Fuzzing: arbitrary input to every entry, with Hypothesis.

A few cases of each run with the other tests, always the same ones. `make fuzz` runs 10,000 new
ones of each: `make fuzz EXAMPLES=500`, `make fuzz ENTRIES="messages streams"` by the modules here.
What a case must never do is the same everywhere: fail with anything but a sentence, lose what was
acknowledged, let out what is secret.
"""
