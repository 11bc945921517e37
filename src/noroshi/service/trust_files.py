"""What a node's directory holds of trust: pins that two persons made, and what roots have said, for the node to take.

`trust/` has one bundle per file, in the order in which they were given, and among them signed release policies; those
that the running node has taken lie in `trust/given/`. Nothing here is believed for lying here: each statement carries
the signature of a root, or of this node's own key where two persons have pinned.

    files = TrustFiles(directory)
    files.pin_root(Compared("USA", ("3e20...", "3e20..."), ("A. Sato", "B. Ito")), bundle, now_ns)
    files.add(bundle)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from noroshi.clock import NEVER
from noroshi.command.hop_keys import Enrolled, open_roster
from noroshi.command.warrant import Warrant
from noroshi.command.warrant import opened as opened_warrant
from noroshi.errors import InputError, OperatorError
from noroshi.messages import Certificate, Ed25519, Scheme, TrustStore, key_id
from noroshi.messages.keys import (
    MAX_NAME,
    Bundle,
    Pin,
    bundle_bytes,
    fingerprint,
    read_bundle,
    signed,
    signed_bytes,
)
from noroshi.messages.trust import Taken
from noroshi.node.state import scheme_named
from noroshi.node.trusting import Opener, publics
from noroshi.service.files import make_private, read_file, write_file
from noroshi.service.link_keys import fingerprint as link_fingerprint
from noroshi.service.node_config import PeerConfig
from noroshi.service.node_dir import GENESIS_NAME, NodeDir
from noroshi.sharing.policy import Policy, opened
from noroshi.warning.area_list import AreaList, open_areas

SUFFIX = ".trust"
POLICY_SUFFIX = ".policy"
AREAS_SUFFIX = ".areas"
WARRANT_SUFFIX = ".warrant"
TEMPLATES_SUFFIX = ".templates"
ROSTER_SUFFIX = ".roster"
GIVEN, REFUSED = "given", "refused"
_WRONG = "ask who made it for a whole one"

Given = TypeVar("Given", Policy, AreaList, Warrant, Enrolled)


@dataclass(frozen=True, slots=True)
class Compared:
    """What two persons say that they have compared: each typed the fingerprint as the partner read it out to them."""

    partner: str
    fingerprints: Sequence[str]
    persons: Sequence[str]

    def agreed(self, found: str) -> tuple[str, str]:
        """The two persons, when both typed what was found in the file. Raises OperatorError."""
        typed = ["".join(c for c in one.lower() if c not in " :-.") for one in self.fingerprints]
        persons = [" ".join(one.split()) for one in self.persons]
        hint = "give --person NAME --fingerprint HEX twice, once for each of two persons"
        if len(typed) != 2 or len(persons) != 2:
            raise self._refused(
                f"{len(persons)} persons and {len(typed)} fingerprints were given, not two of each", hint
            )
        if not all(one and len(one) <= MAX_NAME and one.isprintable() for one in persons):
            raise self._refused("a person has no name", hint)
        if persons[0].casefold() == persons[1].casefold():
            raise self._refused(f"both are {persons[0]}", "a second person must compare for themselves")
        if typed[0] != typed[1]:
            hint = "stop, and have the partner read it out again to both"
            raise self._refused("the two persons have typed different fingerprints", hint)
        if typed[0] != found:
            hint = f"the file's is {found}: stop, and compare with the partner over another way"
            raise self._refused("the file and the fingerprint that was read out do not match", hint)
        return persons[0], persons[1]

    def _refused(self, cause: str, hint: str) -> OperatorError:
        return OperatorError("pin the partner", subject=self.partner, cause=cause, hint=hint)


class TrustFiles:
    """The trust of one node, as its directory has it."""

    def __init__(self, directory: NodeDir) -> None:
        self.directory = directory
        self.path = directory.path / "trust"

    def waiting(self) -> list[Path]:
        """Files that the node has not taken yet, in the order in which they were given."""
        suffixes = (SUFFIX, POLICY_SUFFIX, AREAS_SUFFIX, WARRANT_SUFFIX, TEMPLATES_SUFFIX, ROSTER_SUFFIX)
        return sorted(path for suffix in suffixes for path in self.path.glob(f"*{suffix}"))

    def bundles(self) -> list[tuple[Path, Bundle]]:
        """All bundles, in the order in which they were given. Raises InputError when one is damaged."""
        paths = sorted([*self.path.glob(f"{GIVEN}/*"), *self.waiting()], key=lambda path: path.name)
        return [(path, read_bundle_file(path)) for path in paths if path.suffix == SUFFIX]

    def store(self) -> TrustStore:
        """What the node believes, as far as its directory tells: its genesis, if it has one, and all bundles."""
        config = self.directory.config
        scheme: Scheme = Ed25519()
        roots: dict[str, bytes] = {}
        certificates: tuple[Certificate, ...] = ()
        if (self.directory.path / GENESIS_NAME).exists():
            genesis = self.directory.genesis()
            scheme, roots, certificates = (
                scheme_named(genesis.scheme, config.realm),
                genesis.roots,
                genesis.certificates,
            )
        trust = TrustStore(config.realm, scheme, roots, own=publics(scheme, self.directory.secrets()))
        trust.admit_all(certificates)
        for _, bundle in self.bundles():
            trust.take(bundle)
        return trust

    def add(self, bundle: Bundle) -> Taken:
        """Puts a bundle where the node takes it from, when it says something new that the node would believe.

        Raises OperatorError when nothing in it would be believed.
        """
        taken = self.store().take(bundle)
        if taken.refused and not taken.new:
            one, reason = taken.refused[0]
            raise OperatorError(
                "take the bundle", subject=one.partner, cause=f"nothing in it is believed ({reason})",
                hint=f"is it of this realm, and under the root of {one.partner} that is pinned here?",
            )  # fmt: skip
        if taken.new:
            self._put(bundle_bytes(bundle))
        return taken

    def add_policy(self, raw: bytes) -> Policy:
        """Puts a signed release policy where the node takes it from. Raises OperatorError as `_opened` does."""
        policy = self._opened(raw, opened, "policy", "`noroshi node root policy`")
        self._put(raw, POLICY_SUFFIX)
        return policy

    def add_areas(self, raw: bytes) -> AreaList:
        """Puts a signed list of own areas where the node takes it from. Raises OperatorError as `_opened` does."""
        given = self._opened(raw, open_areas, "areas", "`noroshi areas sign`")
        self._put(raw, AREAS_SUFFIX)
        return given

    def add_warrant(self, raw: bytes) -> Warrant:
        """Puts a signed warrant where the node takes it from. Raises OperatorError as `_opened` does."""
        warrant = self._opened(raw, opened_warrant, "warrant", "`noroshi alert warrant`")
        self._put(raw, WARRANT_SUFFIX)
        return warrant

    def add_roster(self, raw: bytes) -> Enrolled:
        """Puts a signed list of last hops where the node takes it from. Raises OperatorError as `_opened` does."""
        given = self._opened(raw, open_roster, "roster", "`noroshi relay roster`")
        self._put(raw, ROSTER_SUFFIX)
        return given

    def _opened(self, raw: bytes, opener: Opener[Given], what: str, command: str) -> Given:
        """What our own root has signed.

        Raises OperatorError when it has not, or when what it signed is of another partner or realm, or not usable.
        """
        config, trust = self.directory.config, self.store()
        root = trust.root(config.partner)
        found: Given | str = (
            "no-root"
            if root is None
            else opener(raw, trust.scheme, root, partner=config.partner, realm=config.realm)
        )
        if isinstance(found, str):
            raise OperatorError(
                f"take the {what}", subject=config.partner, cause=f"the node would refuse it ({found})",
                hint=f"have it signed by the root that is pinned here, with {command}",
            )  # fmt: skip
        return found

    def add_templates(self, raw: bytes) -> None:
        """Puts a set of public words where the node takes it from; the node looks at who has approved it."""
        self._put(raw, TEMPLATES_SUFFIX)

    def pin_root(
        self, compared: Compared, bundle: Bundle, now_ns: int, *, old_ends_ns: int | None = None
    ) -> Pin:
        """Pins a partner's root, and takes what it has said.

        old_ends_ns: until when what an earlier root of this partner has certified holds on; needed when there is one.
        Raises OperatorError when the persons do not agree, or something is missing.
        """
        partner, root, trust = compared.partner, bundle.root, self.store()
        persons = compared.agreed(fingerprint(self.directory.config.realm, partner, root))
        if trust.root(partner) == root:
            old_ends_ns = NEVER  # the same root, compared once more: nothing ends
        elif trust.roots(partner) and old_ends_ns is None:
            raise OperatorError(
                "pin the partner", subject=partner, cause="another root of this partner is pinned here",
                hint="say with --old-ends until when what that one has certified holds on",
            )  # fmt: skip
        keeps = tuple(sorted(_kept(trust, partner, now_ns)))
        pin = self._signed_pin(partner, "root", root, persons, now_ns, trust, old_ends_ns or now_ns, keeps)
        reason = trust.apply(pin)
        if reason:
            raise OperatorError("pin the partner", subject=partner, cause=reason)
        refused = {signed_bytes(one) for one, _ in trust.take(bundle).refused}
        self._put(bundle_bytes(_without(bundle, refused, pin)))
        return pin

    def pin_link(
        self, compared: Compared, certificate_pem: bytes, host: str, port: int, now_ns: int
    ) -> tuple[NodeDir, Pin]:
        """Pins a partner's link certificate, and says where its node listens; the directory as it now is.

        Raises OperatorError when the persons do not agree, or the file is no certificate.
        """
        partner = compared.partner
        try:
            found = link_fingerprint(certificate_pem)
        except ValueError:
            raise OperatorError(
                "pin the partner", subject=partner, cause="the file is no certificate",
                hint="ask the partner for its keys/link.cert.pem",
            ) from None  # fmt: skip
        persons = compared.agreed(found)
        peer = PeerConfig(partner=partner, host=host, port=port, tls_fingerprint=found)
        directory = self.directory.with_peer(peer, certificate_pem)
        pin = self._signed_pin(
            partner, "link", bytes.fromhex(found), persons, now_ns, self.store(), now_ns, ()
        )
        self._put(bundle_bytes(Bundle(pins=(pin,))))
        return directory, pin

    def _signed_pin(
        self,
        partner: str,
        what: str,
        value: bytes,
        persons: tuple[str, str],
        now_ns: int,
        trust: TrustStore,
        ends_ns: int,
        keeps: tuple[bytes, ...],
    ) -> Pin:
        """The pin, with the first key of this node, under which pins count for as long as there is the node."""
        config, seed = self.directory.config, self.directory.secrets().signing
        numbers = [one.number for one in trust.pins(partner, what)]
        bare = Pin(
            realm=config.realm,
            partner=partner,
            own=config.partner,
            node=config.node,
            what="root" if what == "root" else "link",
            number=max(numbers, default=0) + 1,
            value=value,
            persons=persons,
            time_ns=now_ns,
            ends_ns=ends_ns,
            keeps=keeps,
            key=key_id(trust.scheme.public_key(seed)),
        )
        return signed(trust.scheme, seed, bare)

    def _put(self, raw: bytes, suffix: str = SUFFIX) -> None:
        make_private(self.path)
        names = [path.name for path in (*self.waiting(), *self.path.glob(f"{GIVEN}/*"))]
        number = max((int(name[:4]) for name in names if name[:4].isdigit()), default=0) + 1
        write_file(self.path / f"{number:04d}{suffix}", raw, 0o600)

    def mark_given(self, path: Path) -> None:
        """The node has taken this file: it stays, and is not given again. Raises OSError."""
        self._move(path, GIVEN)

    def mark_refused(self, path: Path) -> None:
        """The node will never take this file, which has nothing of trust in it: it is put away. Raises OSError."""
        self._move(path, REFUSED)

    def _move(self, path: Path, folder: str) -> None:
        make_private(self.path / folder)
        path.rename(self.path / folder / path.name)


def read_bundle_file(path: Path) -> Bundle:
    """The bundle in a file; its signatures are looked at where it is used. Raises InputError."""
    found = read_bundle(read_file(path, _WRONG))
    if isinstance(found, str):
        raise InputError(str(path), None, "", f"it is no bundle of trust ({found})", _WRONG)
    return found


def _without(bundle: Bundle, refused: set[bytes], pin: Pin) -> Bundle:
    """The bundle with its pin, and without what this node would refuse, such as the words of roots before the pinned."""
    return Bundle(
        pins=(pin,),
        replacements=tuple(one for one in bundle.replacements if signed_bytes(one) not in refused),
        certificates=tuple(one for one in bundle.certificates if signed_bytes(one) not in refused),
        revocations=tuple(one for one in bundle.revocations if signed_bytes(one) not in refused),
    )


def _kept(trust: TrustStore, partner: str, now_ns: int) -> set[bytes]:
    """Keys of a partner that count at this moment."""
    return {
        key_id(one.public)
        for role in ("node", "post", "control", "relay")
        for one in trust.valid(partner, role, now_ns)
    }
