"""The whole table."""

from __future__ import annotations

from tests.causes.caller_rows import CALLER_ROWS
from tests.causes.proof_rows import PROOF_ROWS
from tests.causes.row import Row
from tests.causes.server_rows import SERVER_ROWS
from tests.causes.state_rows import STATE_ROWS
from tests.causes.token_rows import TOKEN_ROWS

__all__ = ["ROWS"]

ROWS: tuple[Row, ...] = (*STATE_ROWS, *PROOF_ROWS, *TOKEN_ROWS, *SERVER_ROWS, *CALLER_ROWS)
