"""Targets: what changes whom a node believes and what it lets go: statements of keys, requests, release policies.

Anybody can hand over a bundle; behind a genuine root's signature its owner can say what it likes, and the order of what
it says must not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from noroshi.messages import Certificate, TrustStore, canonical, signing
from noroshi.messages.keys import (
    Bundle,
    Pin,
    Replacement,
    Request,
    Revocation,
    bundle_bytes,
    certify,
    read_bundle,
    read_request,
    replace_root,
    signed,
)
from noroshi.sharing import policy_check
from noroshi.sharing.policy import POLICY_DOMAIN, Policy, SignedPolicy, default_policy, opened
from noroshi.sharing.policy_file import load_policy
from tests.fuzz.messages import KEYED, MESSAGE_MIB, MIB_1, NOW_NS, REALM, crowded
from tests.fuzz.sample import samples
from tests.fuzz.table import Look, Target
from tests.fuzz.texts import YAML_MIB, of_text, structure

ROOTS = tuple(signing.derive(b"fuzz", "root", number) for number in range(3))
OWN = signing.derive(b"fuzz", "own node")
OLD, NEW, THIRD = (KEYED.public_key(one) for one in ROOTS)


def store() -> TrustStore:
    return TrustStore(REALM, KEYED, {"USA": OLD, "JPN": OLD}, [KEYED.public_key(OWN)])


def _bundle() -> Bundle:
    """A bundle as a partner makes it: two keys, one taken back, a new root; and what two persons at the node pin."""
    fields: dict[str, Any] = {"realm": REALM, "partner": "USA"}
    cards = tuple(
        Certificate(
            **fields,
            role="node",
            subject="usa",
            serial=number,
            public=KEYED.public_key(bytes((number,)) * 32),
            not_before_ns=0,
            not_after_ns=NOW_NS * 2,
        )
        for number in (1, 2)
    )
    keys = [signing.key_id(one.public) for one in cards]
    taken = samples(Revocation)[-1]["keys"][0] | {"key": keys[0]}
    return Bundle(
        certificates=cards,
        revocations=(
            msgspec.convert({**fields, "number": 1, "time_ns": NOW_NS, "keys": [taken]}, Revocation),
        ),
        replacements=(
            Replacement(**fields, old=OLD, new=NEW, time_ns=NOW_NS, ends_ns=2 * NOW_NS, keeps=(keys[1],)),
            Replacement(**fields, old=NEW, new=THIRD, time_ns=NOW_NS, ends_ns=2 * NOW_NS, keeps=()),
        ),
        pins=(
            Pin(
                **fields,
                own="JPN",
                node="jpn",
                what="root",
                number=1,
                value=THIRD,
                persons=("A", "B"),
                time_ns=NOW_NS,
                ends_ns=2 * NOW_NS,
                key=signing.key_id(KEYED.public_key(OWN)),
            ),
        ),
    )


def _bundles() -> Sequence[bytes]:
    return [
        bundle_bytes(_bundle()),
        bundle_bytes(_again_signed(_bundle())),
        *(canonical.encode(one) for one in samples(Bundle)),
    ]


def _again_signed(bundle: Bundle) -> Bundle:
    """The same, every statement signed by a root (or, a pin, by the node's own key): some of them the right one."""
    secrets = dict(zip((OLD, NEW, THIRD), ROOTS, strict=True))
    return msgspec.structs.replace(
        bundle,
        certificates=tuple(certify(KEYED, ROOTS[one.number % 3 - 1], one) for one in bundle.certificates),
        revocations=tuple(signed(KEYED, ROOTS[one.number % 3 - 1], one) for one in bundle.revocations),
        replacements=tuple(
            replace_root(KEYED, secrets.get(one.old, ROOTS[0]), secrets.get(one.new, ROOTS[1]), one)
            for one in bundle.replacements
        ),
        pins=tuple(signed(KEYED, OWN, one) for one in bundle.pins),
    )


def _ask(trust: TrustStore) -> list[object]:
    """All that a store can be asked; the answers."""
    keys = [signing.key_id(one.public) for one in trust.certificates()]
    return [
        sorted((key, str(trust.holder(key, now_ns))) for key in keys for now_ns in (0, NOW_NS, 3 * NOW_NS)),
        sorted((name, bundle_bytes(one)) for name, one in trust.bundles().items()),
        [
            (name, trust.root(name), trust.is_contested(name), sorted(trust.revoked(name)))
            for name in sorted(trust.partners())
        ],
        sorted(map(str, trust.endings(NOW_NS))),
    ]


def _bundle_look(raw: bytes) -> None:
    bundle = read_bundle(raw)
    if isinstance(bundle, str):
        assert bundle
        return
    assert bundle_bytes(bundle) == raw
    one = store()
    one.take(bundle)
    _ask(one)
    try:
        again = _again_signed(bundle)
    except OverflowError:
        return
    forth, back = store(), store()
    for statement in _statements(again):
        forth.apply(statement)
    for _ in range(4):  # what comes before that on which it stands is taken when it comes again
        for statement in reversed(_statements(again)):
            back.apply(statement)
    for statement in _statements(again) * 3:
        forth.apply(statement)
    if len(_statements(again)) < 100:
        assert _ask(forth) == _ask(back)


def _statements(bundle: Bundle) -> list[Any]:
    return [*bundle.pins, *bundle.replacements, *bundle.certificates, *bundle.revocations]


def _request(raw: bytes) -> None:
    read_request(raw, KEYED)
    try:
        bare = msgspec.msgpack.decode(raw, type=Request)
        again = canonical.encode(signed(KEYED, ROOTS[0], bare))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    assert isinstance(read_request(again, KEYED), str | Request)


# --- policies -------------------------------------------------------------------------------------------------------

POLICY_FILE = b"""
schema: noroshi.release-policy/1
partner: JPN
realm: exercise:fuzz
version: 2
ranks: [unclassified, restricted]
categories: [exercise]
partners:
  USA: {terms: member, highest: restricted, categories: [exercise]}
  KOR: {terms: case-by-case, highest: restricted}
  AUS: {terms: observer, highest: unclassified, admitted: {node: aus, unit: au-hq, nation: AU}}
rules:
  - {id: r1, to: [KOR], contents: [flight-path], effect: reduced}
  - {id: r2, to: [USA], kinds: [warning], units: [jp-mod], effect: deny}
  - {id: r3, to: [AUS], kinds: [warning], effect: full}
budgets:
  - {id: b1, to: [USA], contents: [flight-path], per_hour: 10}
markings:
  - {policy: allied, version: 1, ranks: {official: restricted}, categories: {exercise: exercise}}
releasing_posts: [jp-mod.duty]
"""


def _policy_seeds() -> Sequence[bytes]:
    return [
        canonical.encode(load_policy(POLICY_FILE.decode(), "f.yaml")),
        canonical.encode(default_policy("JPN", ("USA", "KOR"), REALM)),
    ]


def _policy_look() -> Look:
    in_force = default_policy("JPN", ("USA", "KOR"), REALM)

    def look(payload: bytes) -> None:
        raw = canonical.encode(SignedPolicy(payload, KEYED.sign(ROOTS[0], POLICY_DOMAIN + payload)))
        outcome = opened(raw, KEYED, OLD, partner="JPN", realm=REALM)
        if isinstance(outcome, str):
            assert outcome
            return
        _questioned(outcome)
        policy_module_answers(in_force, outcome)

    return look


def policy_module_answers(before: Policy, after: Policy) -> None:
    """What is asked when one policy follows another."""
    from noroshi.sharing.policy import partners_changed, succession_defect

    assert isinstance(succession_defect(before, after), str)
    partners_changed(before, after)


def _questioned(policy: Policy) -> None:
    list(policy_check.findings(policy))
    list(policy_check.structure_findings(policy, structure()))


def _policy_file(text: str) -> None:
    _questioned(load_policy(text, "f.yaml"))


def _crowded_bundles(size: int) -> Iterable[bytes]:
    own = msgspec.msgpack.decode(_bundles()[1])
    for crowd in crowded(size - 4000):
        yield canonical.encode({**own, "root": msgspec.Raw(crowd)})
        yield canonical.encode({**own, "zz": msgspec.Raw(crowd)})
    for name in ("certificates", "replacements", "revocations", "pins"):
        item = canonical.encode(own[name][0])
        yield canonical.encode({**own, name: [own[name][0]] * ((size - 4000) // len(item))})
    many = [{**own["certificates"][0], "public": number.to_bytes(32, "big")} for number in range(1000)]
    yield canonical.encode({**own, "certificates": many})
    keys = [{"key": number.to_bytes(16, "big"), "since_ns": 0} for number in range(size // 64)]
    yield canonical.encode({**own, "revocations": [{**own["revocations"][0], "keys": keys}]})


def _crowded_policies(size: int) -> Iterable[bytes]:
    own = msgspec.msgpack.decode(_policy_seeds()[0])
    for crowd in crowded(size - 4000):
        yield canonical.encode({**own, "rules": msgspec.Raw(crowd)})
    rule = own["rules"][0]
    for count in (400, (size - 4000) // (len(canonical.encode(rule)) + 8)):
        yield canonical.encode(
            {**own, "rules": [{**rule, "id": f"r{number:05d}"} for number in range(count)]}
        )
    yield canonical.encode({**own, "categories": [f"c{number}" for number in range(size // 10)]})
    yield canonical.encode({**own, "ranks": [f"c{number}" for number in range(size // 10)]})
    units = [f"u{number}" for number in range(size // 12)]
    yield canonical.encode({**own, "rules": [{**rule, "units": units}]})
    pairs = {f"c{number:06d}": "restricted" for number in range(size // 24)}
    yield canonical.encode({**own, "markings": [{**own["markings"][0], "ranks": pairs}]})


TARGETS = (
    Target(
        "trust",
        "statements of keys, as they come and with genuine signatures",
        lambda: _bundle_look,
        _bundles,
        "msgpack",
        MIB_1,
        MESSAGE_MIB,
        3.0,
        _crowded_bundles,
    ),
    Target(
        "request",
        "what a root is asked to certify",
        lambda: _request,
        lambda: [canonical.encode(one) for one in samples(Request)],
        "msgpack",
        MIB_1,
        16.0,
        2.0,
        crowded,
    ),
    Target(
        "policy",
        "a release policy that its partner's root has signed",
        _policy_look,
        _policy_seeds,
        "msgpack",
        MIB_1,
        MESSAGE_MIB,
        20.0,
        _crowded_policies,
    ),
    Target(
        "policy-file",
        "the file of a release policy",
        lambda: of_text(_policy_file),
        lambda: [POLICY_FILE],
        "yaml",
        4_000_000,
        YAML_MIB,
        20.0,
    ),
)
