"""The front door: builds, images, index and events over HTTP."""
