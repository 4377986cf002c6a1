"""The worker: resolve, fetch, compile, repair, check and publish, in containers."""
