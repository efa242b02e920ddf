"""Votes become a tuned contender: a LoRA adapter on a base model. Cheap to import.

recipe.py      every hyperparameter, and what is sensible for so many pairs
rows.py        the rows of a dataset folder, checked
plan.py        what would be done, and whether it means anything and fits into memory
runs.py        the work folder of a run, which the same command finds again
child.py       the process that trains, as the parent sees it; worker/ is that process
record.py      what is known of an adapter, in its folder; registering.py tells the database
trial.py       a tuned model beside its parent; behaviour.py, judging.py, gates.py judge it
rounds.py      collect, export, train, evaluate, enter; steps.py does them, schedule.py begins them
"""
