"""``python -m latchpin`` is ``latchpin``."""

from latchpin.cli import main

if __name__ == "__main__":
    main()
