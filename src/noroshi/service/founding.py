"""What a node starts from, made of a scenario and of what its directory has pinned and been given.

The scenario says who takes part, which unit is where, what senses and who sits where; the keys are those of real roots:
the pins in the node's directory, and the certificates under them.

    genesis = found_here(directory, stage("flight-2022-10-04"), now_ns)
"""

from __future__ import annotations

import msgspec

from noroshi.errors import InputError, OperatorError
from noroshi.exercise.coalition import found, pseudonym
from noroshi.geo.places import decode
from noroshi.messages import Certificate, Ed25519, TrustStore, key_id
from noroshi.node.inputs import Genesis
from noroshi.service.exercise_files import Staged
from noroshi.service.node_dir import NodeDir
from noroshi.service.resources import packaged_places
from noroshi.service.trust_files import TrustFiles

NO_ENTROPY = bytes(32)
"""The keys that a scenario would draw are not taken: those of real roots stand in their place."""


def found_here(directory: NodeDir, staged: Staged, now_ns: int) -> Genesis:
    """The genesis of this node. Raises OperatorError and InputError, saying what is missing."""
    config, secrets = directory.config, directory.secrets()
    scenario = staged.scenario
    if scenario.realm != config.realm:
        raise InputError(
            staged.loaded.document.file, None, "id", f"its realm is {scenario.realm}, and this node's is {config.realm}",
            "make the node for the scenario's realm",
        )  # fmt: skip
    trust = TrustFiles(directory).store()
    own = _own(trust, directory, now_ns)
    coalition = found(
        scenario, staged.structure, staged.catalogue, entropy=NO_ENTROPY, scheme=Ed25519(),
        places_digest=decode(packaged_places()).digest,
    )  # fmt: skip
    places = [one for one in coalition.members if (one.node, one.trigraph) == (config.node, config.partner)]
    if not places:
        known = ", ".join(f"{one.node} of {one.trigraph}" for one in coalition.members)
        raise InputError(
            staged.loaded.document.file,
            None,
            "partners",
            f"it has no node {config.node} of {config.partner}",
            f"it has {known}",
        )
    drawn = places[0].genesis
    partners = [partner for partner in drawn.partners if trust.root(partner) is not None]
    sensors = tuple(
        msgspec.structs.replace(one, pseudonym=pseudonym(secrets.ids, one.id)) for one in drawn.sensors
    )
    return msgspec.structs.replace(
        drawn,
        roots={partner: root for partner in partners if (root := trust.root(partner))},
        certificates=(own, *(one for one in _counting(trust, partners, now_ns) if one != own)),
        sensors=sensors,
    )


def unpinned(genesis: Genesis) -> list[str]:
    """Partners that take part and of whom no root is pinned: nothing that they say will be believed."""
    return sorted(partner for partner in genesis.partners if partner not in genesis.roots)


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
        for role in ("node", "post", "control")
        for one in trust.valid(partner, role, now_ns)
    ]
