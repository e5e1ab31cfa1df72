"""The shipped suites find what is wrong with a store, and nothing else.

They run in a process of their own, with pytest's defaults and none of this repository's configuration:
as at a plugin author's.
"""

import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.needs("latchpin_memory_store")

ROOT = Path(__file__).parents[2]
FOUR = "test_four_processes_"


@pytest.fixture(scope="module")
def failures(tmp_path_factory):
    """Each suite's failed tests with their messages; and each suite's number of tests."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(folder / "pytest.ini")]
    command += ["--rootdir", str(ROOT), "--confcutdir", str(Path(__file__).parent), f"--junitxml={report}"]
    command += [str(Path(__file__).with_name("broken_suites.py"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert report.exists(), done.stdout + done.stderr
    failed, counts = defaultdict(dict), Counter()
    for case in ET.parse(report).iter("testcase"):
        assert case.find("error") is None, done.stdout
        assert case.find("skipped") is None, done.stdout
        suite = case.get("classname").rpartition(".")[2]
        counts[suite] += 1
        if (failure := case.find("failure")) is not None:
            failed[suite][case.get("name")] = failure.get("message")
    return failed, counts


@pytest.mark.parametrize(
    ("suite", "expected"),
    [
        ("TestSound", set()),
        (
            "TestRacy",
            {"test_of_fifty_callers_one_wins", "test_races_side_by_side", "test_a_mixed_batch"},
        ),
        ("TestForgetful", {"test_expired_exactly_at_its_end"}),
        ("TestHoarding", {"test_no_secret_in_the_stored_bytes"}),
        ("TestCaseBlind", {"test_similar_states_are_different"}),
        ("TestBlindfolded", {"test_no_secret_in_the_stored_bytes"}),
        ("TestRacyTokens", {"test_token_swapped_by_many", "test_first_token_put_by_many"}),
        ("TestUnrelated", {"test_nothing_comes_after_a_gateway_is_deleted"}),
        ("TestUnlabelled", {"test_tokens_are_kept_by_label"}),
        ("TestUndue", {"test_due_tokens_are_found_soonest_first"}),
        ("TestMiscounting", {"test_tokens_are_counted_by_status"}),
        ("TestRevisionOnly", {"test_token_swap_after_deletion_and_recreation"}),
        ("TestRacyTakes", {"test_a_document_is_taken_once"}),
        ("TestCounting", {"test_a_document_is_swapped_by_its_revision"}),
        ("TestCaseBlindIndex", {"test_an_index_sorts_by_code_point"}),
        ("TestSkippingPages", {"test_a_scan_goes_on_where_it_ended"}),
        ("TestLingering", {"test_a_document_lasts_until_it_expires"}),
        ("TestHeaped", {"test_collections_do_not_meet"}),
    ],
)
def test_exactly_what_is_wrong_fails(failures, suite, expected):
    failed, count = failures[0][suite], failures[1][suite]
    assert set(failed) == expected
    assert count > 30
    assert all("contract broken:" in message for message in failed.values()), failed


@pytest.mark.parametrize(
    ("suite", "among"),
    [
        ("TestTraceless", {"test_single_use", "test_of_fifty_callers_one_wins", "test_a_second_put_is_a_conflict"}),
        ("TestOverwriting", {"test_a_second_put_is_a_conflict", "test_one_state_put_twice_at_once"}),
    ],
)
def test_a_wrong_answer_fails_in_several_ways(failures, suite, among):
    failed = failures[0][suite]
    assert among <= set(failed)
    assert all("contract broken:" in message for message in failed.values()), failed


def test_a_witness_whose_word_changes_is_found(failures):
    assert failures[0]["TestSoundWitness"] == {}
    assert set(failures[0]["TestRenamed"]) == {"test_the_name_stays"}
    assert failures[1]["TestRenamed"] == failures[1]["TestSoundWitness"] > 3


def test_a_store_that_is_safe_in_one_process_only_fails_among_four(failures):
    failed = failures[0]["TestNotShared"]
    assert f"{FOUR}race_for_each_state" in failed
    assert f"{FOUR}put_the_same_states" in failed
    assert "test_of_fifty_callers_one_wins" not in failed, "in one process it is safe"
    assert "winners for state" in failed[f"{FOUR}race_for_each_state"]


def test_an_offer_that_no_other_process_can_open_is_explained(failures):
    failed = failures[0]["TestNotPicklable"]
    assert len(failed) == 3
    assert all("let Backend.open be a function at the top of an importable module" in text for text in failed.values())
