"""Files of an agency that there is not, in the Common Alerting Protocol, for tests: written as plain text."""

from __future__ import annotations

from xml.sax.saxutils import escape

from noroshi.clock import seconds, to_iso

SENDER = "waves@agency.example"
RING = "35.0,140.0 35.0,142.0 37.0,142.0 37.0,140.0 35.0,140.0"


def cap(
    sent_ns: int,
    *,
    identifier: str = "wave-1",
    sender: str = SENDER,
    status: str = "Exercise",
    type_: str = "Alert",
    scope: str = "Public",
    refers: tuple[tuple[str, int], ...] = (),
    event: str = "Tsunami warning",
    headline: str = "EXERCISE EXERCISE. Waves of three metres",
    severity: str = "Extreme",
    urgency: str = "Immediate",
    for_s: float = 3600.0,
    sender_name: str = "Agency of Waves",
    area: str = f"<polygon>{RING}</polygon>",
) -> bytes:
    """One message; refers: (identifier, sent) of the agency's earlier ones."""
    named = " ".join(f"{sender},{one},{_time(at_ns)}" for one, at_ns in refers)
    references = f"<references>{named}</references>" if named else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
 <identifier>{identifier}</identifier><sender>{sender}</sender><sent>{_time(sent_ns)}</sent>
 <status>{status}</status><msgType>{type_}</msgType><scope>{scope}</scope>{references}
 <info><language>en-US</language><category>Geo</category><event>{escape(event)}</event>
  <urgency>{urgency}</urgency><severity>{severity}</severity><certainty>Likely</certainty>
  <expires>{_time(sent_ns + seconds(for_s))}</expires><senderName>{escape(sender_name)}</senderName>
  <headline>{escape(headline)}</headline><description>{escape(headline)}</description>
  <area><areaDesc>The coast</areaDesc>{area}</area>
 </info>
 <info><language>ja-JP</language><category>Geo</category><event>津波警報</event>
  <urgency>{urgency}</urgency><severity>{severity}</severity><certainty>Likely</certainty>
  <expires>{_time(sent_ns + seconds(for_s))}</expires>
  <headline>訓練 高さ3メートルの津波</headline>
  <area><areaDesc>沿岸</areaDesc>{area}</area>
 </info>
</alert>
""".encode()


def _time(time_ns: int) -> str:
    return to_iso(time_ns, digits=0).replace("Z", "-00:00")
