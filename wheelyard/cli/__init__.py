"""The `wheelyard` command."""
