"""The comparison of images of one application: what is asked, what was measured, and how it is shown."""
