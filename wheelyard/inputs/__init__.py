"""What a user asks for, in whatever file it stands: requirements, locks, a project's pyproject.toml."""
