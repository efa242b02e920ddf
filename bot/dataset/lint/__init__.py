"""`twofold lint`: whether a dataset, ours or not, keeps the rules of its format."""
