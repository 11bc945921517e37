"""Who may do what, who hears of an alert, who sits in a body: by the rows and by nothing else."""

from __future__ import annotations

import pytest

from noroshi.structure import (
    Structure,
    UnknownUnitError,
    alert_recipients,
    deciders,
    may,
    members,
    rows,
    units_with,
)
from tests.structure.small import authority, edge, link, structure, unit


def test_rows_answer_who_may_decide(packaged: dict[str, Structure]) -> None:
    given = packaged["trilateral"]
    assert units_with(given, "civil-alert-issue", "decide", "crisis") == ("jp-cabsec", "kr-mois", "kr-seoul")
    assert units_with(given, "civil-alert-issue", "transmit", "crisis") == ("jp-fdma", "jp-muni")
    assert units_with(given, "trilateral-consult", "propose", "peacetime") == ("us-wh", "jp-pm", "kr-pres")
    assert units_with(given, "coordination-mode-change", "concur", "crisis") == ("jp-jjoc",)
    assert [row.limits for row in rows(given, "civil-alert-issue", "decide", "crisis")][1] is None


def test_the_mode_counts(packaged: dict[str, Structure]) -> None:
    given = packaged["after"]
    pair = frozenset({"us-jfhqj", "jp-jjoc"})
    assert deciders(given, "hostilities-coordination-lead", "hostilities") == (pair,)
    assert deciders(given, "hostilities-coordination-lead", "crisis") == ()
    assert deciders(given, "exercise-approval", "peacetime") == (pair,)


def test_whoever_is_not_listed_has_no_authority(packaged: dict[str, Structure]) -> None:
    """A superior does not have what the subordinate has, and unknown words give nothing."""
    given = packaged["trilateral"]
    assert may(given, "jp-cabsec", "civil-alert-issue", "decide", "crisis")
    assert not may(given, "jp-pm", "civil-alert-issue", "decide", "crisis")
    assert not may(given, "us-indopacom", "civil-alert-issue", "decide", "crisis")
    assert not may(given, "jp-cabsec", "civil-alert-issue", "decide", "war")
    assert not may(given, "jp-cabsec", "civil-alert-isue", "decide", "crisis")
    assert not may(given, "nobody", "civil-alert-issue", "decide", "crisis")


def test_a_reform_moves_authority(packaged: dict[str, Structure]) -> None:
    decision = "coordination-mode-change"
    assert deciders(packaged["before"], decision, "crisis") == (frozenset({"us-indopacom"}),)
    assert deciders(packaged["after"], decision, "crisis") == (frozenset({"us-jfhqj"}),)
    assert deciders(packaged["before"], "trilateral-consult", "crisis") == ()


def test_members_of_a_body(packaged: dict[str, Structure]) -> None:
    assert members(packaged["trilateral"], "tri-ministers") == ("us-dod", "jp-mod", "kr-mnd")
    assert members(packaged["trilateral"], "us-dod") == ()
    with pytest.raises(UnknownUnitError):
        members(packaged["after"], "tri-ministers")


def test_a_japanese_alert_goes_to_those_the_structure_names(packaged: dict[str, Structure]) -> None:
    for given in packaged.values():
        assert alert_recipients(given, "jp-cabsec") == {
            "jp-pm": ("inform",),
            "jp-fdma": ("transmit", "tasking from jp-cabsec"),
            "jp-pref": ("sharing em-net", "relay from jp-fdma"),
            "jp-muni": ("sharing em-net-muni", "transmit", "relay from jp-fdma"),
            "jp-carriers": ("relay from jp-fdma",),
        }


def test_a_korean_alert_has_no_named_recipients(packaged: dict[str, Structure]) -> None:
    """The files have only coordination links there: an exercise must not invent recipients."""
    assert alert_recipients(packaged["trilateral"], "kr-mois") == {}


def test_no_link_carries_an_alert_abroad() -> None:
    units = [
        unit("jp-a", "JP"),
        unit("jp-b", "JP"),
        unit("jp-c", "JP"),
        unit("us-a", "US"),
        unit("bi", "US+JP"),
    ]
    links = [
        link("jp-a", "tasking", "jp-b"),
        link("jp-b", "relay", "us-a"),
        link("us-a", "relay", "jp-c"),
        link("jp-b", "relay", "bi"),
        link("jp-b", "relay", "jp-a"),
        link("jp-a", "coordination", "jp-c"),
    ]
    informed = [authority("us-a", "inform", "civil-alert-issue")]
    given = structure(units, links, authorities=informed)
    assert alert_recipients(given, "jp-a") == {"jp-b": ("tasking from jp-a",)}


def test_an_alert_crosses_edges_under_the_crossing_rule() -> None:
    units = [unit("jp-a", "JP"), unit("us-a", "US"), unit("us-b", "US"), unit("us-c", "US")]
    sharing = [
        edge("out", "jp-a", "us-a", "JP US", content="alert"),
        edge("closed", "us-a", "us-b", "JP", content="alert"),
        edge("asked", "us-a", "us-c", "US", content="alert", cadence="on-request"),
    ]
    given = structure(units, sharing=sharing)
    assert alert_recipients(given, "jp-a") == {"us-a": ("sharing out",)}
    assert list(alert_recipients(given, "jp-a", {"on-event", "realtime", "on-request"})) == ["us-a", "us-c"]


def test_a_circle_of_relays_ends() -> None:
    units = [unit("jp-a", "JP"), unit("jp-b", "JP"), unit("jp-c", "JP")]
    links = [link("jp-a", "relay", "jp-b"), link("jp-b", "relay", "jp-c"), link("jp-c", "relay", "jp-b")]
    found = alert_recipients(structure(units, links), "jp-a")
    assert found == {"jp-b": ("relay from jp-a", "relay from jp-c"), "jp-c": ("relay from jp-b",)}
