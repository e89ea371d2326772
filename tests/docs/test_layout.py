"""The picture in docs/layout.md is the tree: every folder and top-level module, exactly once."""

import re

from tests.support import shown

PAGE = shown.page("docs/layout.md")
PICTURE = shown.blocks(PAGE, "")[0]

NOT_PARTS = {"__init__.py", "__main__.py"}
"""Every package has the first; the second only calls `cli`."""


def drawn() -> list[str]:
    """Return the path of each line of the picture, as its indent says."""
    paths, folder = [], ""
    for indent, name in re.findall(r"^( *)(\S+)  ", PICTURE, re.MULTILINE):
        if not indent:
            folder = name
        paths.append(name if not indent else folder + name)
    return paths


def built() -> set[str]:
    """Return the folders of the repository, and the folders and modules of the product."""
    files = {file for file in shown.repository_files() if not file.startswith(".")}
    top = {f"{file.split('/')[0]}/" for file in files if "/" in file}
    inside = [file.split("/")[1:] for file in files if file.startswith("monotron/")]
    folders = {f"monotron/{parts[0]}/" for parts in inside if len(parts) > 1}
    modules = {f"monotron/{parts[0]}" for parts in inside if parts[0].endswith(".py")}
    return top | folders | modules - {f"monotron/{name}" for name in NOT_PARTS}


def test_each_folder_and_module_is_drawn_exactly_once() -> None:
    assert sorted(drawn()) == sorted(built())


def test_each_line_of_the_picture_names_something() -> None:
    assert len(drawn()) == len(PICTURE.splitlines())


def test_named_files_exist() -> None:
    named = set(re.findall(r"`([\w./]+\.py)`", PAGE))
    files = shown.repository_files()
    assert [name for name in named if name not in files | {f.split("/")[-1] for f in files}] == []
