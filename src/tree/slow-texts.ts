import { FsError } from '../errno.ts';
import type { Pid } from '../ids.ts';
import { Shares, type Account } from '../shares.ts';
import type { Text } from './control/entry.ts';
import type { NodeId } from './node-id.ts';

/** How long a text made for a stat is kept for the open that follows. */
const KEEP_MS = 1_000;

/** Texts kept for an open that follows, and their bytes; the oldest stat's goes first. */
const TEXTS_LIMIT = 4096;
const TEXTS_LIMIT_BYTES = 64 << 20;

/** Bytes of the texts that one user but root has open; one text may be longer. */
const OPEN_BYTES_PER_UID = 16 << 20;

/** Of those that all users have open together, and root besides. */
const OPEN_BYTES_LIMIT = 128 << 20;

interface Kept {
  readonly text: Text;
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

interface Opened {
  readonly key: string;
  readonly kept: Kept;
  readonly account: Account;
}

/**
 * Texts that take looking at the machine, so that what one caller stats, opens and reads is one and the same: archivers
 * trust the size they were told. Kept per file and caller.
 */
export class SlowTexts {
  /** Made for a stat, not opened yet; the oldest first. */
  readonly #waiting = new Map<string, Kept>();
  /** The latest that was opened, while it is open. */
  readonly #latest = new Map<string, Kept>();
  readonly #handles = new Map<number, Opened>();
  readonly #open = new Shares({ each: OPEN_BYTES_PER_UID, all: OPEN_BYTES_LIMIT });
  #waitingBytes = 0;

  /** The text whose size a stat by this caller tells. */
  async stat(id: NodeId, pid: Pid, produce: () => Promise<Text>): Promise<Text> {
    const key = `${id}:${pid}`;
    const known = this.#latest.get(key) ?? this.#young(key);
    if (known) return known.text;
    const kept = keep(await produce());
    this.#wait(key, kept);
    return kept.text;
  }

  /**
   * Binds `handle` to the text that this caller's stat was told of, or to a new one. Throws EDQUOT for a user whose open texts
   * are too long together, ENFILE if those of all are.
   */
  async open(handle: number, id: NodeId, pid: Pid, produce: () => Promise<Text>, account?: Account): Promise<void> {
    const key = `${id}:${pid}`;
    const kept = this.#young(key) ?? keep(await produce());
    const { length } = kept.bytes;
    const beyond = this.#open.beyond(account, length);
    if (beyond) {
      const whose = beyond === 'share' ? 'its user has open' : 'that are open';
      const text = `Cannot open it: the control files ${whose} have too many bytes together; close some`;
      throw new FsError(beyond === 'share' ? 'EDQUOT' : 'ENFILE', text);
    }
    this.release(handle);
    this.#forget(key);
    this.#open.take(account, length);
    this.#latest.set(key, kept);
    this.#handles.set(handle, { key, kept, account });
  }

  /** `undefined` for a handle that is not bound here. */
  read(handle: number, offset: number, size: number): Uint8Array | undefined {
    return this.#handles.get(handle)?.kept.bytes.subarray(offset, offset + size);
  }

  release(handle: number): void {
    const opened = this.#handles.get(handle);
    if (!opened) return;
    const { key, kept, account } = opened;
    this.#handles.delete(handle);
    this.#open.give(account, kept.bytes.length);
    if (this.#latest.get(key) === kept) this.#latest.delete(key);
  }

  #young(key: string): Kept | undefined {
    const known = this.#waiting.get(key);
    return known && isYoung(known) ? known : undefined;
  }

  #wait(key: string, kept: Kept): void {
    this.#forget(key);
    this.#waiting.set(key, kept);
    this.#waitingBytes += kept.bytes.length;
    for (const [oldest, each] of this.#waiting) {
      const isRoom = this.#waiting.size <= TEXTS_LIMIT && this.#waitingBytes <= TEXTS_LIMIT_BYTES;
      if (isRoom && isYoung(each)) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const known = this.#waiting.get(key);
    if (!known) return;
    this.#waiting.delete(key);
    this.#waitingBytes -= known.bytes.length;
  }
}

function keep(text: Text): Kept {
  return { text, bytes: Buffer.from(text.text), atMs: performance.now() };
}

function isYoung({ atMs }: Kept): boolean {
  return performance.now() - atMs < KEEP_MS;
}
