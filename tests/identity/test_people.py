import pytest
from latchpin.errors import InvalidRequest
from latchpin.identity.address import parse_email


@pytest.mark.parametrize("text", ["ada@example.com", "Ada@EXAMPLE.com", "admin@localhost", "ädä@exämple.com"])
def test_addresses_are_lower_case(text):
    assert parse_email(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        "",
        "ada",
        "@",
        "a@",
        "@b",
        "a@b@c",
        " a@b",
        "a@b ",
        "a @b",
        "a\t@b",
        "a@b\n",
        "a\x00@b",
        "a\u200b@b",
        "\u212aim@example.com",
        "\xe4da@ban\u212a.example",
        "a" * 260 + "@b",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_it(text):
    with pytest.raises(InvalidRequest) as raised:
        parse_email(text)
    assert "address" in raised.value.detail
    if isinstance(text, str) and len(text) > 2:
        assert text not in raised.value.detail
