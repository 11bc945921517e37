import assert from "node:assert/strict";
import { test } from "node:test";
import { FIRST_RETRY_MS, LAST_RETRY_MS, SILENT_AFTER_MS, Stream, type Connection, type Socket } from "../src/stream";
import { hello } from "./rows";

class FakeSocket implements Socket {
  sent: string[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.closed = true;
  }
}

/** A world whose time moves only when it is told to. */
class World {
  time = 0;
  sockets: FakeSocket[] = [];
  urls: string[] = [];
  seen: Connection[] = [];
  last = 0;
  unreadable = 0;
  private timers = new Map<number, { at: number; act: () => void }>();
  private serial = 0;
  readonly stream: Stream;

  constructor() {
    this.stream = new Stream(
      "ws://h/api/staff",
      "secret",
      {
        open: (url) => {
          this.urls.push(url);
          const socket = new FakeSocket();
          this.sockets.push(socket);
          return socket;
        },
        now: () => this.time,
        after: (delay, act) => {
          this.timers.set(++this.serial, { at: this.time + delay, act });
          return this.serial;
        },
        cancel: (timer) => void this.timers.delete(timer),
      },
      {
        after: () => this.last,
        frame: (frame) => {
          if ("n" in frame) this.last = frame.n;
        },
        unreadable: () => void (this.unreadable += 1),
        connection: (now) => void this.seen.push(now),
      },
    );
    this.stream.start();
  }

  get socket(): FakeSocket {
    return this.sockets[this.sockets.length - 1]!;
  }

  hear(frame: unknown): void {
    this.socket.onmessage?.({ data: typeof frame === "string" ? frame : JSON.stringify(frame) });
  }

  pass(ms: number): void {
    const until = this.time + ms;
    for (;;) {
      const due = [...this.timers].filter(([, t]) => t.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = due[1].at;
      due[1].act();
    }
    this.time = until;
  }
}

const remark = (n: number) => ({ n, key: "", row: { type: "remark", time_ms: 0, says: "", unit: "", text: "" } });

test("the first frame carries token and number, and the address the number", () => {
  const world = new World();
  world.socket.onopen?.();
  assert.deepEqual(world.socket.sent, [JSON.stringify({ token: "secret", after: 0 })]);
  assert.deepEqual(world.urls, ["ws://h/api/staff?after=0"]);
});

test("a broken connection is resumed after the last row", () => {
  const world = new World();
  world.hear(hello());
  world.hear(remark(41));
  world.socket.onclose?.({ code: 1006 });
  assert.equal(world.seen.at(-1)?.state, "lost");
  world.pass(FIRST_RETRY_MS);
  world.socket.onopen?.();
  assert.deepEqual(world.socket.sent, [JSON.stringify({ token: "secret", after: 41 })]);
  world.hear(hello());
  assert.equal(world.seen.at(-1)?.state, "live");
});

test("attempts grow apart up to a bound, and a good connection resets them", () => {
  const world = new World();
  const gaps: number[] = [];
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const count = world.sockets.length;
    world.socket.onclose?.({ code: 1006 });
    const from = world.time;
    while (world.sockets.length === count) world.pass(50);
    gaps.push(world.time - from);
  }
  assert.equal(gaps[0], FIRST_RETRY_MS);
  assert.equal(gaps.at(-1), LAST_RETRY_MS);
  world.hear(hello());
  const count = world.sockets.length;
  world.socket.onclose?.({ code: 1006 });
  world.pass(FIRST_RETRY_MS);
  assert.equal(world.sockets.length, count + 1);
});

test("silence counts as a lost connection, since the last word", () => {
  const world = new World();
  world.hear(hello());
  world.pass(SILENT_AFTER_MS - 1);
  assert.equal(world.seen.at(-1)?.state, "live");
  const old = world.socket;
  world.pass(1);
  assert.deepEqual(world.seen.at(-1), { state: "lost", since: 0 });
  assert.ok(old.closed);
});

test("a late frame of an abandoned connection is not heard", () => {
  const world = new World();
  world.hear(hello());
  const old = world.socket;
  old.onclose?.({ code: 1006 });
  world.pass(FIRST_RETRY_MS);
  old.onmessage?.({ data: JSON.stringify(remark(99)) });
  assert.equal(world.last, 0);
});

test("bye ends it; being cut off for slowness does not", () => {
  const world = new World();
  world.hear(hello());
  world.hear({ type: "bye", reason: "the exercise is over" });
  world.socket.onclose?.({ code: 1000 });
  assert.equal(world.seen.at(-1)?.state, "ended");
  const other = new World();
  other.hear(hello());
  other.hear({ type: "bye", reason: "too slow" });
  other.socket.onclose?.({ code: 1000 });
  assert.equal(other.seen.at(-1)?.state, "lost");
  other.pass(FIRST_RETRY_MS);
  assert.equal(other.sockets.length, 2);
});

test("what is not a frame is counted and does not break the stream", () => {
  const world = new World();
  world.hear(hello());
  world.hear("{");
  world.hear(remark(3));
  assert.equal(world.unreadable, 1);
  assert.equal(world.last, 3);
});
