"""Badges, as a browser draws them."""

from typing import Any

import pytest
from playwright.sync_api import Browser

from monotron.api.badge_image import draw
from monotron.core.badges import Badge

pytestmark = [pytest.mark.browser, pytest.mark.same_on_each_python]

LENGTHS = """
source => {
  document.body.innerHTML = source;
  return [...document.querySelectorAll("text")].map(text => {
    const estimated = text.getComputedTextLength();
    text.removeAttribute("textLength");
    return [estimated, text.getComputedTextLength()];
  });
}
"""
"""How long each text is, and how long it would be by itself."""


def test_a_browser_squeezes_or_stretches_no_usual_text(chromium: Browser) -> None:
    page = chromium.new_page()
    for label, message in [
        ("shop", "123"),
        ("build number", "v1.23.456"),
        ("feature/login-page", "9223372036854775807"),
        ("Müller & Söhne", "GRÖSSE"),
    ]:
        source = draw(Badge(label, message, "blue")).decode()
        measured: list[Any] = page.evaluate(LENGTHS, source)
        assert len(measured) == 2
        for estimated, alone in measured:
            assert 0.85 < estimated / alone < 1.15, (label, message)
    page.close()
