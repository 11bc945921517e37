"""What `node.json` says of clock, record and quotas: defaults that work, and no figure that cannot be meant."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from noroshi.errors import InputError
from noroshi.service.clocks import RealClock, ScaledClock
from noroshi.service.node_config import (
    Address,
    FeedConfig,
    NodeConfig,
    PageConfig,
    config_bytes,
    parse_config,
)
from noroshi.service.quotas import Quotas
from tests.service.standin import REALM

LEAST = NodeConfig(
    realm=REALM,
    partner="JPN",
    node="jpn",
    link=Address(port=1001),
    page=PageConfig(port=1002, token_sha256="a" * 64),
    feeds=FeedConfig(token_sha256="b" * 64),
)


def with_field(place: str, value: Any) -> str:
    """The smallest configuration with one more field, as text."""
    data = json.loads(config_bytes(LEAST))
    group, _, name = place.partition(".")
    data[group][name] = value
    return json.dumps(data)


def test_what_is_not_said_has_a_default_that_goes_round() -> None:
    config = parse_config(config_bytes(LEAST).decode(), "node.json")
    assert config == LEAST
    assert config.record.retention_every_s == 86_400.0
    assert config.quotas == Quotas()
    assert Quotas().defect == ("", "")
    old = json.loads(config_bytes(LEAST))
    del old["record"], old["quotas"], old["clock"]["error_s"]
    assert parse_config(json.dumps(old), "node.json") == LEAST


def test_the_claimed_error_of_the_clock_reaches_the_clock() -> None:
    real = parse_config(with_field("clock.error_s", 0.25), "node.json").clock
    assert isinstance(real.clock(), RealClock)
    assert real.clock().error_ns == 250_000_000
    scaled = msgspec.structs.replace(real, mode="scaled", start_ns=10**18, anchor_unix_ns=10**18)
    assert isinstance(scaled.clock(), ScaledClock)
    assert scaled.clock().error_ns == 250_000_000


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("clock.error_s", -0.1, "the seconds by which"),
        ("clock.error_s", 61.0, "0 to 60"),
        ("record.budget_bytes", 1000, "a record needs 1048576 bytes"),
        ("record.reserve_bytes", -1, "below budget_bytes"),
        ("record.reserve_bytes", 1 << 40, "below budget_bytes"),
        ("record.retention_every_s", 1.0, "a day is 86400"),
        ("record.retention", 1.0, "retention"),
        ("quotas.processor_share", 0.0, "from 0.01 to 1"),
        ("quotas.processor_share", 1.5, "from 0.01 to 1"),
        ("quotas.processor_burst_s", 0.0, "0.01 to 60 seconds"),
        ("quotas.disk_hour_bytes", 10, "an hour"),
        ("quotas.disk_day_bytes", 1 << 20, "at least an hour's"),
        ("quotas.queue_inputs", 10, "a link's window"),
        ("quotas.queue_bytes", 10, "6291456 bytes"),
        ("quotas.memory", 10, "memory"),
    ],
)
def test_a_figure_that_cannot_be_meant_is_refused_by_its_name(place: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_config(with_field(place, value), "node.json")
    assert refused.value.field.startswith(place.partition(".")[0])
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("host", "port", "other"),
    [("127.0.0.1", 1002, "page"), ("0.0.0.0", 1001, "link"), ("127.0.0.1", 1003, "relays")],
)
def test_two_entrances_at_one_port_are_refused(host: str, port: int, other: str) -> None:
    data = json.loads(config_bytes(LEAST)) | {"relays": {"port": 1003}}
    servers = [{"group": "staff", "port": 1004}, {"group": "staff", "port": port, "host": host}]
    data["cot"] = {"groups": [{"name": "staff", "partners": ["JPN"]}], "servers": servers[:1]}
    parse_config(json.dumps(data), "node.json")
    data["cot"]["servers"] = servers
    with pytest.raises(InputError) as refused:
        parse_config(json.dumps(data), "node.json")
    assert refused.value.field == "cot.servers[1].port"
    assert refused.value.cause == f"{port} is the port of {other} as well"
