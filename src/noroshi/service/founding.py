"""What a node starts from, made of a scenario or a setting and of what its directory has pinned and been given.

The file says who takes part, which unit is where, what senses and who sits where; the keys are those of real roots: the
pins in the node's directory, and the certificates under them.

    genesis = found_here(directory, stage("flight-2022-10-04"), now_ns)
    genesis = found_here(directory, read_setting("two-nations.yaml"), now_ns)
    unpinned(genesis), wanting(genesis)      # what is not there yet, for the person who founds it
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from noroshi.command.alerts import ISSUE
from noroshi.documents import Document, fail
from noroshi.errors import OperatorError
from noroshi.exercise.cast import Cast, Keys
from noroshi.geo.places import decode
from noroshi.messages import Certificate, Ed25519, TrustStore, key_id
from noroshi.messages.trust import REAL
from noroshi.node.inputs import Genesis
from noroshi.service.node_dir import NodeDir
from noroshi.service.resources import packaged_places
from noroshi.service.trust_files import TrustFiles
from noroshi.structure.authority import units_with
from noroshi.structure.model import MODES, Cited
from noroshi.warning import AreaList


class Given(Protocol):
    """A file that was read and checked: a scenario under a structure, or a setting.

    realm_field: the field that says its realm; areas: own areas of partners that have some.
    """

    @property
    def document(self) -> Document: ...
    @property
    def realm_field(self) -> str: ...
    @property
    def areas(self) -> Mapping[str, AreaList]: ...
    @property
    def cast(self) -> Cast: ...


def found_here(directory: NodeDir, given: Given, now_ns: int) -> Genesis:
    """The genesis of this node. Raises OperatorError and InputError, saying what is missing."""
    config, cast = directory.config, given.cast
    if cast.realm != config.realm:
        cause = f"its realm is {cast.realm}, and this node's is {config.realm}"
        fail(given.document, (given.realm_field,), cause, f"make the node for the realm {cast.realm}")
    trust = TrustFiles(directory).store()
    own = _own(trust, directory, now_ns)
    seat = cast.seat(config.node, config.partner)
    if seat is None:
        known = ", ".join(f"{one.node} of {one.partner}" for one in cast.taking)
        fail(
            given.document, ("partners",), f"it has no node {config.node} of {config.partner}", f"it has {known}"
        )  # fmt: skip
    partners = [one.partner for one in cast.taking if trust.root(one.partner) is not None]
    keys = Keys(
        ids=directory.secrets().ids,
        scheme=Ed25519().name,
        roots={partner: root for partner in partners if (root := trust.root(partner))},
        # The warrant of a scenario is of a drawn root; the true one gives its own, by hand.
        certificates=(own, *(one for one in _counting(trust, partners, now_ns) if one != own)),
    )
    digest = decode(packaged_places()).digest
    return cast.genesis(
        seat, keys, places_digest=digest, areas=given.areas.get(config.partner, msgspec.UNSET)
    )


def unpinned(genesis: Genesis) -> list[str]:
    """Partners that take part and of whom no root is pinned: nothing that they say will be believed."""
    return sorted(partner for partner in genesis.partners if partner not in genesis.roots)


def wanting(genesis: Genesis, relays: Iterable[str] = ()) -> list[str]:
    """What a node founded so cannot do yet, each in words. relays: those that are to carry its alerts.

    Nothing of it keeps the node from running: keys of posts and relays, warrants and words come while it does.
    """
    held = {
        (one.role, one.subject) for one in genesis.certificates if one.partner == genesis.partner
    }  # fmt: skip
    found = [*_unsigning(genesis)]
    keyless = [one.id for one in genesis.posts if ("post", one.id) not in held]
    if keyless:
        found.append(f"no key is certified yet of the posts {', '.join(keyless)}")
    silent = [one for one in relays if ("relay", one) not in held]
    if silent:
        found.append(f"no key is certified yet of the relays {', '.join(silent)}")
    if not genesis.sensors:
        found.append("it has no sensors of its own: what it sees is what partners tell it")
    if genesis.realm == REAL:
        notional = _notional(genesis)
        if notional:
            cause = f"{notional} elements of the structure {genesis.structure.id} are notional"
            found.append(f"{cause}: invented, and no agreement of anybody")
        found.append("no public words are approved yet: until they are, it drafts no public alert")
    return found


def _unsigning(genesis: Genesis) -> Iterator[str]:
    """Own units that may alert the public, and have not the two posts that it takes."""
    able = {unit for mode in MODES for unit in units_with(genesis.structure, ISSUE, "decide", mode)}
    for unit in sorted(one for one in able if genesis.nodes.get(one) == genesis.node):
        posts = [one for one in genesis.posts if one.unit == unit]
        watch = {one.id for one in posts if "watch" in one.duties}
        approve = {one.id for one in posts if "approve" in one.duties}
        if not watch or not approve or len(watch | approve) < 2:
            yield f"{unit} may alert the public, and has not two posts, one to watch and another to approve"


def _notional(genesis: Genesis) -> int:
    """How many elements of the structure are invented."""
    structure = genesis.structure
    elements: tuple[Cited, ...] = (
        *structure.units, *structure.links, *structure.sharing, *structure.authorities,
    )  # fmt: skip
    return sum(one.confidence == "notional" for one in elements)


def _own(trust: TrustStore, directory: NodeDir, now_ns: int) -> Certificate:
    """The certificate of the key with which this node begins."""
    config = directory.config
    public = Ed25519().public_key(directory.secrets().signing)
    found = trust.holder(key_id(public), now_ns, config.partner)
    if isinstance(found, Certificate) and (found.role, found.subject) == ("node", config.node):
        return found
    cause = found if isinstance(found, str) else f"its key is certified for {found.role} {found.subject}"
    raise OperatorError(
        "make the genesis", subject=str(directory.path), cause=f"the node's own key is not certified ({cause})",
        hint=f"have {directory.request_path.name} certified, and pin the root of {config.partner} with its file",
    )  # fmt: skip


def _counting(trust: TrustStore, partners: list[str], now_ns: int) -> list[Certificate]:
    return [
        one
        for partner in partners
        for role in ("node", "post", "control", "relay")
        for one in trust.valid(partner, role, now_ns)
    ]
