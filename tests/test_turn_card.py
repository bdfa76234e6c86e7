"""What a turn's card does to model text before it is shown."""

import pytest

from ui.turn_card import at_rest


@pytest.mark.parametrize(
    "text",
    [
        '<meta http-equiv="refresh" content="0;url=//x">',
        "<META content='0;url=//x' HTTP-EQUIV=refresh>",
        '<meta name=">" http-equiv=refresh content=0>',
    ],
)
def test_a_tag_that_would_lead_the_page_elsewhere_is_none(text: str):
    assert at_rest(text).lower().startswith("<\u200bmeta")


@pytest.mark.parametrize("text", ["", "1 < 2", '<meta charset="utf-8">', "metadata", "`vector<int>`"])
def test_all_other_text_is_shown_as_it_is(text: str):
    assert at_rest(text) == text
