"""What an operator sees of the program: logs, metrics, traces, and whether all is well."""
