"""A serving process seldom looks for what only a circle keeps, and never through what is open."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import gc, weakref
from latchpin.serving import collecting

class Kept: pass

def circle():
    one = Kept(); one.itself = one
    return weakref.ref(one)

collecting.collect_little()
print(gc.get_threshold()[0] > 400_000)
before = circle()
collecting.spare_what_is_open()
young, older, all_of_them = gc.get_threshold()
print(gc.isenabled(), young <= 10_000, young * (older + 1) <= 50_000, all_of_them >= 100)
after = circle()
collecting.collect_all()
print(before() is not None, after() is None)
"""


def test_what_is_open_is_passed_over_and_what_comes_later_is_given_back():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) == {"True"}, done.stdout
