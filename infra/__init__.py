"""Data and deployment: toolchains, recipes and what a team runs them with."""
