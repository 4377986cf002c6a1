"""`python -m wheelyard`: the command, where its script is not on the PATH."""

from wheelyard.cli.app import main

if __name__ == "__main__":
    main()
