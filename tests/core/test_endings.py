"""What a worker remembers of callers counts until something is ended."""

from latchpin.contracts import Endings


def test_each_ending_is_counted():
    endings = Endings()
    endings.note()
    endings.note()
    assert endings.count == 2
