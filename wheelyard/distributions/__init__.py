"""Wheels and sdists that others made: what they must be before they are shown. Nothing of them is run."""
