"""Is a node's directory whole? Each answer is one line: what was looked at, whether it holds, what was found.

The last checks replay the record with the node's own keys: every derived record and every outbox row must
come out again, byte for byte. Where retention has let bodies go, or an older version made the first records, the newest
snapshot is what the replay begins with.

    for check in check_node("jpn"): print(check.name, check.met, check.detail)
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.clock import to_iso
from noroshi.errors import InputError, NoroshiError, OperatorError
from noroshi.log import Batch, Forget, MemoryStore, OutboxRow, Record
from noroshi.messages import Certificate, Ed25519, TrustStore, key_id
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.trust import DAY_NS
from noroshi.node.inputs import Genesis, decode_input
from noroshi.service import node_dir
from noroshi.service.cap_signing import read_signer
from noroshi.service.node_config import CapSigning
from noroshi.service.node_dir import GENESIS_NAME, NodeDir
from noroshi.service.process import Cores, RealCores
from noroshi.service.record_file import RecordFile
from noroshi.service.starting import core_of
from noroshi.service.trust_files import TrustFiles

PAGE_ROWS = 1000


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
    yield _checked("trust", lambda: _trust(directory))
    yield _checked("genesis", lambda: _genesis(directory))
    yield _checked("links", lambda: _links(directory))
    served = config.cap_feed
    if served is not None and served.sign is not None:
        signing = served.sign
        yield _checked("signature of alerts", lambda: _signing(directory, signing))
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
    newest = Ed25519().public_key(directory.newest_key().seed).hex()
    more = "" if newest == Ed25519().public_key(secrets.signing).hex() else " (the newest of several)"
    return f"signing key {newest}{more}, link {directory.link_fingerprint}"


def own_certificate(directory: NodeDir, trust: TrustStore, now_ns: int) -> Certificate | str:
    """With what this node would sign now: of its keys that count, the newest certified; or why there is none."""
    config, best, why = directory.config, None, "it has no key"
    for public in trust.own.values():
        found = trust.holder(key_id(public), now_ns, config.partner)
        if isinstance(found, str):
            why = found
        elif (found.role, found.subject) == ("node", config.node):
            best = found if best is None or found.number > best.number else best
    return best or why


def near_ends(trust: TrustStore, now_ns: int) -> list[str]:
    """Keys that are near their end or past it, each in words."""
    words = []
    for one in trust.endings(now_ns):
        if one.is_near:
            left = (one.until_ns - now_ns) / DAY_NS
            when = f"ends in {left:.1f} days" if left > 0 else "has ended"
            words.append(f"the key of {one.certificate.subject} ({one.certificate.partner}) {when}")
    return words


def _trust(directory: NodeDir) -> str:
    """Whether the node can be believed at this moment, and how long still."""
    files = TrustFiles(directory)
    trust = files.store()
    if not trust.partners():
        return "no root is pinned: nobody is believed"
    now_ns = directory.config.clock.clock().now_ns()
    own = own_certificate(directory, trust, now_ns)
    if isinstance(own, str):
        raise OperatorError(
            "speak as this node", subject=directory.config.node, cause=f"its key does not count ({own})",
            hint=f"have {directory.request_path.name} certified, and give the file with `noroshi node trust`",
        )  # fmt: skip
    contested = [one for one in trust.partners() if trust.is_contested(one)]
    if contested:
        raise OperatorError(
            "believe a partner", subject=", ".join(contested), cause="its root has named two successors",
            hint="compare fingerprints with the partner and pin one of them, two persons present",
        )  # fmt: skip
    words = [
        f"its key counts until {to_iso(own.not_after_ns, digits=0)}",
        f"roots of {', '.join(trust.partners())}",
    ]
    return "; ".join([*words, *near_ends(trust, now_ns)])


def _genesis(directory: NodeDir) -> str:
    genesis = directory.genesis()
    return f"{genesis.title}: {len(genesis.sensors)} sensors, {len(genesis.posts)} posts"


def _links(directory: NodeDir) -> str:
    """The pinned partners; each that the genesis wires to this node must be one of them, or it does not start."""
    names = [peer.partner for peer in directory.config.peers]
    if (directory.path / GENESIS_NAME).exists():
        genesis = directory.genesis()
        wired = {node for pair in genesis.wires if genesis.node in pair for node in pair} - {genesis.node}
        names = sorted({*names, *(genesis.node_partners[node] for node in wired)})
    for name in names:
        directory.peer_certificate(name)
    return f"pinned: {', '.join(names)}" if names else "no partner is pinned"


def _signing(directory: NodeDir, named: CapSigning) -> str:
    """Whether the key and the certificate of our alerts belong together, and its dates are good."""
    signer = read_signer(directory.path, named)
    warning = signer.warning(directory.config.clock.clock().now_ns())
    return warning or f"{named.key} signs what is served, under {named.certificate}"


def _chain(directory: NodeDir) -> str:
    with RecordFile(directory.record_path) as file:
        count = sum(1 for _ in file.verified())
    return f"{count} records, each follows the one before it"


def _replay(directory: NodeDir, cores: Callable[[NodeDir], Cores]) -> str:
    """Handles all inputs again and compares what comes out with what is stored."""
    path = str(directory.record_path)
    made = cores(directory)
    with RecordFile(directory.record_path) as file:
        kept = list(file.verified())
        head = file.head
        if head.is_newer:
            raise OperatorError(
                "replay the record", subject=path, cause=head.newer, hint="check it with that newer version"
            )
        older = bool(head.taken_over) or head.messages < SCHEMA_VERSION
        if older or any(record.body is None for record in kept):
            notes: list[str] = []
            core_of(file, made, path, notes.append)
            return "; ".join(["its newest snapshot and what came after give the node back", *notes])
        made.replay(path, kept)
        inputs = [record for record in kept if record.is_input]
        rows = _compared(file, _again(made, inputs))
    return f"{len(inputs)} inputs give back {len(kept) - len(inputs)} records and {rows} outbox rows"


def _compared(file: RecordFile, batches: Iterable[Batch]) -> int:
    """How many rows the streams hold, all of them as the inputs give them. Raises NoroshiError at the first other."""
    again = MemoryStore()
    streams: dict[str, None] = {}
    for batch in batches:
        forget = batch.forget and Forget(0, 0, batch.forget.rows)
        again.append([Batch((), tuple(map(_brief, batch.outbox)), batch.cuts, forget)])
        streams |= dict.fromkeys(row.stream for row in batch.outbox)
    count = 0
    for stream in streams:
        after = again.base(stream)[0]
        while rows := again.outbox(stream, after, PAGE_ROWS):
            stored = [_brief(row) for row in file.outbox(stream, after, len(rows))]
            if stored != rows:
                wrong = next((row for row in rows if row not in stored), rows[0])
                raise NoroshiError(
                    "check the outbox", subject=f"{stream}, row {wrong.number}",
                    cause="it is not what the inputs give",
                    hint="another version wrote it (check with that one), or it was changed",
                )  # fmt: skip
            count += len(rows)
            after = rows[-1].number
    return count


def _brief(row: OutboxRow) -> OutboxRow:
    """The row with the digest of its data in their place: a whole record's rows are held at once."""
    return msgspec.structs.replace(row, data=hashlib.sha256(row.data).digest())


def _again(made: Cores, inputs: list[Record]) -> Iterator[Batch]:
    core = None
    for record in inputs:
        assert record.body is not None
        given = decode_input(record.body)
        if isinstance(given, Genesis):
            core, commit = made.begin(record.now_ns, given)
        else:
            assert core is not None
            commit = core.handle(record.now_ns, given)
        yield commit.batch
