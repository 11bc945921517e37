"""Asks other agencies' feeds for their alerts, for as long as the node runs.

Rules: a feed that fails, answers rubbish or never ends costs itself only; what could not be had is asked for again, with
longer pauses. Links lead to the feed's own host, or to those that the operator has named, and never from https to http.
An entry is given once; one that is refused is not given again, for the record has it. A feed that has not answered for
too long is said to be stale.

    await CapFeeds(shell, directory, note).run()
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urljoin, urlsplit

from noroshi.clock import Clock
from noroshi.errors import NoroshiError
from noroshi.gateways.atom import FeedEntry, FeedUnreadableError, read_feed
from noroshi.gateways.cap_container import CONTAINER_LIMITS
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.node.inputs import Answer, FeedHeard, Input
from noroshi.service.cap_config import CapFeedConfig
from noroshi.service.cap_entrance import Entrance
from noroshi.service.node_dir import NodeDir

MAX_FEED_BYTES = CONTAINER_LIMITS.max_bytes
"""Largest feed that is read: what its reader lets in."""

ANSWER_S = 10.0
"""Each wait for an agency's server."""

WHOLE_S = 60.0
"""A whole answer: a server that sends a byte at a time is no server."""

MAX_PER_LOOK = 200
"""Entries whose messages are fetched at one look; more wait for the next, newest first as feeds list them."""

MAX_SEEN = 20_000
"""Entries that are known to have been given; the oldest are let go, and would count as repeats."""

STALE_LOOKS = 3
STALE_S = 60.0
"""A feed is stale when nothing was heard of it for three looks, and for a minute at least."""

MAX_PAUSE_S = 300.0
"""The longest pause after failures: an agency's server that is back should be heard within minutes."""

MAX_REDIRECTS = 3

AGAIN = frozenset({"future-dated", "too-many-hazards", "too-many-refused"})
"""Refusals that will be no refusals later."""

Note = Callable[[str], None]
T = TypeVar("T")


async def aside(work: Callable[..., T], *args: Any) -> T:
    """What this gives, done on a thread of its own: an agency's server that hangs keeps neither the node's other threads
    nor its end waiting.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def told(tell: Callable[[Any], None], value: object) -> None:
        def once() -> None:
            if not future.done():
                tell(value)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(once)

    def run() -> None:
        try:
            result = work(*args)
        except Exception as error:  # noqa: BLE001  # it is raised where it was asked for
            told(future.set_exception, error)
        else:
            told(future.set_result, result)

    threading.Thread(target=run, name="cap-feed", daemon=True).start()
    return await future


class Giving(Protocol):
    """What is asked of the shell."""

    @property
    def clock(self) -> Clock: ...
    async def give(self, given: Input) -> Answer: ...


class FetchError(Exception):
    """An agency's server gave no answer that can be used, in words. reason: of a refusal, if it is worth one."""

    def __init__(self, words: str, reason: str = "") -> None:
        self.reason = reason
        super().__init__(words)


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; data is None when nothing has changed since the last one."""

    data: bytes | None
    etag: str = ""
    modified: str = ""


Fetch = Callable[[str, frozenset[str], int, str, str], Fetched]
"""(address, hosts that may be asked, most bytes, etag, modified) -> the answer. Raises FetchError. Blocks."""


def fetch(url: str, hosts: frozenset[str], most: int, etag: str = "", modified: str = "") -> Fetched:
    """Gets a file from an agency's server. Blocks for WHOLE_S at most."""
    until_s = time.monotonic() + WHOLE_S
    headers = {
        "User-Agent": "noroshi",
        "Accept": "application/atom+xml, application/cap+xml, text/xml, */*;q=0.1",
    }
    headers |= {"If-None-Match": etag} if etag else {}
    headers |= {"If-Modified-Since": modified} if modified else {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _Redirects(hosts),
    )
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=ANSWER_S) as answer:
            data = bytearray()
            while chunk := answer.read1(65_536):
                data += chunk
                if len(data) > most:
                    raise FetchError(f"{url} has more than {most} bytes", "oversize")
                if time.monotonic() > until_s:
                    raise FetchError(f"{url} took more than {WHOLE_S:.0f} s")
            return Fetched(
                bytes(data),
                answer.headers.get("ETag", "")[:200],
                answer.headers.get("Last-Modified", "")[:100],
            )
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 304:
                return Fetched(None, etag, modified)
            raise FetchError(f"{url} answers {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"{url}: {error}") from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows only to where a link could lead as well."""

    max_redirections = MAX_REDIRECTS

    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts = hosts

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]  # as in urllib
        if not may_ask(newurl, req.full_url, self._hosts):
            raise FetchError(f"{req.full_url} leads to {newurl}, which this feed may not", "foreign-link")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def may_ask(url: str, base: str, hosts: frozenset[str]) -> bool:
    """Whether a link in a feed may be followed: to a known host, and not from a safe line to an open one."""
    try:
        parts, before = urlsplit(url), urlsplit(base)
        host = parts.hostname or ""
    except ValueError:
        return False
    schemes = ("https",) if before.scheme == "https" else ("http", "https")
    return parts.scheme in schemes and host.casefold() in hosts and not parts.username


