import { setImmediate as settled } from 'node:timers/promises';

import { FsError } from '../errno.ts';
import { pid as checkedPid, serial as checkedSerial, type Pid, type Serial } from '../ids.ts';
import type { Log } from '../log.ts';
import type { PinnedProcess } from './container.ts';
import { exitStatus, knownProtocol, OLDEST_PROTOCOL, PROTOCOL, within, type ExitStatus } from './launcher-protocol.ts';
import { connectLauncher, LauncherLink, spawnLauncher, type LauncherPlace } from './launcher-link.ts';
import {
  bundleWords,
  PendingStart,
  restoreWords,
  startWords,
  type BundleSpec,
  type RestoreSpec,
  type StartSpec,
} from './launcher-start.ts';

export type { ExitStatus } from './launcher-protocol.ts';
export type { BundleSpec, RestoreSpec, StartSpec } from './launcher-start.ts';

/** After this, a launcher that could not be had is tried again. */
const RECONNECT_AGAIN_MS = 200;

/** An exit that could not be taken down, for want of room say, is told again after this. */
const EXIT_AGAIN_MS = 1000;

export interface LauncherOptions extends LauncherPlace {
  /**
   * An init ended. Told again after a reconnection until this returned, or its promise resolved, once; so it may be told
   * twice. What was not told to a former daemon is told before `open` resolves.
   */
  readonly onExit: (serial: Serial, pid: Pid, status: ExitStatus) => void | Promise<void>;
  /** The launcher died: the inits live on, but nobody will tell of their end. A new launcher is being started. */
  readonly onLost?: () => void;
  readonly log: Log;
}

interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number;
  readonly cancel?: () => void;
  /** The protocol that brought it; launchers of an older one do not know it. */
  readonly since?: number;
}

