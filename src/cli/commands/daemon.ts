import { closeSync, constants, existsSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { abortConnection } from '../../../mount/device/fusectl.ts';
import { mountsAt, clearAway } from '../../../mount/device/mountpoint.ts';
import { DeviceSession, type SessionOptions } from '../../../mount/device/session.ts';
import { inodeNumber } from '../../../mount/native/inode.ts';
import { NativeSession } from '../../../mount/native/session.ts';
import { runDiscovery } from '../../container/discovery-run.ts';
import { forgetFound } from '../../container/found.ts';
import { boundOutputs } from '../../container/output-limit.ts';
import { openMachine } from '../../container/open-machine.ts';
import { finishEntering } from '../../container/enter.ts';
import { followLeaders } from '../../container/leaders.ts';
import { recover } from '../../container/recover.ts';
import type { UserLimits } from '../../container/user-limits.ts';
import { removeStaleImages } from '../../container/stale-images.ts';
import { instanceFor, runFiles, type Instance } from '../../instance.ts';
import { haveSessionGoFirstIfKept } from '../../kernel/priority.ts';
import { openRawIo } from '../../kernel/raw-io.ts';
import { openLog, type Log } from '../../log.ts';
import { directoryId } from '../../tree/node-id.ts';
import { defineCommand } from '../command.ts';
import { boundLog } from '../log-file.ts';
import { adapterFrom, type Adapter } from '../adapter.ts';
import { outputLimitFrom } from '../output-limit.ts';
import { userLimitsFrom } from '../user-limits.ts';
import { discoveryFrom, type DiscoveryMode } from '../discovery-mode.ts';

const { O_CREAT, O_WRONLY } = constants;

/** Where the supervisor leaves the open device. */
const DEVICE_FD = 3;
const LOG_FD = 2;

/** After a signal to end, the device must be gone within this. */
const SHUTDOWN_LIMIT_MS = 5_000;

const INIT_BINARY = fileURLToPath(new URL('../../../nsdir-init', import.meta.url));

/** Serves the tree on the device that is open as descriptor 3, until that is unmounted. Run by `scripts/supervise`. */
export const daemon = defineCommand({
  name: 'daemon',
  summary: 'serve the tree; run by scripts/supervise with /dev/fuse as descriptor 3',
  usage: 'MOUNTPOINT',
  options: {
    'run-dir': { type: 'string', argument: 'DIR', summary: 'journal, sockets, pid files' },
    'state-dir': { type: 'string', argument: 'DIR', summary: 'output of detached commands' },
    cgroup: { type: 'string', argument: 'NAME', summary: 'cgroup below the cgroup v2 root' },
    trace: { type: 'string', argument: 'FILE', summary: 'append every request and reply' },
    adapter: { type: 'string', argument: 'NAME', summary: 'device, which is open as descriptor 3, or fuse-native' },
    'no-resend': { type: 'boolean', summary: 'keep unanswered requests by itself, as kernels before 6.9 need' },
    discovery: { type: 'string', argument: 'HOW', summary: 'on, exact or off' },
    'user-limits': { type: 'string', argument: 'LIST', summary: 'what one user may have who is not root' },
    'output-limit': { type: 'string', argument: 'SIZE', summary: 'room for what detached commands write' },
    'log-level': { type: 'string', argument: 'LEVEL', summary: 'debug, info, warn or error' },
  },
  words: [1, 1],
  async run({ words: [mountPoint], values }) {
    const standard = instanceFor(mountPoint);
    const instance: Instance = {
      ...standard,
      runDir: values['run-dir'] ?? standard.runDir,
      stateDir: values['state-dir'] ?? standard.stateDir,
      cgroupName: values.cgroup ?? standard.cgroupName,
    };
    const log = openLog(LOG_FD, values['log-level'] ?? 'info');
    return await serve(instance, log, {
      traceFile: values.trace,
      withoutResend: values['no-resend'] === true,
      discovery: discoveryFrom(values.discovery),
      adapter: adapterFrom(values.adapter) ?? 'device',
      userLimits: userLimitsFrom(values['user-limits']),
      outputLimitBytes: outputLimitFrom(values['output-limit']),
    });
  },
});

type Options = Pick<SessionOptions, 'traceFile' | 'withoutResend'> & {
  readonly discovery: DiscoveryMode;
  readonly adapter: Adapter;
  readonly userLimits: UserLimits;
  readonly outputLimitBytes: number;
};

async function serve(instance: Instance, log: Log, options: Options): Promise<number> {
  const files = runFiles(instance);
  haveSessionGoFirstIfKept();
  // One request's failure, forgotten by whoever began it, is no reason to leave all others.
  process.on('unhandledRejection', (reason) => {
    log.error({ err: reason }, 'bug: a failure nobody waited for');
  });
  const device = options.adapter === 'device' ? (await mountsAt(instance.mountPoint)).at(-1)?.device : undefined;
  const machine = await openMachine({
    instance,
    log,
    initBinary: INIT_BINARY,
    discover: options.discovery !== 'off',
    userLimits: options.userLimits,
    inodeOf: ({ serial }) =>
      options.adapter === 'fuse-native' ? inodeNumber(directoryId(serial)) : directoryId(serial),
  });
  if (!existsSync(files.session)) machine.store.forgetDone();
  await recover(machine);
  await removeStaleImages(machine);
  if (!machine.discovery) forgetFound(machine);
  const incarnation = nextIncarnation(files.incarnation);
  // The library's mount ends with the daemon that made it.
  if (options.adapter === 'fuse-native') await clearAway(instance.mountPoint);
  const session =
    options.adapter === 'fuse-native'
      ? await NativeSession.mount({ machine, ...options, incarnation })
      : new DeviceSession({ fd: DEVICE_FD, machine, ...options, incarnation });
  // Only now: who was told to be inside may wait for an answer of this mount, and cannot stop before.
  void finishEntering(machine);
  followLeaders(machine);
  overwrite(files.cgroup, `${instance.cgroupName}\n`);
  overwrite(files.daemonPid, `${process.pid}\n`);
  boundOutputs(machine, options.outputLimitBytes);
  boundLog(LOG_FD, files.formerLog, log);
  const events = { exact: options.discovery === 'exact', initBinary: INIT_BINARY };
  if (machine.discovery) void runDiscovery(machine.discovery, machine, events);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void shutDown(instance, device, log));
  try {
    await session.ended;
  } catch (error) {
    log.error({ err: error }, 'cannot go on; the supervisor starts another daemon');
    process.exit(1);
  }
  log.info('the device is gone');
  process.exit(0);
}

/**
 * Ends the connection, so that the serving thread wakes and nobody waits for an answer, and takes the mount away. The
 * containers have the mount in their own namespaces, so that it lives, as `device`, though it is not seen here any more.
 */
async function shutDown(instance: Instance, device: string | undefined, log: Log): Promise<void> {
  log.info('asked to end');
  setTimeout(() => process.exit(0), SHUTDOWN_LIMIT_MS).unref();
  try {
    if (device !== undefined) await abortConnection(device, () => !openRawIo().isEnded(DEVICE_FD));
    await clearAway(instance.mountPoint);
  } catch (error) {
    log.error({ err: error }, 'cannot end the mount by itself');
  }
}

function nextIncarnation(file: string): number {
  const last = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  const next = Number.isInteger(last) ? last + 1 : 1;
  overwrite(file, `${next}\n`);
  return next;
}

/** Writes a short file in its place: where the disk is full there is no room to make it anew. */
function overwrite(file: string, text: string): void {
  const fd = openSync(file, O_WRONLY | O_CREAT, 0o644);
  writeSync(fd, text, 0);
  ftruncateSync(fd, text.length);
  closeSync(fd);
}
