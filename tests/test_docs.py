"""What the manual says is what the program does: examples are run, names compared, pages built.

Rules for pages:

- A ```console block holds lines that begin with `$ noroshi`; each is run, and what follows it is compared with what it
  prints (both streams). `...` stands for any text; white space counts as one blank. A last line `[exit 2]` says with
  what the command ends, if not with 0. The commands of one page share an empty folder in which `scenarios` can be read.
- A ```python block is run: as a doctest when it has prompts, else as it stands; blocks of a page share their names.
- What is not to be run is marked `sh`, `text`, `json` or `yaml`.
"""

import doctest
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.build_reference import PAGE as REFERENCE
from tools.build_reference import ROOT, sections

DOCS = ROOT / "docs"
FENCE = re.compile(
    r"^(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ \t]*$", re.MULTILINE | re.DOTALL
)
EXIT = re.compile(r"^\[exit (\d+)\]\s*\Z", re.MULTILINE)
COMMAND_LINE = "import sys; sys.argv[0] = 'noroshi'; from noroshi.cli.main import main; sys.exit(main())"
# One documented command: the demo is allowed 10 s on two free cores, and a tested machine is seldom free.
COMMAND_TIMEOUT_S = 100
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
UNRUN = {"", "sh", "text", "json", "yaml", "xml", "toml", "ts", "typescript", "html", "css", "make", "none"}


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, the line of its first line, and its text."""

    language: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A command of the manual with what it is said to print and to end with."""

    command: str
    prints: str
    exit_code: int


def pages() -> list[Path]:
    """All pages that are tested: the README and the manual, the decision records left out."""
    found = [path for path in sorted(DOCS.rglob("*.md")) if "adr" not in path.relative_to(DOCS).parts]
    return [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *found) if path.is_file()]


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page."""
    return [
        Block(
            (hit["info"].split() or [""])[0].strip("{}"),
            text.count("\n", 0, hit.start()) + 2,
            hit["body"],
        )
        for hit in FENCE.finditer(text)
    ]


def examples(text: str) -> list[Example]:
    """The commands of a console block. Raises ValueError when it does not begin with one."""
    joined = re.sub(r"\\\n\s*", "", text)
    before, *parts = re.split(r"^\$ ", joined, flags=re.MULTILINE)
    if before.strip() or not parts:
        raise ValueError("a console block begins with a line `$ noroshi ...`")
    found = []
    for part in parts:
        command, _, prints = part.partition("\n")
        ending = EXIT.search(prints)
        found.append(Example(command.strip(), EXIT.sub("", prints), int(ending[1]) if ending else 0))
    return found


def disagreement(want: str, got: str) -> str:
    """Empty when the program printed what the page says, else the difference."""
    checker = doctest.OutputChecker()
    if checker.check_output(want.strip() + "\n", got.strip() + "\n", FLAGS):
        return ""
    return checker.output_difference(doctest.Example("", want.strip() + "\n"), got.strip() + "\n", FLAGS)


def run(example: Example, folder: Path) -> str:
    """Run one command; what is wrong with it, or an empty text."""
    words = shlex.split(example.command)
    if words[:1] != ["noroshi"]:
        return f"only noroshi is run, not {example.command!r}: mark the block `sh`"
    plain = {"COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(ROOT / "src"), "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, *words[1:]],
        cwd=folder,
        env=os.environ | plain,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    if done.returncode != example.exit_code:
        return f"{example.command}\nended with {done.returncode}, not {example.exit_code}:\n{done.stdout}"
    wrong = disagreement(example.prints, done.stdout)
    return f"{example.command}\n{wrong}" if wrong else ""


def with_blocks(language: str) -> list[Path]:
    """Pages that have a block of this language."""
    return [
        path
        for path in pages()
        if any(one.language == language for one in blocks(path.read_text(encoding="utf-8")))
    ]


def page_id(path: Path) -> str:
    """How a page is named in the list of tests."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("console"), ids=page_id)
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios", target_is_directory=True)
    shown = [block for block in blocks(page.read_text(encoding="utf-8")) if block.language == "console"]
    for block in shown:
        for example in examples(block.text):
            assert run(example, tmp_path) == "", f"{page_id(page)}:{block.line}"


