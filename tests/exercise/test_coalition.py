"""Who takes part: keys that only fit their realm, every unit served, each node told only of its own seats."""

from __future__ import annotations

import pytest

from noroshi.clock import seconds
from noroshi.exercise.coalition import inject_message
from noroshi.exercise.injecting import control_input
from noroshi.exercise.scenario import MessageInject
from noroshi.messages import Ed25519, Message, Refused, TrustStore, Unverified, verify
from noroshi.messages.bodies import InjectBody
from noroshi.node.core import Node
from tests.exercise.playing import coalition_of, places


@pytest.mark.parametrize("structure", ["before", "after", "trilateral"])
def test_every_unit_that_takes_part_is_served_by_a_node(structure: str) -> None:
    coalition = coalition_of(structure=structure)
    nodes = coalition.members[0].genesis.nodes
    external = {unit.id for unit in coalition.structure.units if unit.kind == "external"}
    assert set(nodes) == set(coalition.structure.unit_ids) - external
    assert set(nodes.values()) == {"jpn", "usa", "kor"}
    assert all(member.genesis.nodes == nodes for member in coalition.members)
    assert coalition.serving("jp-cabsec").trigraph == "JPN"


def test_each_node_has_its_own_posts_and_sensors_only() -> None:
    for member in coalition_of().members:
        assert {post.unit.partition("-")[0] for post in member.genesis.posts} == {
            member.partner.nation.lower()
        }
        assert all(member.genesis.nodes[sensor.unit] == member.node for sensor in member.genesis.sensors)
        assert set(member.seats) == {post.id for post in member.genesis.posts}


def test_the_right_to_ask_is_in_the_duty_of_the_post_that_the_scenario_names() -> None:
    duties = {post.id: post.duties for post in coalition_of().members[0].genesis.posts}
    assert duties["jp-pm.duty"] == ("acknowledge", "request:trilateral-consult")
    assert duties["jp-mofa.duty"] == ()
    before = {post.id: post.duties for post in coalition_of(structure="before").members[0].genesis.posts}
    assert before["jp-mofa.duty"] == ("request:bilateral-consult",)


def test_all_certificates_are_believed_in_the_realm_and_nowhere_else() -> None:
    scheme = Ed25519()
    genesis = coalition_of(scheme=scheme).members[0].genesis
    own = TrustStore(genesis.realm, scheme, genesis.roots)
    assert own.admit_all(genesis.certificates) == {}
    other = TrustStore("exercise:another", scheme, genesis.roots)
    assert set(other.admit_all(genesis.certificates).values()) == {"foreign-realm"}
    roles = [one.role for one in genesis.certificates]
    assert (roles.count("node"), roles.count("control")) == (3, 3)


def test_keys_follow_from_the_entropy_and_no_two_are_alike() -> None:
    one, again, other = coalition_of(seed=1), coalition_of(seed=1), coalition_of(seed=2)
    assert one.members[0].genesis == again.members[0].genesis
    assert one.members[0].secrets.signing == again.members[0].secrets.signing
    assert one.members[0].secrets.signing != other.members[0].secrets.signing
    secrets = [member.secrets.signing for member in one.members]
    secrets += [member.secrets.ids for member in one.members]
    secrets += [seat.secret for member in one.members for seat in member.seats.values()]
    secrets += [member.control.secret for member in one.members]
    assert len(set(secrets)) == len(secrets)


def test_nothing_shows_a_secret_by_accident() -> None:
    member = coalition_of().members[0]
    for secret in (member.secrets.signing, member.control.secret, member.seats["jp-pm.duty"].secret):
        assert repr(secret) not in repr(member)


def test_a_node_begins_with_its_genesis() -> None:
    for member in coalition_of().members:
        node, commit = Node.begin(coalition_of().start_ns, member.genesis, member.secrets, places())
        assert commit.batch.records[0].type == "genesis"
        assert node.genesis.partner == member.trigraph


def test_what_exercise_control_says_is_believed_by_that_partner_only() -> None:
    coalition = coalition_of()
    japan, states = coalition.members[0], coalition.members[1]
    now_ns = coalition.start_ns + seconds(5)
    raw = inject_message(japan, "start", "jp-cabsec", "This is an exercise.", now_ns)
    genesis = states.genesis
    trust = TrustStore(genesis.realm, japan.control.scheme, {"JPN": genesis.roots["JPN"]})
    trust.admit_all(genesis.certificates)
    outcome = verify(Unverified(raw), trust, now_ns)
    assert isinstance(outcome, Message)
    assert isinstance(outcome.body, InjectBody)
    assert outcome.envelope.label.releasable_to == ("JPN",)
    forged = inject_message(states, "start", "us-dod", "x", now_ns)
    assert isinstance(verify(Unverified(forged), trust, now_ns), Refused)
    inject = MessageInject(id="start", at_s=5.0, unit="jp-cabsec", text="This is an exercise.")
    given = control_input(japan, inject, now_ns)
    assert (given.party, given.number, given.raw) == ("control:control", 0, raw)
