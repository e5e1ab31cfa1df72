"""The catalogue holds together, and an error says what its cause says."""

from __future__ import annotations

import string
from datetime import UTC, datetime

import pytest
from latchpin.errors import (
    CallerError,
    LatchpinError,
    StateAlreadyUsed,
    StateExpired,
    StateSignatureInvalid,
    TokenRefused,
    known_causes,
)
from latchpin.errors.causes import CAUSES, CHAPTERS, Cause
from latchpin.errors.causes.callback import STATE_SECRET_CHANGED
from latchpin.errors.causes.refusals import TOKEN
from latchpin.web.errors import as_seen, text_for

from tests.docs.checks import ROOT


def test_each_slug_names_one_cause_of_one_chapter():
    listed = [cause.slug for causes in CHAPTERS.values() for cause in causes]
    assert len(listed) == len(set(listed)) == len(CAUSES)


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.slug)
def test_a_cause_says_everything(cause: Cause):
    texts = (cause.title, cause.public, cause.happened, cause.remedy, cause.meaning)
    assert all(text and text.strip() == text for text in texts)
    assert 400 <= cause.status < 600
    assert cause.anchor == f"errors.md#{cause.slug}"
    if cause.general:
        assert not CAUSES[cause.general].general, "a wider cause is no case of another"
    if cause.see:
        assert (ROOT / "docs" / "troubleshoot" / f"{cause.see}.md").is_file()


@pytest.mark.parametrize("cause", CAUSES.values(), ids=lambda cause: cause.slug)
def test_a_cause_is_told_with_its_facts_and_not_without(cause: Cause):
    names = {name for _, name, _, _ in string.Formatter().parse(cause.happened) if name}
    told = cause.tell(**{name: f"<{name}>" for name in names})
    assert all(f"<{name}>" in told for name in names)
    assert "{" not in told
    if names:
        with pytest.raises(KeyError):
            cause.tell()


def test_every_error_of_the_core_has_a_cause_of_the_table():
    ours = {slug for slug, cause in known_causes().items() if slug in CAUSES and CAUSES[slug] is cause}
    assert ours == set(CAUSES)
    assert StateExpired.code == "state-expired"
    assert StateExpired.title == CAUSES["state-expired"].title


def test_a_plugins_error_may_say_its_cause_itself():
    class Odd(CallerError):
        code = "odd-thing"
        status = 418
        title = "Odd"
        public = "That is odd."
        remedy = "Be even."

    assert (Odd.cause.slug, Odd.cause.status, Odd.cause.remedy) == ("odd-thing", 418, "Be even.")
    assert known_causes()["odd-thing"] is Odd.cause


def test_a_narrower_cause_takes_the_place_of_all_texts():
    error = TokenRefused("first", error="invalid_scope", remedy="first").explain_as(
        TOKEN["invalid_scope"], host="as.example", code="invalid_scope", what="no", words=""
    )
    assert (error.code, error.remedy) == ("token-invalid-scope", TOKEN["invalid_scope"].remedy)
    assert error.detail == str(error) == "as.example answered 'invalid_scope': no."
    assert TokenRefused.code == "token-refused", "the class stays"


def test_who_has_proven_nothing_is_told_the_wider_cause():
    error = StateSignatureInvalid().explain_as(STATE_SECRET_CHANGED, key_id="a", own_key_id="b")
    assert as_seen(error) is CAUSES["state-signature"]
    assert "key" not in text_for(error)
    error.shows_detail = True
    assert as_seen(error).slug == "state-secret-changed"


def test_what_a_case_overrides_is_seen():
    error = LatchpinError("why", public="Other.", remedy="Do it.")
    assert (as_seen(error).public, as_seen(error).remedy) == ("Other.", "Do it.")


def test_a_used_state_says_when_whatever_the_store_says():
    error = StateAlreadyUsed("gone", used_at=datetime(2026, 3, 1, 10, tzinfo=UTC))
    assert error.detail == "this state has already been used at 2026-03-01T10:00:00+00:00"
    assert error.hint == "gone"