/**
 * The daemon's side of the launcher, the process that is the parent of all inits and outlives the daemon
 * (src/init/launcher.c). Belongs to the main thread.
 */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #pending = new Map<number, PendingStart>();
  readonly #inits = new Map<Serial, PinnedProcess>();
  #link: Promise<LauncherLink>;
  #nextId = 1;
  #over: 'no' | 'closed' | 'replaced' = 'no';
  /** Of the launcher that answers. */
  #protocol = PROTOCOL;
  #welcome: (() => void) | undefined;
  #busy: (() => void) | undefined;

  private constructor(options: LauncherOptions) {
    this.#options = options;
    this.#link = this.#connect(false);
  }

  /** Connects with the launcher, after starting one if there is none. Throws if that cannot be done in time. */
  static async open(options: LauncherOptions): Promise<Launcher> {
    const launcher = new Launcher(options);
    await launcher.#link;
    await settled(); // by now the exits that came with the welcome are told
    return launcher;
  }

  /** The inits that live, by their container. */
  get inits(): ReadonlyMap<Serial, PinnedProcess> {
    return this.#inits;
  }

  /**
   * Starts a container's init and waits until it is ready for commands. Throws the errno of the step that failed, with
   * its name in the message; ECANCELED if it was killed meanwhile, ETIMEDOUT after `START_LIMIT_MS`, EINTR if `signal`
   * was aborted, EIO if the launcher was lost. A failed start leaves no process.
   */
  async start(spec: StartSpec, signal?: AbortSignal): Promise<PinnedProcess> {
    return await this.#ask(spec, (id) => startWords(id, spec), { signal, ...(spec.owner && { since: 3 }) });
  }

  /**
   * Has criu make a container's init from images, and waits until it runs. `cancel` ends criu and what it made; it is called
   * after `limitMs`. Throws as `start`; what criu said is in the work directory.
   */
  async restore(spec: RestoreSpec, limitMs: number, cancel: () => void): Promise<PinnedProcess> {
    return await this.#ask(spec, (id) => restoreWords(id, spec), { limitMs, cancel, since: 2 });
  }

  /** Has an OCI runtime make a container's init from a bundle, as `restore` has criu. */
  async bundle(
    spec: BundleSpec,
    limits: { readonly limitMs: number; readonly cancel: () => void; readonly signal?: AbortSignal | undefined },
  ): Promise<PinnedProcess> {
    return await this.#ask(spec, (id) => bundleWords(id, spec), { ...limits, since: 2 });
  }

  async #ask(
    spec: Pick<StartSpec, 'hostname' | 'serial'>,
    words: (id: number) => string[],
    { signal, limitMs, cancel, since = OLDEST_PROTOCOL }: AskOptions,
  ): Promise<PinnedProcess> {
    let link = await this.#link.catch(() => this.#reconnect());
    if (this.#protocol < since) link = await this.#renewed(spec.hostname);
    if (this.#over !== 'no') throw new FsError('EIO', `Cannot start "${spec.hostname}": the launcher was given up`);
    if (signal?.aborted) throw new FsError('EINTR', `Cannot start "${spec.hostname}": interrupted`);
    const id = this.#nextId++;
    const sent = words(id);
    const cancelStart = () => {
      link.send('cancel', String(id));
    };
    const pending = new PendingStart(spec, cancel ?? cancelStart, signal, limitMs);
    this.#pending.set(id, pending);
    try {
      link.send(...sent);
      return await pending.result;
    } finally {
      this.#pending.delete(id);
    }
  }

  /** Another launcher in place of one that was started by an older version and does not know a request. EBUSY if inits live. */
  async #renewed(name: string): Promise<LauncherLink> {
    const old = await this.#link;
    const { size } = this.#inits;
    if (size > 0) {
      throw new FsError(
        'EBUSY',
        `Cannot start "${name}": ${size} containers still have the launcher of an older nsdir, which cannot do this; ` +
          'stop them first',
      );
    }
    old.send('quit');
    await within(old.closed, 'quit');
    return await this.#link;
  }

  /** Has the launcher exit. False if inits live: then it goes on. */
  async quit(): Promise<boolean> {
    const link = await this.#link;
    this.#over = 'closed';
    const busy = new Promise<boolean>((resolve) => {
      this.#busy = () => {
        this.#over = 'no';
        resolve(false);
      };
    });
    link.send('quit');
    return await within(Promise.race([busy, link.closed.then(() => true)]), 'quit');
  }

  /** Ends the connection; the launcher lives on. */
  close(): void {
    this.#over = 'closed';
    this.#link.then(
      (link) => {
        link.close();
      },
      () => undefined,
    );
  }

  async #connect(lost: boolean): Promise<LauncherLink> {
    const { log, onLost, socket: path } = this.#options;
    let socket = await connectLauncher(path);
    if (!socket) {
      if (lost) {
        log.warn({ inits: this.#inits.size }, 'the launcher is gone; starting another one');
        this.#inits.clear();
        onLost?.();
      }
      socket = await spawnLauncher(this.#options);
    }
    const welcome = new Promise<void>((resolve) => (this.#welcome = resolve));
    this.#inits.clear();
    const link = new LauncherLink(socket, (words) => {
      this.#receive(link, words);
    });
    void link.closed.then(() => {
      this.#closed();
    });
    const refused = link.closed.then((): never => {
      throw new FsError('EPROTO', `The launcher at "${path}" does not answer as this version's`);
    });
    try {
      await within(Promise.race([welcome, refused]), 'welcome');
    } catch (error) {
      link.close();
      throw error;
    }
    return link;
  }

  /** After a connection that was made has ended; one that never was is told to `open`. */
  #closed(): void {
    for (const pending of this.#pending.values()) pending.fail('EIO', 'the launcher was lost');
    if (this.#over === 'no' && this.#welcome === undefined) this.#insist();
  }

  /** Connects again, until that is done: nobody else would hear of inits that end. */
  #insist(): void {
    const link = this.#reconnect();
    link.catch((error: unknown) => {
      this.#options.log.error({ err: error }, 'no launcher: trying again');
      setTimeout(() => {
        if (this.#over === 'no' && this.#link === link) this.#insist();
      }, RECONNECT_AGAIN_MS).unref();
    });
  }

  #reconnect(): Promise<LauncherLink> {
    this.#link = this.#connect(true);
    return this.#link;
  }

  #receive(link: LauncherLink, [word, ...values]: string[]): void {
    const [first = '', second = '', third = ''] = values;
    switch (word) {
      case 'started':
        this.#started(this.#pending.get(Number(first)), { pid: checkedPid(Number(second)), startTime: Number(third) });
        break;
      case 'failed':
        this.#pending.get(Number(first))?.failed(Number(second), third);
        break;
      case 'lives':
        this.#inits.set(checkedSerial(Number(first)), { pid: checkedPid(Number(second)), startTime: Number(third) });
        break;
      case 'exited':
        void this.#exited(link, checkedSerial(Number(first)), checkedPid(Number(second)), exitStatus(Number(third)));
        break;
      case 'welcome':
        this.#protocol = knownProtocol(first);
        this.#welcome?.();
        this.#welcome = undefined;
        break;
      case 'busy':
        this.#busy?.();
        break;
      case 'replaced':
        this.#options.log.error({}, 'another daemon took over the launcher');
        this.#over = 'replaced';
        break;
      default:
        throw new FsError('EPROTO', `the launcher said "${word ?? ''}"`);
    }
  }

  #started(pending: PendingStart | undefined, init: PinnedProcess): void {
    if (!pending) return;
    this.#inits.set(pending.serial, init);
    pending.started(init);
  }

  async #exited(link: LauncherLink, serial: Serial, pid: Pid, status: ExitStatus): Promise<void> {
    if (this.#inits.get(serial)?.pid === pid) this.#inits.delete(serial);
    await settled(); // whoever awaits the start of this very init goes first
    try {
      await this.#options.onExit(serial, pid, status);
      link.send('ack', String(serial), String(pid));
    } catch (error) {
      this.#options.log.error({ err: error, container: serial }, 'an exit was not taken down; it is told again');
      if (this.#over !== 'no') return;
      setTimeout(() => void this.#exited(link, serial, pid, status), EXIT_AGAIN_MS).unref();
    }
  }
}
