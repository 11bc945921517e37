"""Files that are whole, and directories that nobody else can enter or has prepared."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from noroshi.errors import InputError, OperatorError
from noroshi.service.files import given_text, make_private, read_file, write_file


@pytest.fixture(params=[0o000, 0o022, 0o277])
def any_umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.usefixtures("any_umask")
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    place = tmp_path / "jpn"
    make_private(place)
    write_file(place / "key", b"secret", 0o600)
    write_file(place / "open", b"text", 0o644)
    assert (mode(place), mode(place / "key"), mode(place / "open")) == (0o700, 0o600, 0o644)


def test_directories_above_are_made_and_are_not_for_everybody_to_write(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private(tmp_path / "a" / "b" / "jpn")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b" / "jpn")) == (0o755, 0o700)


@pytest.mark.parametrize("wrong", [0o770, 0o707, 0o777, 0o720])
def test_a_directory_that_others_can_write_is_refused(tmp_path: Path, wrong: int) -> None:
    place = tmp_path / "jpn"
    place.mkdir()
    place.chmod(wrong)
    with pytest.raises(OperatorError, match=f"others may write in it \\(mode {wrong:04o}\\).*chmod 700"):
        make_private(place)
    assert mode(place) == wrong


def test_a_place_where_everybody_may_exchange_it_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(OperatorError, match="everybody may write in it; choose a place that is yours alone"):
        make_private(tmp_path / "jpn")
    tmp_path.chmod(0o1777)  # like /tmp: others may add, and not take away
    make_private(tmp_path / "jpn")
    tmp_path.chmod(0o700)


def test_a_link_or_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_bytes(b"")
    for name in ("link", "file"):
        with pytest.raises(OperatorError, match="it is a link or a file"):
            make_private(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory of another user")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "jpn"
    place.mkdir(mode=0o700)
    os.chown(place, 65_534, 65_534)
    with pytest.raises(OperatorError, match="it belongs to another user"):
        make_private(place)


def test_a_missing_file_is_told_with_its_hint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file; ask for it"):
        read_file(tmp_path / "nothing", "ask for it")
    with pytest.raises(InputError, match="it cannot be read"):
        read_file(tmp_path, "ask for it")


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("nothing", None, "nothing is here; ask for it"),
        ("latin", b"a: 1\nb: \xe9\n", ":2: not readable as UTF-8; save the file as UTF-8"),
        ("long", b"x" * 65, "larger than 64 bytes"),
        ("zero\0byte", None, "it cannot be read: embedded null byte; ask for it"),
        (".", None, "it cannot be read: Is a directory; ask for it"),
    ],
)
def test_a_text_that_a_person_names_is_read_or_refused_in_one_sentence(
    tmp_path: Path, name: str, raw: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(InputError) as refused:
        given_text(path, "ask for it", most=64, missing="nothing is here")
    assert words in str(refused.value)
    good = tmp_path / "狼煙.yaml"
    good.write_bytes("狼煙\r\n".encode())
    assert given_text(str(good), "", most=64) == "狼煙\n"
