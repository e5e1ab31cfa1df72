"""Runs several ``latchpin`` commands one after another in one interpreter: starting one takes longer than most do.

    python several_commands.py '[[["plugins", "--json"], {"CACHE_TYPE": "memory"}]]'

Each command has its words and the environment that it adds. Writes a JSON list with the ``code``, ``out`` and ``err``
of each.
"""

import contextlib
import io
import json
import os
import sys
from unittest.mock import patch

from latchpin.commands.main import main


def run(words, settings):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        patch.object(sys, "argv", ["latchpin", *words]),
        patch.dict(os.environ, settings),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


json.dump([run(words, settings) for words, settings in json.loads(sys.argv[1])], sys.stdout)
