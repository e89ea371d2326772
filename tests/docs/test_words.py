"""The words of the pages mean one thing."""

import re

import pytest

from tests.docs.test_links import PAGES
from tests.support import shown


def prose(page: str) -> str:
    """Return a page without code and without where its links lead, its lines joined."""
    text = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|`[^`]*`", "", text)
    return " ".join(text.split())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_with_api_keys_says_which_key_it_means(path: str) -> None:
    text = prose(shown.page(path))
    if "API key" in text:
        # Not in the name of a file, nor in that of the header Idempotency-Key.
        bare = r".{0,40}(?<!API )(?<!series )(?<!-)\b[Kk]eys?\b(?!-).{0,20}"
        assert re.findall(bare, text) == []
