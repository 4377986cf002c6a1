"""The comparison of images: other people's Dockerfiles and ours, built, run and measured with one engine."""
