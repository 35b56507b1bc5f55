import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SavedVeth } from '../checkpoint/manifest.ts';
import { FsError } from '../errno.ts';
import { readIfThere } from '../files.ts';
import type { Pid } from '../ids.ts';
import { pathOf, type Container } from './container.ts';
import type { Machine } from './machine.ts';

/** ip(8) answers at once. */
const IP_LIMIT_MS = 5_000;

const run = promisify(execFile);

/** Of a line of `ip -j -d addr`. */
interface Link {
  readonly ifindex: number;
  readonly ifname: string;
  readonly link_index?: number;
  readonly link_netnsid?: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly master?: string;
  readonly address: string;
  readonly addr_info?: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
}

/**
 * The pairs of interfaces by which a container with a network of its own is connected with the machine. Throws EIO for one
 * that leads elsewhere: who restores the container could not connect it again.
 */
export async function vethsOf(machine: Machine, container: Container): Promise<SavedVeth[]> {
  const { init, kinds = [] } = container;
  if (!init || !kinds.includes('net') || !hasInterfaces(machine, init.pid)) return [];
  const inside = await links(['nsenter', '-t', String(init.pid), '-n', '--']);
  const outside = await links([]);
  return inside
    .filter(({ link_netnsid }) => link_netnsid !== undefined)
    .map((own) => {
      const peer = outside.find(({ ifindex, link_index }) => ifindex === own.link_index && link_index === own.ifindex);
      if (peer) return savedVeth(own, peer);
      throw new FsError(
        'EIO',
        `Cannot checkpoint "${pathOf(container)}": its interface ${own.ifname} leads to another container’s network; ` +
          'connect it through the machine, or take it away first',
      );
    });
}

function savedVeth(own: Link, peer: Link): SavedVeth {
  return {
    inside: own.ifname,
    outside: peer.ifname,
    ...(peer.master === undefined ? {} : { bridge: peer.master }),
    mtu: peer.mtu,
    address: peer.address,
    up: peer.flags.includes('UP'),
    // Those of a link come by themselves.
    addresses: (peer.addr_info ?? [])
      .filter(({ scope }) => scope !== 'link')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}

/** Whether it has more than a loopback interface (proc_pid_net(5)). */
function hasInterfaces({ files }: Machine, pid: Pid): boolean {
  const names = (readIfThere(files, `/proc/${pid}/net/dev`) ?? '').matchAll(/^\s*([^\s:]+):/gm);
  return [...names].some(([, name]) => name !== 'lo');
}

async function links(prefix: readonly string[]): Promise<Link[]> {
  const [program, ...args] = [...prefix, 'ip', '-j', '-d', 'addr', 'show', 'type', 'veth'];
  try {
    const { stdout } = await run(program, args, { timeout: IP_LIMIT_MS, killSignal: 'SIGKILL' });
    return stdout.trim() === '' ? [] : (JSON.parse(stdout) as Link[]);
  } catch (cause) {
    throw new FsError('EIO', `Cannot ask ip(8) for interfaces: ${(cause as Error).message}; install iproute2`, {
      cause,
    });
  }
}

/** Gives the machine's ends of restored pairs what they had. Throws EIO with what ip(8) says. */
export async function connectVeths(veths: readonly SavedVeth[]): Promise<void> {
  for (const { outside, mtu, address, up, addresses } of veths) {
    const set = ['link', 'set', 'dev', outside, 'mtu', String(mtu), 'address', address, ...(up ? ['up'] : [])];
    for (const args of [set, ...addresses.map((each) => ['addr', 'replace', each, 'dev', outside])]) {
      await run('ip', args, { timeout: IP_LIMIT_MS, killSignal: 'SIGKILL' }).catch((cause: unknown) => {
        throw new FsError('EIO', `Cannot connect ${outside}: ${(cause as Error).message}`, { cause });
      });
    }
  }
}

/** The name that criu knows a pair by, when it makes it anew. */
export function vethArgument({ inside, outside, bridge }: SavedVeth): string {
  return `veth[${inside}]:${outside}${bridge === undefined ? '' : `@${bridge}`}`;
}
