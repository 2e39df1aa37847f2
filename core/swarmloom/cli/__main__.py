"""`python -m swarmloom.cli`."""

from swarmloom.cli import main

if __name__ == "__main__":
    main()
