"""Keeping and forgetting: database and bucket made whole again, what goes, and a copy to take away."""
