"""What the pages say of the tree is so: links lead somewhere, floors and decisions are those that there are."""

import re
from pathlib import Path

import pytest

from tools.floors import FLOORS, SOURCE

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
DOC = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")
FILE = re.compile(r"`([a-z_]+(?:/[\w.-]+)*/[\w.-]+\.(?:py|ts))`")
FLOOR = re.compile(r"^\| (\d) \| ((?:`[a-z]+`(?:, | · )?)+) \|", re.MULTILINE)
REPLACED = re.compile(r"^Replaced by number (\d+)\.", re.MULTILINE)
# A decision record speaks of the tree as it was.
NOW = [path for path in PAGES if path.parent.name != "adr"]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    aims = [one for one in LINK.findall(text) if not one.startswith(("http:", "https:", "mailto:"))]
    aims += [f"{one}.md" for one in DOC.findall(text)]
    assert [one for one in aims if not (page.parent / one).exists()] == []


@pytest.mark.parametrize("page", NOW, ids=name)
def test_modules_that_are_named_are_there(page: Path) -> None:
    """By their path in the tree, in the package, or in the page's sources."""
    named = FILE.findall(page.read_text(encoding="utf-8"))
    branches = (ROOT, SOURCE, ROOT / "web" / "src")
    assert [one for one in named if not any((branch / one).is_file() for branch in branches)] == []


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_floors_are_those_that_are_checked(page: str) -> None:
    """And every floor that is checked has its package."""
    rows = FLOOR.findall((ROOT / page).read_text(encoding="utf-8"))
    assert {room: int(floor) for floor, rooms in rows for room in re.findall(r"`([a-z]+)`", rooms)} == FLOORS
    there = {path.stem for path in SOURCE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert set(FLOORS) == there - {"__init__", "__pycache__", "py"}


def test_every_decision_is_listed_with_its_title() -> None:
    """In the order of numbers, which are those of the files; one that was replaced names a later one."""
    folder = ROOT / "docs" / "adr"
    rows = []
    for path in sorted(folder.glob("0*.md")):
        text = path.read_text(encoding="utf-8")
        number, title = int(path.name[:4]), text.partition("\n")[0]
        assert title.startswith(f"# {number}. ")
        replaced = REPLACED.search(text)
        note = f" (replaced by {replaced[1]})" if replaced else ""
        rows.append(f"| [{number}]({path.name}) | {title.partition('. ')[2]}{note} |")
        assert replaced is None or int(replaced[1]) > number
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [line for line in listed.splitlines() if line.startswith("| [")] == rows
