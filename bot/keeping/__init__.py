"""Keeping the database: backups, erasures that outlive them, moves, and ways back."""
