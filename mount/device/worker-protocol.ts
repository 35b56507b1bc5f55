import type { MessagePort } from 'node:worker_threads';
import type { Change } from '../../src/container/change.ts';
import type { Serial } from '../../src/ids.ts';
import type { Negotiated } from './negotiate.ts';

/** What the serving thread is started with. */
export interface WorkerData {
  /** The open /dev/fuse. */
  readonly fd: number;
  readonly port: MessagePort;
  /** Counts the messages of the main thread, so that the serving one looks into its port only when there is one. */
  readonly posted: Int32Array;
  readonly snapshot: readonly Change[];
  /** `Registry.changes` when that was taken. */
  readonly changes: number;
  readonly tombstones: readonly Tombstone[];
  readonly tombstoneFile: string;
  readonly sessionFile: string;
  /** Absent on a new device, whose first request is INIT. */
  readonly negotiated: Negotiated | undefined;
  readonly firstHandle: number;
  readonly cgroupBase: string;
  /** Descriptor of the file for `InFlight`. */
  readonly inFlightFd: number;
  /** Do as a kernel without FUSE_NOTIFY_RESEND would have it. */
  readonly withoutResend: boolean;
  /** Descriptor that traces go to. */
  readonly traceFd: number | undefined;
}

export interface Tombstone {
  readonly serial: Serial;
  readonly bits: number;
  readonly atMs: number;
}

/** From the serving thread to the main one. */
export type ToMain =
  /** A request that the serving thread leaves to the main one: its bytes. */
  | ({ readonly kind: 'request' } & Handed)
  | { readonly kind: 'negotiated'; readonly negotiated: Negotiated }
  | { readonly kind: 'hidden'; readonly tombstone: Tombstone; readonly seen: number }
  | { readonly kind: 'bug'; readonly where: string; readonly stack: string }
  /** The device is gone: unmounted or aborted. */
  | { readonly kind: 'end' }
  /** The serving thread cannot go on, and has ended. */
  | { readonly kind: 'failed'; readonly stack: string };

/** A request on its way to the main thread. */
export interface Handed {
  readonly bytes: Uint8Array;
  /** Where it is written down, to be freed once it is answered. */
  readonly slot: number | undefined;
  /** A former daemon may have carried it out. */
  readonly resent: boolean;
}

/** From the main thread to the serving one. */
export type ToWorker =
  /** What happened to the registry. */
  | { readonly changes: readonly Change[] }
  /** The main thread answered an unlink: to be hidden here too, and written down. */
  | { readonly hidden: Tombstone }
  /** A handed request was answered and its slot freed on disk. */
  | { readonly answered: number };
