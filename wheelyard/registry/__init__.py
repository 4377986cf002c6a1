"""Registries of others: logins, pushes of images, and what both may say of it (OCI distribution 1.1)."""
