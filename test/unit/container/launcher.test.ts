import * as fs from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { encodeFrame, FrameReader } from '../../../src/container/launcher-frames.ts';
import {
  CANCEL_LIMIT_MS,
  START_LIMIT_MS,
  type BundleSpec,
  type StartSpec,
} from '../../../src/container/launcher-start.ts';
import { Launcher, type LauncherOptions } from '../../../src/container/launcher.ts';
import type { Serial } from '../../../src/ids.ts';

/** Stands for the launcher process: says what the test has it say, and keeps what it is told. */
class FakeLauncher {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'nsdir-unit-'));
  readonly socket = path.join(this.directory, 'launcher.sock');
  readonly told: string[][] = [];
  connections = 0;
  greeting: readonly (readonly string[])[] = [['welcome', '2']];
  #daemon: Socket | undefined;
  readonly #server: Server = createServer((socket) => {
    const reader = new FrameReader();
    this.#daemon = socket;
    this.connections++;
    socket.on('data', (chunk: Buffer) => this.told.push(...reader.push(chunk)));
    socket.on('error', () => undefined);
    this.say(...this.greeting);
  }).listen(this.socket);

  /** All in one write, as a busy launcher does. */
  say(...frames: (readonly string[])[]): void {
    this.#daemon?.write(Buffer.concat(frames.map(encodeFrame)));
  }

  hangUp(): void {
    this.#daemon?.destroy();
  }

  close(): void {
    this.hangUp();
    this.#server.close();
    fs.rmSync(this.directory, { recursive: true });
  }
}

const SPEC: StartSpec = {
  serial: 7 as Serial,
  cgroupDir: '/cgroup/7',
  flags: 0x2000_0000,
  hostname: 'web',
  parentInit: 0,
  mountPoint: '/namespaces',
  path: 'a/web',
  inode: 117440513,
  initSocket: '/state/7.sock',
};

let fake: FakeLauncher;
let launcher: Launcher | undefined;
const happened: string[] = [];

const open = async (options: Partial<LauncherOptions> = {}): Promise<Launcher> =>
  (launcher = await Launcher.open({
    binary: '/nonesuch/nsdir-init',
    socket: fake.socket,
    pidFile: '/nonesuch/pid',
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: () => undefined,
    },
    onExit: (serial, pid, status) => void happened.push(`exit ${serial} ${pid} ${JSON.stringify(status)}`),
    onLost: () => void happened.push('lost'),
    ...options,
  }));

const BUNDLE: BundleSpec = {
  serial: 7 as Serial,
  hostname: 'web',
  cgroupDir: '/cgroup/7/start',
  hierarchy: '/sys/fs/cgroup/unified',
  bundle: '/srv/bundle',
  workDir: '/run/x/bundles/7',
  output: '/state/7.log',
  command: ['/usr/sbin/runc', 'run'],
};

const LIMITS = { limitMs: 1000, cancel: () => undefined };

const wasTold = (...words: string[]) =>
  vi.waitFor(() => {
    expect(fake.told).toContainEqual(words);
  });

beforeEach(() => {
  fake = new FakeLauncher();
  happened.length = 0;
});
afterEach(() => {
  vi.useRealTimers();
  launcher?.close();
  fake.close();
});

describe('bundle', () => {
  it('asks as makers.c reads it, and gives the pid and start time', async () => {
    const start = (await open()).bundle(BUNDLE, LIMITS);
    const places = ['/cgroup/7/start', '/sys/fs/cgroup/unified', '/srv/bundle', '/run/x/bundles/7', '/state/7.log'];
    await wasTold('bundle', '1', '7', ...places, '/usr/sbin/runc\nrun');
    fake.say(['started', '1', '4711', '98765']);
    expect(await start).toEqual({ pid: 4711, startTime: 98765 });
  });
});

describe('a launcher of an older version, which does not know bundles', () => {
  it('starts what it knows', async () => {
    fake.greeting = [['welcome', '1']];
    const start = (await open()).start(SPEC);
    await vi.waitUntil(() => fake.told.length > 0);
    fake.say(['started', '1', '4711', '98765']);
    expect(await start).toEqual({ pid: 4711, startTime: 98765 });
  });

  it('is left alone while it has containers: EBUSY, and it is not asked', async () => {
    fake.greeting = [
      ['lives', '3', '33', '1'],
      ['welcome', '1'],
    ];
    await expect((await open()).bundle(BUNDLE, LIMITS)).rejects.toMatchObject({
      errno: 'EBUSY',
      message: expect.stringMatching(/1 containers still have the launcher of an older nsdir/) as string,
    });
    expect(fake.told).toEqual([]);
  });

  it('is replaced when it has none, and its successor is asked', async () => {
    fake.greeting = [['welcome', '1']];
    const start = (await open()).bundle(BUNDLE, LIMITS);
    await wasTold('quit');
    fake.greeting = [['welcome', '2']];
    fake.hangUp();
    await vi.waitUntil(() => fake.told.some(([word]) => word === 'bundle'));
    fake.say(['started', '1', '4711', '98765']);
    expect(await start).toEqual({ pid: 4711, startTime: 98765 });
    expect(fake.connections).toBe(2);
  });
});

