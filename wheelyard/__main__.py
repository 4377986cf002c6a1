"""`python -m wheelyard`: the same as the `wheelyard` program."""

from wheelyard.cli.app import main

main()
