"""What is added up before it is handed on counts as if Prometheus' client had been told each by itself."""

from hypothesis import given
from hypothesis import strategies as st
from latchpin_metrics.tallies import SECONDS, Tallies
from prometheus_client import CollectorRegistry, Histogram, generate_latest

LABELS = st.sampled_from(["GET", "POST"])
DURATIONS = st.one_of(st.floats(0, 400, width=32), st.sampled_from(SECONDS))


def histogram() -> tuple[CollectorRegistry, Histogram]:
    registry = CollectorRegistry()
    return registry, Histogram("x", "X.", ["method"], registry=registry, buckets=SECONDS)


def shown(registry: CollectorRegistry) -> list[str]:
    """All but when it was made; a sum of floats depends on its order a little."""
    lines = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
    return [line if "_sum" not in line else f"{line.split()[0]} {float(line.split()[1]):.3f}" for line in lines]


@given(st.lists(st.lists(st.tuples(LABELS, DURATIONS), max_size=20), max_size=4))
def test_it_is_the_same_however_often_it_is_handed_on(rounds):
    told, one_by_one = histogram()
    added, together = histogram()
    tallies = Tallies(together)
    for each in rounds:
        for label, seconds in each:
            one_by_one.labels(label).observe(seconds)
            tallies[(label,)].observe(seconds)
        tallies.hand_on()
        assert shown(added) == shown(told)