describe('start', () => {
  it('asks as launcher.c reads it, and gives the pid and start time', async () => {
    const start = (await open()).start({ ...SPEC, parentInit: 12, parentStartTime: 34 });
    const words = ['start', '1', '7', '/cgroup/7', '536870912', 'web', '12', '34', '/namespaces', 'a/web', '117440513'];
    await wasTold(...words, '/state/7.sock');
    fake.say(['started', '1', '4711', '98765']);
    expect(await start).toEqual({ pid: 4711, startTime: 98765 });
    expect(launcher?.inits.get(SPEC.serial)).toEqual({ pid: 4711, startTime: 98765 });
  });

  it('throws the errno and the step', async () => {
    const start = (await open()).start(SPEC);
    await vi.waitUntil(() => fake.told.length > 0);
    fake.say(['failed', '1', String(os.constants.errno.EPERM), 'pivot_root']);
    await expect(start).rejects.toMatchObject({ errno: 'EPERM', message: 'Cannot start "web": pivot_root: EPERM' });
  });

  it('is answered before the end of that very init is told', async () => {
    const start = (await open()).start(SPEC).then(() => happened.push('started'));
    await vi.waitUntil(() => fake.told.length > 0);
    fake.say(['started', '1', '4711', '98765'], ['exited', '7', '4711', '256']);
    await start;
    await wasTold('ack', '7', '4711');
    expect(happened).toEqual(['started', 'exit 7 4711 {"code":1}']);
    expect(launcher?.inits.size).toBe(0);
  });

  it('is given up after its limit: ETIMEDOUT, as the launcher kills it or not', async () => {
    const opened = await open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const start = expect(opened.start(SPEC)).rejects.toMatchObject({ errno: 'ETIMEDOUT' });
    await vi.advanceTimersByTimeAsync(START_LIMIT_MS);
    await vi.advanceTimersByTimeAsync(CANCEL_LIMIT_MS);
    await start;
    vi.useRealTimers();
    await wasTold('cancel', '1');
  });

  it('is cancelled by its signal', async () => {
    const abort = new AbortController();
    const start = (await open()).start(SPEC, abort.signal);
    await vi.waitUntil(() => fake.told.length > 0);
    abort.abort();
    await wasTold('cancel', '1');
    fake.say(['failed', '1', String(os.constants.errno.ECANCELED), 'killed while starting']);
    await expect(start).rejects.toMatchObject({ errno: 'EINTR' });
  });

  it('is EIO when the connection ends, and the next one goes through another connection', async () => {
    const opened = await open();
    const start = expect(opened.start(SPEC)).rejects.toMatchObject({ errno: 'EIO' });
    await vi.waitUntil(() => fake.told.length > 0);
    fake.hangUp();
    await start;
    const again = opened.start(SPEC);
    await vi.waitUntil(() => fake.told.length > 1);
    fake.say(['started', '2', '4711', '98765']);
    expect((await again).pid).toBe(4711);
    expect(fake.connections).toBe(2);
    expect(happened).toEqual([]); // the launcher was there all the time
  });
});

describe('open', () => {
  it('tells who lives, and all exits of the welcome, before it resolves', async () => {
    fake.greeting = [
      ['lives', '3', '300', '1'],
      ['exited', '4', '400', '9'],
      ['exited', '5', '500', '139'],
      ['welcome', '1'],
    ];
    const { inits } = await open();
    expect([...inits]).toEqual([[3, { pid: 300, startTime: 1 }]]);
    expect(happened).toEqual(['exit 4 400 {"signal":9}', 'exit 5 500 {"signal":11}']);
    await wasTold('ack', '4', '400');
    await wasTold('ack', '5', '500');
  });

  it('refuses a launcher of another protocol, and one that talks nonsense', async () => {
    fake.greeting = [['welcome', '0']];
    await expect(open()).rejects.toMatchObject({ errno: 'EPROTO' });
    fake.greeting = [['hello']];
    await expect(open()).rejects.toMatchObject({ errno: 'EPROTO' });
  });

  it('says what is missing where there is no launcher and none to start', async () => {
    await expect(open({ socket: '/nonesuch/sock' })).rejects.toMatchObject({
      errno: 'ENOENT',
      message: expect.stringContaining('scripts/build-init') as string,
    });
  });
});

describe('onExit', () => {
  it('is acked when its promise resolved, not if it failed', async () => {
    let written: () => void = () => undefined;
    const onExit = (serial: Serial) =>
      serial === 1 ? Promise.reject(new Error('disk full')) : new Promise<void>((resolve) => (written = resolve));
    await open({ onExit });
    fake.say(['exited', '1', '100', '0'], ['exited', '2', '200', '0']);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fake.told).toEqual([]);
    written();
    await wasTold('ack', '2', '200');
    expect(fake.told).toEqual([['ack', '2', '200']]);
  });
});

describe('the end', () => {
  it('quit is false while the launcher is busy, true when it went', async () => {
    const opened = await open();
    const refused = opened.quit();
    await wasTold('quit');
    fake.say(['busy', '2']);
    expect(await refused).toBe(false);
    const quit = opened.quit();
    await vi.waitUntil(() => fake.told.length === 2);
    fake.hangUp();
    expect(await quit).toBe(true);
    expect(fake.connections).toBe(1);
  });

  it('replaced by another daemon, it does not connect again', async () => {
    await open();
    fake.say(['replaced']);
    fake.hangUp();
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(fake.connections).toBe(1);
    await expect(launcher?.start(SPEC)).rejects.toMatchObject({ errno: 'EIO' });
  });
});
