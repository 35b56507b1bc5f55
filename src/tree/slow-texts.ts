import type { Pid } from '../ids.ts';
import type { Text } from './control/entry.ts';
import type { NodeId } from './node-id.ts';

/** How long a text made for a stat is kept for the open that follows. */
const KEEP_MS = 1_000;

/** Texts kept at once, those of open files included; the oldest stat's goes first. */
const TEXTS_LIMIT = 4096;

interface Kept {
  readonly text: Text;
  readonly bytes: Uint8Array;
  readonly atMs: number;
  /** Open handles that read this text. */
  opens: number;
  /** An open has taken it: the next open wants a new one. */
  taken: boolean;
}

/**
 * Texts that take looking at the machine, so that what one caller stats, opens and reads is one and the same: archivers
 * trust the size they were told. Kept per file and caller.
 */
export class SlowTexts {
  readonly #kept = new Map<string, Kept>();
  readonly #handles = new Map<number, { readonly key: string; readonly kept: Kept }>();

  /** The text whose size a stat by this caller tells. */
  async stat(id: NodeId, pid: Pid, produce: () => Promise<Text>): Promise<Text> {
    const key = `${id}:${pid}`;
    const known = this.#kept.get(key);
    if (known && (known.opens > 0 || isYoung(known))) return known.text;
    return this.#keep(key, await produce()).text;
  }

  /** Binds `handle` to the text that this caller's stat was told of, or to a new one. */
  async open(handle: number, id: NodeId, pid: Pid, produce: () => Promise<Text>): Promise<void> {
    const key = `${id}:${pid}`;
    const known = this.#kept.get(key);
    const kept = known && !known.taken && isYoung(known) ? known : this.#keep(key, await produce());
    kept.taken = true;
    kept.opens += 1;
    this.#handles.set(handle, { key, kept });
  }

  /** `undefined` for a handle that is not bound here. */
  read(handle: number, offset: number, size: number): Uint8Array | undefined {
    return this.#handles.get(handle)?.kept.bytes.subarray(offset, offset + size);
  }

  release(handle: number): void {
    const bound = this.#handles.get(handle);
    if (!bound) return;
    this.#handles.delete(handle);
    bound.kept.opens -= 1;
    if (bound.kept.opens === 0 && this.#kept.get(bound.key) === bound.kept) this.#kept.delete(bound.key);
  }

  #keep(key: string, text: Text): Kept {
    const kept = { text, bytes: Buffer.from(text.text), atMs: performance.now(), opens: 0, taken: false };
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    if (this.#kept.size > TEXTS_LIMIT) this.#evict();
    return kept;
  }

  #evict(): void {
    for (const [key, kept] of this.#kept) {
      if (kept.opens > 0) continue;
      this.#kept.delete(key);
      return;
    }
  }
}

function isYoung({ atMs }: Kept): boolean {
  return performance.now() - atMs < KEEP_MS;
}
