import { constants, openSync, rmSync } from 'node:fs';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { Change } from '../../src/container/change.ts';
import { subtree, type Container } from '../../src/container/container.ts';
import type { Machine } from '../../src/container/machine.ts';
import { hide } from '../../src/container/hiding.ts';
import { FsError } from '../../src/errno.ts';
import { backingFiles } from '../../src/kernel/backing-files.ts';
import { CpuLatency } from '../../src/kernel/cpu-latency.ts';
import { openRawIo } from '../../src/kernel/raw-io.ts';
import { runFiles } from '../../src/instance.ts';
import type { Created, Opened, Request, TreeListener } from '../../src/tree/filesystem.ts';
import { proxy } from '../../src/tree/control/proxy.ts';
import { directoriesOf } from '../../src/tree/control/table.ts';
import { entryOf, serialOf, type NodeId } from '../../src/tree/node-id.ts';
import { CheckpointTree } from '../../src/tree/checkpoint-tree.ts';
import { Tree } from '../../src/tree/tree.ts';
import { Replier } from './channel.ts';
import { Reader, Writer } from './cursor.ts';
import { decodeRequest, type Decoded } from './decode.ts';
import type { Passing } from './encode.ts';
import { notifyInvalidInode, notifyNewEpoch, notifyPoll } from './encode-notify.ts';
import { GivenListings } from './given-listings.ts';
import { freeSlot } from './in-flight.ts';
import { readNegotiated } from './negotiate.ts';
import { Interruption } from './interruption.ts';
import { Notifier } from './notifier.ts';
import { oldListings } from './old-listings.ts';
import { OperationLog } from './operation-log.ts';
import type { InterruptArgs } from './ops/connection.ts';
import type { HandleArgs, PollArgs } from './ops/files.ts';
import { serveWhole } from './ops/serve.ts';
import { Passthrough } from './passthrough.ts';
import { Pollers } from './pollers.ts';
import { Reappearing } from './reappearing.ts';
import { RepeatedNews } from './repeated-news.ts';
import { readTombstones } from './tombstones.ts';
import type { Handed, ToMain, Tombstone, ToWorker, WorkerData } from './worker-protocol.ts';

export interface SessionOptions {
  /** The open /dev/fuse, mounted. */
  readonly fd: number;
  readonly machine: Machine;
  readonly traceFile: string | undefined;
  /** How many daemons there were before this one: handles of one are never those of another. */
  readonly incarnation: number;
  /** Do as a kernel without FUSE_NOTIFY_RESEND would have it. */
  readonly withoutResend: boolean;
}

const { O_CREAT, O_RDWR, O_TRUNC } = constants;

/** What the serving thread leaves behind is garbage at once; a large nursery would only take memory. */
const YOUNG_GENERATION_MB = 4;

/** Handles of one daemon: the serving thread's are odd, the main thread's even. */
const HANDLES_PER_DAEMON = 2 ** 32;

