"""Discord's far side on loopback sockets, for the unmodified discord.py, and tests that use it."""
