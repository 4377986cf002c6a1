"""The one-machine stack: everything that `wheelyard up` runs, under one supervisor in the foreground."""
