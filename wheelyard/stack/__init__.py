"""The one-machine stack: everything that `wheelyard up` runs, under one supervisor in the foreground."""

from wheelyard.stack.running import RunningStack, stop_stack, wait_ready
from wheelyard.stack.up import run_stack

__all__ = ["RunningStack", "run_stack", "stop_stack", "wait_ready"]
