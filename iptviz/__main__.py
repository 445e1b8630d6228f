"""`python -m iptviz`."""

from iptviz.cli import main

if __name__ == "__main__":
    main()
