import { stat } from 'node:fs/promises';
import { adapterOf, healthOf, isOurs, mountsAt } from '../../../mount/device/mountpoint.ts';
import { type Instance, runFiles } from '../../instance.ts';
import { adapterFrom, usualAdapter, type Adapter } from '../adapter.ts';
import { type Finding, runChecks } from '../checks/check.ts';
import { checksFor } from '../checks/table.ts';
import { thisMachine } from '../checks/this-machine.ts';
import { defineCommand } from '../command.ts';
import { daemonProcesses } from '../daemon-processes.ts';
import { packageVersion } from '../package.ts';
import { INSTANCE_OPTIONS, mountedByOther, placeFor } from '../place.ts';
import { versionOf } from '../running-version.ts';
import { styled } from '../text.ts';

/** The daemon of a mount point, as far as it can be seen from outside. */
interface DaemonReport {
  readonly pid: number;
  readonly supervisorPid: number | null;
  /** Of the program it was started from, `null` if that is gone. */
  readonly version: string | null;
  readonly adapter: Adapter | null;
  /** Whether its mount answers. */
  readonly alive: boolean;
  readonly journalBytes: number | null;
}

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'say what this machine has, lacks, and how to mend it',
  usage: '[OPTION…] [DIR]',
  details: ['Exits 1 if something that nsdir mount needs is missing.'],
  options: {
    json: { type: 'boolean', summary: 'as JSON: version, adapter, mountPoint, checks, daemon' },
    adapter: { type: 'string', argument: 'NAME', summary: 'what this adapter needs: device (of root) or fuse-native' },
    ...INSTANCE_OPTIONS,
  },
  words: [0, 1],
  async run({ values, words }) {
    const adapter = adapterFrom(values.adapter) ?? usualAdapter();
    const instance = await placeFor(words[0], values);
    const checks = await runChecks(checksFor(adapter), await thisMachine(), instance);
    const daemon = await daemonReport(instance);
    const other = await mountedByOther(instance);
    const version = await packageVersion();
    const text =
      values.json === true
        ? JSON.stringify({ version, adapter, mountPoint: instance.mountPoint, checks, daemon }, undefined, 2)
        : [
            ...choiceLines(adapter, values.adapter),
            ...checkLines(checks),
            ...(daemon === null && other !== undefined ? othersLines(instance, other) : daemonLines(instance, daemon)),
          ].join('\n');
    process.stdout.write(`${text}\n`);
    return checks.some(({ ok, required }) => required && !ok) ? 1 : 0;
  },
});

async function daemonReport(instance: Instance): Promise<DaemonReport | null> {
  const { daemon, supervisor } = await daemonProcesses(instance);
  if (daemon === undefined) return null;
  const top = (await mountsAt(instance.mountPoint)).at(-1);
  const mounted = top !== undefined && isOurs(top);
  return {
    pid: daemon.pid,
    supervisorPid: supervisor?.pid ?? null,
    version: (await versionOf(daemon.pid)) ?? null,
    adapter: mounted ? adapterOf(top) : null,
    alive: mounted && (await healthOf(instance.mountPoint)).alive,
    journalBytes: await sizeOf(runFiles(instance).journal),
  };
}

async function sizeOf(file: string): Promise<number | null> {
  try {
    return (await stat(file)).size;
  } catch {
    return null;
  }
}

/** Which adapter it speaks of, and why. */
function choiceLines(adapter: Adapter, asked: string | undefined): string[] {
  const why = asked === undefined ? 'as root' : 'as --adapter says';
  if (adapter === 'device') return [`nsdir mount speaks with the kernel itself over /dev/fuse (device), ${why}`, ''];
  const because = asked === undefined ? 'since this is not root' : why;
  return [
    `nsdir mount goes through fuse-native and a setuid fusermount, ${because}: see "Without root" in docs/semantics.md`,
    '',
  ];
}

function checkLines(checks: readonly Finding[]): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return checks.flatMap(({ name, required, found, ok, problem, remedy }) => {
    const mark = ok ? styled('ok  ', 'green') : required ? styled('LACK', 'red') : styled('warn', 'yellow');
    const indent = ' '.repeat(width + 7);
    return [
      `${mark} ${name.padEnd(width)}  ${found}`,
      ...(ok ? [] : [`${indent}${problem ?? ''}`, `${indent}mend it: ${remedy ?? ''}`]),
    ];
  });
}

/** Its processes are not ours to see. */
function othersLines({ mountPoint }: Instance, other: string): string[] {
  return ['', `daemon    of ${other}, who mounted ${mountPoint}; more: sudo nsdir doctor ${mountPoint}`];
}

function daemonLines(instance: Instance, daemon: DaemonReport | null): string[] {
  if (daemon === null) return ['', `no daemon at ${instance.mountPoint}: nsdir mount ${instance.mountPoint}`];
  const { pid, supervisorPid, version, adapter, alive, journalBytes } = daemon;
  return [
    '',
    `daemon    ${pid}, version ${version ?? 'unknown'}, ${alive ? 'answers' : styled('does not answer', 'red')}` +
      (alive ? '' : `: nsdir mount ${instance.mountPoint} takes over`),
    `watched   ${supervisorPid === null ? 'by nobody: it is not started anew when it dies' : `by ${supervisorPid}`}`,
    `adapter   ${adapter ?? 'none: nothing of it is mounted here'}`,
    `journal   ${journalBytes === null ? 'none' : `${journalBytes} bytes`} in ${instance.runDir}`,
  ];
}
