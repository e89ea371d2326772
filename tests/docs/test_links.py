"""Every link between pages of the repository leads to a page and a section that exist."""

import re

import pytest

from tests.support import shown

PAGES = sorted(path for path in shown.repository_files() if path.endswith(".md"))
GUIDES = [path for path in PAGES if path.startswith("docs/")]


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_somewhere(path: str) -> None:
    for file, section in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", shown.page(path)):
        target = (shown.ROOT / path).parent / file if file else shown.ROOT / path
        assert target.exists(), file
        if section:
            headings = re.findall("^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in {anchor(heading) for heading in headings}, section


def anchor(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_index_leads_to_every_page_of_the_documentation() -> None:
    linked = re.findall(r"\]\(([^)#:]+)", shown.page("docs/README.md"))
    assert {f"docs/{link}" for link in linked} >= set(GUIDES) - {"docs/README.md"}


def test_readme_leads_to_the_index() -> None:
    assert "](docs/README.md)" in shown.page("README.md")
