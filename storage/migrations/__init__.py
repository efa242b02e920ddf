"""How the tables came to be, one numbered step after another; see `storage/upgrade.py`."""
