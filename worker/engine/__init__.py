"""The container engine: one contract, and one adapter for the docker and podman commands."""
