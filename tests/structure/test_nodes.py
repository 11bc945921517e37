"""The service map: every unit has a node, or there is an error that names it."""

from __future__ import annotations

import pytest

from noroshi.structure import AssignmentError, Structure, assign, unserved
from tests.structure.small import link, structure, unit

NODES = {"jpn": {"JP"}, "usa": {"US"}, "kor": {"KR"}}


def bodies(given: Structure) -> dict[str, str]:
    return {one.id: "usa" for one in given.units if one.shared and one.id != "tri-warning"}


def test_every_unit_of_the_packaged_structures_has_a_node(packaged: dict[str, Structure]) -> None:
    for given in packaged.values():
        served = assign(given, NODES, shared=bodies(given))
        assert unserved(given, served) == ("ext-cn-mnd", "ext-partners")
        nodes = {"US": "usa", "JP": "jpn", "KR": "kor"}
        for one in given.units:
            if one.nation in nodes:
                assert served[one.id] == nodes[one.nation]


def test_an_operated_body_is_at_its_operators_node(packaged: dict[str, Structure]) -> None:
    given = packaged["trilateral"]
    assert assign(given, NODES, shared=bodies(given))["tri-warning"] == "usa"
    named = bodies(given) | {"tri-warning": "kor"}
    assert assign(given, NODES, shared=named)["tri-warning"] == "kor"


SMALL = structure(
    [
        unit("us-a", "US"),
        unit("jp-a", "JP"),
        unit("bi", "US+JP", "exchange"),
        unit("cn-a", "CN", "external"),
    ]
)


@pytest.mark.parametrize(
    ("nodes", "shared", "external", "named", "cause"),
    [
        ({"usa": {"US"}}, {"bi": "usa"}, (), "jp-a", "no node serves JP"),
        ({"usa": {"US"}, "jpn": {"JP"}}, {}, (), "bi", "no unit with a node operates it"),
        ({"usa": {"US"}, "jpn": {"JP"}}, {"bi": "kor"}, (), "bi", "there is no node kor"),
        (
            {"usa": {"US"}, "jpn": {"JP"}, "kor": {"KR"}},
            {"bi": "kor"},
            (),
            "bi",
            "serves none of its nations",
        ),
        ({"usa": {"US"}, "jpn": {"JP"}}, {"bi": "usa", "nil": "usa"}, (), "nil", "no such unit"),
        ({"usa": {"US"}, "jpn": {"JP"}}, {"bi": "usa"}, ("nil",), "nil", "no such unit"),
        ({"usa": {"US"}, "jpn": {"JP"}}, {"bi": "usa", "jp-a": "usa"}, (), "jp-a", "belongs to JP alone"),
        ({"usa": {"US"}, "jpn": {"JP"}}, {"bi": "usa", "cn-a": "usa"}, (), "cn-a", "external"),
        ({"usa": {"US"}, "jpn": {"JP", "US"}}, {"bi": "usa"}, (), "", "US is served by jpn and by usa"),
    ],
)
def test_a_unit_without_a_clear_node_is_named(
    nodes: dict[str, set[str]], shared: dict[str, str], external: tuple[str, ...], named: str, cause: str
) -> None:
    with pytest.raises(AssignmentError) as caught:
        assign(SMALL, nodes, shared, external)
    assert caught.value.unit == named
    assert cause in caught.value.cause


def test_a_caller_can_keep_units_out() -> None:
    served = assign(SMALL, {"usa": {"US"}}, {"bi": "usa"}, external=("jp-a",))
    assert served == {"us-a": "usa", "bi": "usa"}
    assert unserved(SMALL, served) == ("jp-a", "cn-a")


def test_two_operators_at_different_nodes_need_a_decision() -> None:
    given = structure(SMALL.units, links=[link("us-a", "operates", "bi"), link("jp-a", "operates", "bi")])
    with pytest.raises(AssignmentError, match="several nodes operate it: jpn, usa; name the node"):
        assign(given, NODES)


def test_one_node_may_serve_several_nations() -> None:
    served = assign(SMALL, {"both": {"US", "JP"}}, {"bi": "both"})
    assert set(served.values()) == {"both"}
