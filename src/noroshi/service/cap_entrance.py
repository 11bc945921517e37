"""A file of another agency on its way in: how large it may be, and whose signature it carries. The core does the rest.

What is wrong with it goes to the core as well, as a word and without the file, so that it is on the record and shown.

    entrance = Entrance.of(config.cap_hand, directory)
    given = entrance.given("hand:duty", data, clock.now_ns())
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from noroshi.errors import InputError, OperatorError
from noroshi.gateways.cap_chain import Authorities
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_signature import check_signature
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.node.inputs import CapGiven
from noroshi.service.cap_config import CapEntrance
from noroshi.service.files import read_file


@dataclass(frozen=True, slots=True)
class Entrance:
    """One entrance with its certificates, PEM by file name, and the authorities whose signers count."""

    config: CapEntrance
    certificates: Mapping[str, str]
    authorities: Authorities | None = None

    @classmethod
    def of(cls, config: CapEntrance, directory: Path) -> Entrance:
        """The entrance that a configuration means. Raises InputError for a certificate that is none, or is not there."""
        found: dict[str, str] = {}
        for name in config.certificates:
            path = directory / name
            text = read_file(path, "put the agency's certificate there").decode("ascii", "replace")
            try:
                x509.load_pem_x509_certificate(text.encode())
            except ValueError as error:
                hint = "give the agency's certificate in PEM"
                raise InputError(str(path), None, "", "it is no certificate in PEM", hint) from error
            found[name] = text
        return cls(config, found, _authorities(config, directory))

    def given(self, party: str, raw: bytes, now_ns: int) -> CapGiven:
        """The file as an input of the core. now_ns: the time at which certificates must be valid."""
        if len(raw) > MAX_HAZARD_BYTES:
            return self.refused(party, "oversize", f"{len(raw)} bytes, at most {MAX_HAZARD_BYTES}")
        config = self.config
        try:
            verdict = check_signature(raw, self.certificates, now_ns, self.authorities)
        except CapUnreadableError:
            return self._as_it_is(party, raw, "not-checked")  # the core refuses it, and says why
        if verdict.state == "broken":
            return self.refused(party, "wrongly-signed", verdict.says)
        if verdict.state == "valid":
            return self._as_it_is(party, raw, "signed")
        if config.require_signature:
            reason = "unsigned" if verdict.state == "none" else "signed-by-a-stranger"
            return self.refused(party, reason, verdict.says)
        return self._as_it_is(party, raw, "unsigned" if verdict.state == "none" else "not-checked")

    def refused(self, party: str, fault: str, detail: str) -> CapGiven:
        """A refusal for the record."""
        return CapGiven(party=party, raw=b"", fault=fault, detail=detail)

    def _as_it_is(self, party: str, raw: bytes, signature: str) -> CapGiven:
        return CapGiven(
            party=party,
            raw=raw,
            signature=signature,  # type: ignore[arg-type]  # one of the three words, from above
            senders=self.config.senders,
            shared=self.config.share,
        )


def _authorities(config: CapEntrance, directory: Path) -> Authorities | None:
    """What is pinned of authorities; None where nothing is. Raises InputError naming the file."""
    if not config.authorities:
        return None
    made = Authorities({}, signers=config.signers)
    for name in (*config.authorities, *config.chain, *config.revocations):
        data = read_file(directory / name, "put the file of the authority there")
        text = data.decode("ascii", "replace")
        try:
            if name in config.authorities:
                one = Authorities.of({name: text})
            elif name in config.chain:
                one = Authorities.of({}, between=[text])
            else:
                one = Authorities.of({}, lists=[data])
        except OperatorError as error:
            raise InputError(str(directory / name), None, "", error.cause, error.hint) from None
        made = made.and_also(one)
    return made