/** Serves the tree on a device until that is gone. The main thread's half; `worker.ts` is the other. */
export class DeviceSession {
  /** Fulfilled when the device is gone. Rejected when the serving thread failed: another daemon may do better. */
  readonly ended: Promise<void>;
  readonly #machine: Machine;
  readonly #tree: CheckpointTree;
  readonly #notifier: Notifier;
  readonly #pollers: Pollers;
  readonly #replier: Replier;
  readonly #operations: OperationLog;
  readonly #cpuLatency = new CpuLatency();
  readonly #port: MessagePort;
  readonly #posted: Int32Array;
  readonly #inFlightFd: number;
  readonly #passthrough: Passthrough;
  /** Requests under way here, by number, each with what interrupts it. */
  readonly #underWay = new Map<number, Interruption>();
  readonly #processesChanged = new RepeatedNews<NodeId>((id) => {
    this.#tellChanged(id);
  });
  readonly #givenListings = new GivenListings();
  readonly #reappearing: Reappearing;

  constructor({ fd, machine, traceFile, incarnation, withoutResend }: SessionOptions) {
    const files = runFiles(machine.instance);
    const traceFd = traceFile === undefined ? undefined : openSync(traceFile, 'a', 0o600);
    const onBug = (where: string, error: unknown) => {
      machine.log.error({ where, err: error }, 'bug: answered EIO');
    };
    this.#machine = machine;
    const io = openRawIo();
    this.#notifier = new Notifier(io, fd, machine.log);
    this.#pollers = new Pollers(files.pollers, (wake) => {
      this.#notifier.push(`poll ${wake}`, notifyPoll(wake));
    });
    this.#reappearing = new Reappearing(machine.store.registry, (id) => {
      this.#tellChanged(id);
    });
    const firstHandle = incarnation * HANDLES_PER_DAEMON + 2;
    this.#tree = new CheckpointTree(new Tree(machine, this.#listener(), firstHandle), machine, firstHandle);
    this.#operations = new OperationLog(machine);
    this.#replier = new Replier({ io, fd, writer: new Writer(), traceFd, onBug });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#posted = new Int32Array(new SharedArrayBuffer(4));
    const negotiated = readNegotiated(files.session);
    this.#inFlightFd = openSync(files.inFlight, negotiated ? O_RDWR | O_CREAT : O_RDWR | O_CREAT | O_TRUNC, 0o600);
    if (!negotiated) rmSync(files.passed, { force: true });
    this.#passthrough = new Passthrough(backingFiles(fd), files.passed);
    const tombstones = readTombstones(files.tombstones, Date.now());
    for (const tombstone of tombstones) this.#hide(tombstone);
    machine.store.onCommit((changes) => {
      this.#publish(changes);
    });
    const workerData: WorkerData = {
      fd,
      port: port2,
      posted: this.#posted,
      snapshot: [...machine.store.registry.snapshot()],
      changes: machine.store.registry.changes,
      tombstones,
      tombstoneFile: files.tombstones,
      sessionFile: files.session,
      negotiated,
      firstHandle: incarnation * HANDLES_PER_DAEMON + 1,
      cgroupBase: machine.cgroupBase,
      inFlightFd: this.#inFlightFd,
      withoutResend,
      traceFd,
    };
    this.ended = new Promise((resolve, reject) => {
      port1.on('message', (message: ToMain) => {
        if (message.kind === 'end') resolve();
        else if (message.kind === 'failed') reject(new Error(`the serving thread failed: ${message.stack}`));
        else this.#receive(message);
      });
      const worker = new Worker(new URL('./worker.js', import.meta.url), {
        workerData,
        transferList: [port2],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      worker.on('error', reject);
    });
    this.#pollers.wakeAll();
    if (workerData.negotiated) this.#distrustCaches();
  }

  /** What a former daemon did not come to tell, and what happened while there was none: listings and attributes are asked anew. */
  #distrustCaches(): void {
    const { store } = this.#machine;
    if (store.wasTorn) this.#notifier.push('names', notifyNewEpoch());
    for (const container of subtree(store.registry.root)) {
      this.#givenListings.given(container, -Infinity);
      for (const id of directoriesOf(container.serial)) this.#listener().directoryChanged(id);
    }
  }

  #listener(): TreeListener {
    return {
      directoryChanged: (id) => {
        this.#tellChanged(id);
        if (entryOf(id) === proxy.entry) this.#processesChanged.told(id);
      },
      listed: (id) => {
        const container = this.#machine.store.registry.get(serialOf(id));
        if (container) this.#givenListings.given(container, performance.now());
      },
      wake: (wake) => {
        this.#pollers.wake(wake);
      },
      hidden: (serial, bits, atMs) => {
        this.#tell({ hidden: { serial, bits, atMs } });
        this.#reappearing.later(serial);
      },
    };
  }

  #tellChanged(id: NodeId): void {
    this.#notifier.push(`inode ${id}`, notifyInvalidInode(id));
  }

  #receive(message: Exclude<ToMain, { kind: 'end' | 'failed' }>): void {
    switch (message.kind) {
      case 'request':
        void this.#serve(message);
        return;
      case 'hidden':
        this.#hide(message.tombstone, message.seen);
        return;
      case 'negotiated':
        this.#machine.log.info(message.negotiated, 'mounted');
        return;
      case 'bug':
        this.#machine.log.error({ where: message.where, stack: message.stack }, 'bug in the serving thread');
        return;
    }
  }

  async #serve({ bytes, slot, resent }: Handed): Promise<void> {
    // A reader of its own: what it decodes stays valid while the request waits.
    const decoded = decodeRequest(new Reader(bytes), bytes.length);
    if (decoded.op.name === 'INTERRUPT') {
      this.#interrupt(decoded.args as InterruptArgs);
      return;
    }
    const begun = performance.now();
    const { unique } = decoded.request;
    const interruption = new Interruption();
    // What the kernel leaves to root, nobody else has by asking us. Its own requests, which nobody waits for, have pid 0.
    const { uid, pid } = decoded.request.caller;
    if (uid === 0 && pid !== 0) this.#cpuLatency.begin(interruption);
    this.#underWay.set(unique, interruption);
    const request = {
      ...decoded.request,
      resent,
      get signal() {
        return interruption.signal;
      },
    };
    try {
      const answer = await this.#answer(decoded, request);
      this.#replier.answer(decoded, answer);
      this.#operations.note(decoded, begun, 'ok');
    } catch (error) {
      this.#replier.fail(decoded, error);
      this.#operations.note(decoded, begun, error instanceof FsError ? `${error.errno}: ${error.message}` : 'bug');
    } finally {
      this.#cpuLatency.end(interruption);
      this.#underWay.delete(unique);
      if (slot !== undefined) this.#release(slot);
    }
  }

  #release(slot: number): void {
    freeSlot(this.#inFlightFd, slot);
    this.#tell({ answered: slot });
  }

  #tell(news: ToWorker): void {
    this.#port.postMessage(news);
    Atomics.add(this.#posted, 0, 1);
  }

  async #answer(decoded: Decoded, request: Request & Decoded['request']): Promise<unknown> {
    if (decoded.op.name === 'POLL') this.#expectWake(decoded.args as PollArgs);
    const answer = await serveWhole(this.#tree, { ...decoded, request });
    if (decoded.op.name === 'OPEN') return this.#passOn(request.nodeid, answer as Opened);
    if (decoded.op.name === 'CREATE') return this.#passOn((answer as Created).entry.attr.id, answer as Created);
    if (decoded.op.name === 'RELEASE') this.#passthrough.end(request.nodeid, (decoded.args as HandleArgs).handle);
    return answer;
  }

  /** A file that the kernel can read and write without asking here, it does. */
  #passOn<T extends Opened>(node: NodeId, opened: T): T & Passing {
    const { handle, backing } = opened;
    const backingId = backing === undefined ? undefined : this.#passthrough.begin(node, handle, backing);
    return backingId === undefined ? opened : { ...opened, backingId };
  }

  #expectWake({ wake }: PollArgs): void {
    if (wake !== undefined) this.#pollers.add(wake);
  }

  /** The caller got a signal. A request that is not here was answered already, or its number is not known yet. */
  #interrupt({ target }: InterruptArgs): void {
    this.#underWay.get(target)?.happen();
  }

  /** Tells the replica, and the kernel where it would not know by itself. */
  #publish(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    this.#tell({ changes });
    const { registry } = this.#machine.store;
    const isKept = (container: Container) => this.#givenListings.isKept(container, performance.now());
    for (const change of changes) {
      for (const id of oldListings(registry, change, Date.now(), isKept)) this.#listener().directoryChanged(id);
    }
  }

  /** An entry was unlinked; when it comes back, the kernel's listing is old. */
  #hide({ serial, bits, atMs }: Tombstone, seen?: number): void {
    const { registry } = this.#machine.store;
    const container = registry.get(serial);
    if (!container) return;
    hide(container, bits, atMs, seen);
    this.#reappearing.later(serial);
  }
}
