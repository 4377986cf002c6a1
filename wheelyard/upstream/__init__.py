"""The upstream index: read, kept in the store, and served under our own addresses."""