class CapFeed:
    """One feed. now_s: steady seconds."""

    def __init__(
        self,
        shell: Giving,
        config: CapFeedConfig,
        entrance: Entrance,
        *,
        get: Fetch = fetch,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self._shell = shell
        self._entrance = entrance
        self._get = get
        self._now_s = now_s
        own = (urlsplit(config.url).hostname or "").casefold()
        self._hosts = frozenset({own, *(host.casefold() for host in config.hosts)})
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._last = Fetched(None)
        self._heard_s = now_s()
        self._told = ""
        self.failures = 0

    @property
    def party(self) -> str:
        """What the record calls it."""
        return f"feed:{self.config.name}"

    @property
    def pause_s(self) -> float:
        """Until the next look; longer after failures."""
        return min(self.config.every_s * 2.0 ** min(self.failures, 10), max(MAX_PAUSE_S, self.config.every_s))

    async def look(self) -> None:
        """Asks the feed once, and gives what is new. Raises what the shell raises, when the node takes nothing more."""
        config = self.config
        try:
            last = self._last
            answer = await aside(self._get, config.url, self._hosts, MAX_FEED_BYTES, last.etag, last.modified)
            whole = True
            if answer.data is not None:
                whole = await self._entries(answer.data)
            if whole:  # else what is missing must be listed once more
                self._last = Fetched(None, answer.etag, answer.modified)
        except FetchError as error:
            if error.reason:
                await self._refused(error.reason, str(error))
            await self._failed(str(error))
            return
        if whole:
            self.failures = 0
            self._heard_s = self._now_s()
            await self._tell("fresh", "")
        else:
            await self._failed("some of its messages could not be had")

    async def _entries(self, data: bytes) -> bool:
        """Gives the entries that are new; whether all were had."""
        try:
            entries = (await aside(read_feed, data)).entries
        except FeedUnreadableError as error:
            await self._refused("malformed-feed", f"line {error.line}: {error.rule}", data)
            raise FetchError(f"it sends no feed: {error.rule}") from None
        whole, asked = True, 0
        for entry in entries:
            key = _key(entry)
            if key in self._seen:
                self._seen.move_to_end(key)
                continue
            if not entry.alert:
                asked += 1
                if asked > MAX_PER_LOOK:
                    return False
            done = await self._entry(entry)
            whole &= done
            if done:
                self._remember(key)
        return whole

    async def _entry(self, entry: FeedEntry) -> bool:
        """Gives one entry's message; whether that is done with."""
        raw, url = entry.alert, _joined(self.config.url, entry.link)
        if not raw:
            if not entry.link:
                await self._refused("entry-without-message", entry.id[:200])
                return True
            if not may_ask(url, self.config.url, self._hosts):
                await self._refused("foreign-link", url[:200])
                return True
            try:
                raw = (await aside(self._get, url, self._hosts, MAX_HAZARD_BYTES, "", "")).data
            except FetchError as error:
                if error.reason:
                    await self._refused(error.reason, str(error))
                return bool(error.reason)
        now_ns = self._shell.clock.now_ns()
        given = await aside(self._entrance.given, self.party, raw or b"", now_ns)
        answer = await self._shell.give(given)
        return answer.outcome != "refused" or answer.reason not in AGAIN

    async def _refused(self, reason: str, detail: str, data: bytes = b"") -> None:
        """Puts a refusal on the record, once for the same bytes or words."""
        key = hashlib.sha256(f"{reason} {detail}".encode() + data).hexdigest()
        if key not in self._seen:
            self._remember(key)
            await self._shell.give(self._entrance.refused(self.party, reason, detail))

    async def _failed(self, words: str) -> None:
        self.failures += 1
        silent_s = self._now_s() - self._heard_s
        if silent_s >= max(STALE_S, STALE_LOOKS * self.config.every_s):
            await self._tell("stale", f"silent for {silent_s:.0f} s; {words}")
        elif self._told != "stale":
            await self._tell("failing", words)

    async def _tell(self, state: Literal["fresh", "failing", "stale"], detail: str) -> None:
        if state != self._told:
            self._told = state
            await self._shell.give(FeedHeard(feed=self.config.name, state=state, detail=detail[:300]))

    def _remember(self, key: str) -> None:
        self._seen[key] = None
        while len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)


class CapFeeds:
    """All feeds of a node. Raises InputError when a certificate is not there."""

    def __init__(self, shell: Giving, directory: NodeDir, note: Note = lambda _: None) -> None:
        self._note = note
        self._feeds = [
            CapFeed(shell, one, Entrance.of(one, directory.path)) for one in directory.config.cap_feeds
        ]

    async def run(self) -> None:
        """Asks until cancelled."""
        if not self._feeds:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            for one in self._feeds:
                group.create_task(self._follow(one))

    async def _follow(self, feed: CapFeed) -> None:
        while True:
            try:
                await feed.look()
            except NoroshiError as error:
                self._note(f"{feed.party}: {error}; trying again")
                feed.failures += 1
            except Exception as error:  # noqa: BLE001  # whatever strangers send, our own warnings go on
                self._note(f"{feed.party}: a defect of ours in reading it: {error!r}; trying again")
                feed.failures += 1
            await asyncio.sleep(feed.pause_s)


def _joined(base: str, link: str) -> str:
    """Where a link in a feed leads; as it is where it is no address."""
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _key(entry: FeedEntry) -> str:
    """Changes when the entry does."""
    updated = entry.updated.text if entry.updated is not None else ""
    inside = hashlib.sha256(entry.alert).hexdigest() if entry.alert else ""
    return f"{entry.id} {updated} {entry.link} {inside}"