@pytest.mark.slow
@pytest.mark.parametrize("page", with_blocks("python"), ids=page_id)
def test_python_examples_do_what_the_page_says(page: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language != "python":
            continue
        if ">>>" not in block.text:
            exec(compile(block.text, f"{page_id(page)}:{block.line}", "exec"), names)
            continue
        test = doctest.DocTestParser().get_doctest(block.text, names, page_id(page), str(page), block.line)
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        wrong: list[str] = []
        runner.run(test, out=wrong.append, clear_globs=False)
        names |= test.globs
        assert "".join(wrong) == ""


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_every_block_says_what_it_is(page: Path) -> None:
    """A misspelt language would leave an example untested."""
    known = UNRUN | {
        "console",
        "python",
        "toctree",
        "note",
        "warning",
        "tip",
        "important",
        "admonition",
        "image",
    }
    shown = blocks(page.read_text(encoding="utf-8"))
    assert [
        f"{block.line}: {block.language}" for block in shown if block.language not in known | {"figure"}
    ] == []


@pytest.mark.parametrize("page", pages(), ids=page_id)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    targets = re.findall(r"\]\((?!https?://|mailto:|#)([^)\s#]+)", prose)
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_reference_names_what_the_packages_support() -> None:
    page = REFERENCE.read_text(encoding="utf-8")
    chapters = re.split(r"^## `([\w.]+)`$", page, flags=re.MULTILINE)[1:]
    said = {
        (module, name)
        for module, body in zip(chapters[::2], chapters[1::2], strict=True)
        for name in re.findall(r"^- `(\w+)", body, re.MULTILINE)
    }
    real = {(section.module, name.name) for section in sections() for name in section.names}
    assert said == real, "run `make reference` and read the difference"


def test_everything_supported_has_a_docstring() -> None:
    silent = [
        f"{section.module}.{name.name}"
        for section in sections()
        for name in section.names
        if not name.is_constant and not name.sentence
    ]
    assert silent == []


@pytest.mark.slow
def test_the_manual_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="needs Sphinx (in requirements-dev.lock)")
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-q",
            "-b",
            "html",
            str(DOCS),
            str(tmp_path / "html"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.stderr == ""
    assert built.returncode == 0
    start = (tmp_path / "html" / "manual" / "index.html").read_text(encoding="utf-8")
    unlisted = [
        p.stem
        for p in (DOCS / "manual").glob("*.md")
        if p.stem != "index" and f'"{p.stem}.html"' not in start
    ]
    assert unlisted == []
    remote = [
        page.name
        for page in (tmp_path / "html").rglob("*.html")
        if re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"https?://", page.read_text(encoding="utf-8"))
    ]
    assert remote == [], "the manual must open without a network"


def test_a_wrong_example_is_noticed(tmp_path: Path) -> None:
    assert disagreement("alerts: 3\n", "alerts: 4\n")
    assert disagreement("", "surprise\n")
    assert disagreement("outcome ...\n", "result passed\n")
    assert not disagreement("outcome ...\n1 alert\n", "outcome passed\n\n1  alert\n")
    assert "only noroshi is run" in run(Example("ls", "", 0), tmp_path)


def test_console_blocks_are_read_as_written() -> None:
    text = "$ noroshi check \\\n    a.yaml\nno such file\n[exit 2]\n$ noroshi --version\n...\n"
    assert examples(text) == [
        Example("noroshi check a.yaml", "no such file\n", 2),
        Example("noroshi --version", "...\n", 0),
    ]
    with pytest.raises(ValueError, match="begins with"):
        examples("noroshi check a.yaml\n")
    assert blocks("x\n```console\n$ noroshi\n```\n") == [Block("console", 3, "$ noroshi\n")]
