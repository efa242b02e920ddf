"""One test for each threat in SECURITY.md, where no other room has it."""
