import path from 'node:path';
import { clearAway } from '../../../mount/device/mountpoint.ts';
import type { Instance } from '../../instance.ts';
import { adapterFrom, usualAdapter } from '../adapter.ts';
import { bringUp, makeDirectories, superviseInForeground } from '../bring-up.ts';
import { type Finding, type Machine, runChecks } from '../checks/check.ts';
import { isMounted } from '../checks/mount-point.ts';
import { checksFor } from '../checks/table.ts';
import { thisMachine } from '../checks/this-machine.ts';
import { defineCommand, Failure } from '../command.ts';
import { daemonProcesses, endDaemon, killDaemon, STALE_END_TIMEOUT_MS } from '../daemon-processes.ts';
import { differences, wordsOf } from '../daemon-options.ts';
import { discoveryFrom } from '../discovery-mode.ts';
import { lockInstance } from '../lock.ts';
import { INSTANCE_OPTIONS, placeFor } from '../place.ts';
import { notePlaces } from '../places.ts';
import { outputLimitFrom } from '../output-limit.ts';
import { userLimitsFrom } from '../user-limits.ts';

export const mount = defineCommand({
  name: 'mount',
  summary: 'mount the tree of containers',
  usage: '[OPTION…] [DIR]',
  details: [
    'DIR is $NSDIR_MOUNT or /namespaces if it is not given, and is made if it is not there.',
    'First it is checked that the machine has what is needed (see nsdir doctor). If the tree is mounted already, that is ' +
      'all right. A mount of a daemon that is gone or hangs is taken over: containers live on.',
  ],
  options: {
    foreground: { type: 'boolean', short: 'f', summary: 'stay, log to the terminal, end with SIGTERM or ^C' },
    adapter: {
      type: 'string',
      argument: 'NAME',
      summary: 'device (default for root) or fuse-native (for other users, who need no privilege)',
    },
    trace: { type: 'string', argument: 'FILE', summary: 'write every request and reply to FILE' },
    'log-level': { type: 'string', argument: 'LEVEL', summary: 'debug, info (default), warn or error' },
    'no-resend': { type: 'boolean', summary: 'do as on a kernel before 6.9, which cannot send a request again' },
    discovery: {
      type: 'string',
      argument: 'HOW',
      summary: 'containers of others: on (default), exact (misses nothing, slows system calls), off',
    },
    'user-limits': {
      type: 'string',
      argument: 'LIST',
      summary: 'what one user may have who is not root: containers=N,depth=N,processes=N,events=N,files=N',
    },
    'output-limit': {
      type: 'string',
      argument: 'SIZE',
      summary: 'how much nsdir logs keeps of each container: 256M (default), …; 0 is all',
    },
    ...INSTANCE_OPTIONS,
  },
  words: [0, 1],
  async run({ values, words }) {
    const discovery = discoveryFrom(values.discovery);
    userLimitsFrom(values['user-limits']);
    outputLimitFrom(values['output-limit']);
    const adapter = adapterFrom(values.adapter) ?? usualAdapter();
    const instance = await placeFor(words[0], values);
    const machine = await thisMachine();
    const asked = { ...values, discovery: values.discovery && discovery };
    // Which need not be where the options say.
    const former = await placeFor(words[0], {});
    if (await isMounted(machine, instance)) return alreadyMounted(former, asked);
    // What is only good to have is looked at by nsdir doctor.
    const needed = checksFor(adapter).filter(({ required }) => required);
    const findings = await runChecks(needed, machine, instance);
    // What was looked at while another `nsdir mount` was at work is not what either of them found.
    if (!(await isMounted(machine, instance))) refuseUnless(findings, instance);

    const lock = await lockInstance(instance);
    try {
      // Another `nsdir mount` may have been at work while the lock was waited for.
      if (await isMounted(machine, instance)) return await alreadyMounted(await placeFor(words[0], {}), asked);
      await makeWay(machine, instance, former);
      const options = [
        ...(values.trace === undefined ? [] : ['--trace', path.resolve(values.trace)]),
        ...(values['no-resend'] === true ? ['--no-resend'] : []),
        '--discovery',
        discovery,
        ...(values['user-limits'] === undefined ? [] : ['--user-limits', values['user-limits']]),
        ...(values['output-limit'] === undefined ? [] : ['--output-limit', values['output-limit']]),
        ...(values['log-level'] === undefined ? [] : ['--log-level', values['log-level']]),
      ];
      if (values.foreground !== true) {
        const pid = await bringUp(instance, adapter, options);
        await notePlaces(instance);
        process.stdout.write(`mounted at ${instance.mountPoint} (daemon ${pid})\n`);
        return 0;
      }
      return await superviseInForeground(instance, adapter, options, async () => {
        if (await isMounted(machine, instance)) await notePlaces(instance);
        await lock.release();
      });
    } finally {
      await lock.release();
    }
  },
});

/** All right, unless what was asked for is not what runs. */
async function alreadyMounted(instance: Instance, asked: Readonly<Record<string, unknown>>): Promise<number> {
  const { daemon } = await daemonProcesses(instance);
  const { mountPoint } = instance;
  const who = daemon === undefined ? '' : ` (daemon ${daemon.pid})`;
  process.stdout.write(`${mountPoint} is mounted already${who}\n`);
  const differing = differences(asked, daemon === undefined ? [] : await wordsOf(daemon.pid));
  if (differing.length === 0) return 0;
  throw new Failure(
    `it runs otherwise, and was left as it is; not heeded: ${differing.join(', ')}. To have that: nsdir umount ${mountPoint}, ` +
      'then nsdir mount again; containers live on',
  );
}

function refuseUnless(findings: readonly Finding[], instance: Instance): void {
  const lacking = findings.filter(({ ok }) => !ok);
  if (lacking.length === 0) return;
  const lines = lacking.map(({ problem, remedy }) => `  ${problem ?? ''}\n    mend it: ${remedy ?? ''}`);
  throw new Failure(`cannot mount at ${instance.mountPoint}:\n${lines.join('\n')}`);
}

/** Whatever is left of a former daemon here is ended: its mount, its processes. Its containers and journal stay. */
async function makeWay(machine: Machine, instance: Instance, former: Instance): Promise<void> {
  const stale = (await machine.mountsAt(instance.mountPoint)).length > 0;
  await clearAway(instance.mountPoint);
  const timeoutMs = stale ? STALE_END_TIMEOUT_MS : undefined;
  for (const one of former.runDir === instance.runDir ? [instance] : [former, instance]) {
    if ((await endDaemon(one, timeoutMs)) || (await killDaemon(one))) continue;
    throw new Failure(`a former daemon of ${instance.mountPoint} cannot be killed; see nsdir doctor`);
  }
  if (stale) process.stdout.write(`took over the stale mount at ${instance.mountPoint}\n`);
  await makeDirectories(instance);
}
