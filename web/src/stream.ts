/**
 * The connection to the node: asks for what comes after the last row applied, comes back by itself, and says plainly
 * how it stands. It holds no row and decides nothing; sockets and timers are handed in.
 */
import { readFrame, type Frame } from "./protocol";

export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

export interface Surroundings {
  open(url: string): Socket;
  /** Steady milliseconds. */
  now(): number;
  after(delayMs: number, act: () => void): number;
  cancel(timer: number): void;
}

export type Connection =
  | { state: "connecting" }
  | { state: "live" }
  /** No word from the node since steady time `since`. */
  | { state: "lost"; since: number }
  | { state: "ended"; since: number };

export interface StreamListener {
  /** Number of the last row that was applied. */
  after(): number;
  frame(frame: Frame): void;
  unreadable(): void;
  connection(connection: Connection): void;
}

/** The node sends a clock frame each second; after this long without any frame the connection counts as lost. */
export const SILENT_AFTER_MS = 4_000;
export const FIRST_RETRY_MS = 250;
export const LAST_RETRY_MS = 5_000;
/** A node that said good-bye may come back, but nobody waits for it. */
const RETRY_AFTER_BYE_MS = 10_000;
/** A client that was cut off because it could not keep up comes back at once. */
const CUT_OFF = /slow|behind|keep up/i;

export class Stream {
  private socket: Socket | null = null;
  private silence: number | null = null;
  private retry: number | null = null;
  private delayMs = FIRST_RETRY_MS;
  private heardAt: number;
  private ended = false;

  constructor(
    private readonly url: string,
    private readonly token: string,
    private readonly around: Surroundings,
    private readonly listener: StreamListener,
  ) {
    this.heardAt = around.now();
  }

  start(): void {
    this.retry = null;
    const after = this.listener.after();
    const socket = this.around.open(`${this.url}?after=${after}`);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ token: this.token, after }));
    socket.onmessage = (event) => this.heard(socket, event.data);
    socket.onclose = () => this.closed(socket);
    this.listen();
  }

  private heard(socket: Socket, data: unknown): void {
    if (socket !== this.socket) return;
    const frame = typeof data === "string" ? readFrame(data) : null;
    this.heardAt = this.around.now();
    this.listen();
    if (frame === null) {
      this.listener.unreadable();
      return;
    }
    if ("type" in frame && frame.type === "hello") {
      this.delayMs = FIRST_RETRY_MS;
      this.ended = false;
      this.listener.connection({ state: "live" });
    }
    this.listener.frame(frame);
    if ("type" in frame && frame.type === "bye" && !CUT_OFF.test(frame.reason)) {
      this.ended = true;
      this.listener.connection({ state: "ended", since: this.heardAt });
    }
  }

  /** Starts the wait for the next word anew. */
  private listen(): void {
    if (this.silence !== null) this.around.cancel(this.silence);
    this.silence = this.around.after(SILENT_AFTER_MS, () => {
      this.silence = null;
      const socket = this.socket;
      if (!socket) return;
      this.closed(socket);
      socket.close();
    });
  }

  private closed(socket: Socket): void {
    if (socket !== this.socket) return;
    this.socket = null;
    if (this.silence !== null) this.around.cancel(this.silence);
    this.silence = null;
    if (!this.ended) this.listener.connection({ state: "lost", since: this.heardAt });
    const delay = this.ended ? RETRY_AFTER_BYE_MS : this.delayMs;
    this.delayMs = Math.min(LAST_RETRY_MS, this.delayMs * 2);
    this.retry = this.around.after(delay, () => this.start());
  }

  /** Begins again after the listener's last number: the node turned out to hold another record. */
  restart(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.start();
  }

  /** Tries at once instead of waiting for the next attempt, for instance when the browser is back on line. */
  hurry(): void {
    if (this.retry === null) return;
    this.around.cancel(this.retry);
    this.start();
  }
}
