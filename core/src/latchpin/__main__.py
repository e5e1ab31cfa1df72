"""``python -m latchpin`` is ``latchpin``."""

from latchpin.commands.main import main

if __name__ == "__main__":
    main()
