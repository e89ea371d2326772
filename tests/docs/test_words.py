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


@pytest.mark.parametrize("path", PAGES)
def test_numbers_are_given_out_and_not_handed_out(path: str) -> None:
    assert re.findall(r"\b[Hh]and(?:s|ed)? out\b", prose(shown.page(path))) == []


@pytest.mark.parametrize("path", PAGES)
def test_a_line_of_prose_has_at_most_120_characters(path: str) -> None:
    text = re.sub(r"^```.*?^```$", "", shown.page(path), flags=re.DOTALL | re.MULTILINE)
    # Tables and pictures cannot be broken.
    prose_lines = [line for line in text.splitlines() if not line.lstrip().startswith(("|", "[!"))]
    assert [line for line in prose_lines if len(line) > 120] == []
