"""The page of a report: gathered, written as one file, or served as it stands now."""
