"""`python -m ochn` is the command `ochn`."""

from ochn.cli import main

if __name__ == "__main__":
    main()
