"""The process that trains, `python -m bot.training.worker RUN`. Its modules import torch.

A process of its own, because what a trainer takes of memory and cores is only given back when
its process ends.
"""
