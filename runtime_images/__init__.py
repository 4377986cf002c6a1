"""From a lock to an OCI image: layers, system libraries, manifest and report."""
