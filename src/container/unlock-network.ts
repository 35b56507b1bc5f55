import { execFile } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { CRIU_ENVIRONMENT } from '../checkpoint/criu.ts';
import { ifThere } from '../files.ts';
import type { Serial } from '../ids.ts';
import { isAlive, namespaceInode } from '../proc/process.ts';
import type { PinnedProcess } from './container.ts';
import type { Machine } from './machine.ts';

/** What criu does itself, one after the other, to take its lock of a network away (criu/net.c, network_unlock). */
const RULES = [
  '*filter\n:CRIU - [0:0]\n-D INPUT -j CRIU\n-D OUTPUT -j CRIU\nCOMMIT\n',
  '*filter\n:CRIU - [0:0]\n-X CRIU\nCOMMIT\n',
];
const PROGRAMS = ['iptables', 'ip6tables'];

/** For each program; another one may hold the lock of the rules. */
const UNLOCK_LIMIT_MS = 5_000;

/**
 * Takes away by what a criu that was killed kept packets from the network of the process, a container's init; nothing
 * happens where it did not. What is left is the log's. Criu locks a container's own network only: in the machine's it locks
 * single connections.
 */
export async function unlockNetwork({ files, log }: Machine, container: Serial, init: PinnedProcess): Promise<void> {
  const { pid, startTime } = init;
  const own = namespaceInode(files, pid, 'net');
  if (own === undefined || own === namespaceInode(files, 'self', 'net')) return;
  const network = ifThere(() => openSync(`/proc/${pid}/ns/net`, 'r'));
  if (network === undefined) return;
  try {
    if (!isAlive(files, pid, startTime)) return;
    for (const program of PROGRAMS) {
      if (!(await isLocked(network, program))) continue;
      for (const rules of RULES) await within(network, [`${program}-restore`, '-w', '--noflush'], rules);
      if (!(await isLocked(network, program))) continue;
      log.error({ container, program }, 'its network stays locked by criu: remove its chain CRIU');
    }
  } finally {
    closeSync(network);
  }
}

async function isLocked(network: number, program: string): Promise<boolean> {
  return /^:CRIU /m.test(await within(network, [`${program}-save`, '-t', 'filter'], ''));
}

/** What a command says that runs in the network; nothing if it cannot be run. */
async function within(network: number, command: readonly string[], input: string): Promise<string> {
  return await new Promise((resolve) => {
    const namespace = `--net=/proc/${process.pid}/fd/${network}`;
    const options = { timeout: UNLOCK_LIMIT_MS, killSignal: 'SIGKILL' as const, env: CRIU_ENVIRONMENT };
    const child = execFile('nsenter', [namespace, '--', ...command], options, (_error, stdout) => {
      resolve(stdout);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
