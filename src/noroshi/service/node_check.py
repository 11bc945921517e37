"""Is a node's directory whole? Each answer is one line: what was looked at, whether it holds, what was found.

The last checks replay the record with the node's own keys: every derived record and every outbox row must
come out again, byte for byte.

    for check in check_node("jpn"): print(check.name, check.met, check.detail)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from noroshi.errors import InputError, NoroshiError
from noroshi.log import OutboxRow, Record, verified
from noroshi.messages.signing import Ed25519
from noroshi.node.inputs import Genesis, decode_input
from noroshi.service import node_dir
from noroshi.service.node_dir import NodeDir
from noroshi.service.process import Cores, RealCores
from noroshi.service.record_file import RecordFile


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    met: bool
    detail: str


def check_node(path: Path | str, cores: Callable[[NodeDir], Cores] = RealCores) -> Iterator[Check]:
    """The checks, one after the other; the first of them raises InputError when the configuration is unusable."""
    directory = node_dir.load(path)
    config = directory.config
    yield Check("configuration", True, f"{config.node} of {config.partner} in {config.realm}")
    yield _checked("directory", lambda: _modes(directory))
    yield _checked("keys", lambda: _keys(directory))
    yield _checked("genesis", lambda: _genesis(directory))
    yield _checked("links", lambda: _links(directory))
    if not directory.record_path.exists():
        yield Check("record", True, "there is none yet: the node has not run")
        return
    yield _checked("record", lambda: _chain(directory))
    yield _checked("replay", lambda: _replay(directory, cores))


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except NoroshiError as error:
        return Check(name, False, str(error))


def _modes(directory: NodeDir) -> str:
    for path in (directory.path, directory.path / "keys"):
        mode = path.stat().st_mode & 0o777
        if mode & 0o077:
            raise InputError(
                str(path), None, "", f"others may enter it (mode {mode:04o})", f"run `chmod 700 {path}`"
            )
    return "only its owner may enter it"


def _keys(directory: NodeDir) -> str:
    secrets = directory.secrets()
    directory.page_token()
    directory.feed_token()
    return f"signing key {Ed25519().public_key(secrets.signing).hex()}, link {directory.link_fingerprint}"


def _genesis(directory: NodeDir) -> str:
    genesis = directory.genesis()
    return f"{genesis.title}: {len(genesis.sensors)} sensors, {len(genesis.posts)} posts"


def _links(directory: NodeDir) -> str:
    names = [peer.partner for peer in directory.config.peers]
    for name in names:
        directory.peer_certificate(name)
    return f"pinned: {', '.join(names)}" if names else "no partner is pinned"


def _chain(directory: NodeDir) -> str:
    with RecordFile(directory.record_path) as file:
        count = sum(1 for _ in verified(str(directory.record_path), file.records()))
    return f"{count} records, each follows the one before it"


def _replay(directory: NodeDir, cores: Callable[[NodeDir], Cores]) -> str:
    """Handles all inputs again and compares what comes out with what is stored."""
    path = str(directory.record_path)
    made = cores(directory)
    rows = 0
    with RecordFile(directory.record_path) as file:
        kept = list(verified(path, file.records()))
        made.replay(path, kept)
        inputs = [record for record in kept if record.is_input]
        for record, answer in _again(made, inputs):
            for row in answer:
                stored = file.outbox(row.party, row.number - 1, 1)
                if stored != [row]:
                    raise NoroshiError(
                        "check the outbox", subject=f"{row.party}, row {row.number}",
                        cause=f"it is not what record {record.sequence} gives",
                        hint="another version wrote it (check with that one), or it was changed",
                    )  # fmt: skip
                rows += 1
    return f"{len(inputs)} inputs give back {len(kept) - len(inputs)} records and {rows} outbox rows"


def _again(made: Cores, inputs: list[Record]) -> Iterator[tuple[Record, tuple[OutboxRow, ...]]]:
    core = None
    for record in inputs:
        assert record.body is not None
        given = decode_input(record.body)
        if isinstance(given, Genesis):
            core, commit = made.begin(record.now_ns, given)
        else:
            assert core is not None
            commit = core.handle(record.now_ns, given)
        yield record, commit.batch.outbox
