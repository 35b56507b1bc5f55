import type { Fact } from '../kernel/tracer-link.ts';
import type { Pid } from '../ids.ts';
import { NAMESPACE_KINDS } from '../namespaces.ts';
import type { Sight } from './sight.ts';

/**
 * What was seen of a process, as it is to be read below /proc (proc(5)): while all of it is so, decisions that were made of
 * the sight alone are the same. But for who traces it, and whether its memory may be read.
 */
export function factsOf({ stat, status, cgroups, links = [], pidNamespace }: Sight): Fact[] {
  const { tgid, uids, gids, threads, seccomp, capPermitted, capEffective } = status;
  const lines = [
    `Tgid:\t${tgid}`,
    `Uid:\t${uids.join('\t')}`,
    `Gid:\t${gids.join('\t')}`,
    `Threads:\t${threads}`,
    `Seccomp:\t${seccomp}`,
    `CapPrm:\t${maskText(capPermitted)}`,
    `CapEff:\t${maskText(capEffective)}`,
  ];
  const directory = `/proc/${tgid}`;
  // By directories, and `status` last: the tracer keeps what it read last for what else it wants to know of that.
  return [
    ...linksAre(tgid as Pid, links),
    linkIs(tgid as Pid, 'pid', String(pidNamespace ?? '')),
    lifeOf(tgid as Pid, stat.starttime),
    { how: 'whole', path: `${directory}/cgroup`, text: cgroups },
    { how: 'lines', path: `${directory}/status`, text: `\n${lines.join('\n')}\n` },
  ];
}

/** Its namespaces, as `readLinks` has them. */
export function linksAre(pid: Pid, links: readonly string[]): Fact[] {
  return NAMESPACE_KINDS.map(({ link }, index) => linkIs(pid, link, links[index] ?? ''));
}

function linkIs(pid: Pid, link: string, inode: string): Fact {
  return { how: 'end', path: `/proc/${pid}/ns/${link}`, text: inode === '' ? '' : `[${inode}]` };
}

/** The process that started then lives. */
export function lifeOf(pid: Pid, startTime: number): Fact {
  return { how: 'start', path: `/proc/${pid}/stat`, text: String(startTime) };
}

/** As proc_pid_status(5) has sets of capabilities. */
function maskText(mask: bigint): string {
  return mask.toString(16).padStart(16, '0');
}
