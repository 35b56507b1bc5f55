import { containerName, type ContainerName } from '../ids.ts';
import { FsError } from '../errno.ts';

/** What a container runtime left that tells its name for a set of namespaces. */
export interface NamingClues {
  /** Text of /proc/PID/cgroup of the set's first process. */
  readonly cgroup: string;
  /** The same of the process that made it: what it shares with its maker does not name it. */
  readonly makersCgroup: string;
  /** Command lines, word by word, of the first process's parent and of theirs: a runtime that still sets it up is between. */
  readonly ancestors: readonly (readonly string[])[];
}

/** As `docker ps` shows it. */
const SHORT_ID = 12;

interface Rule {
  readonly pattern: RegExp;
  readonly name: (found: string, clues: NamingClues) => string;
}

const same = (found: string) => found;

/** The first that matches a cgroup's path names it. */
const RULES: readonly Rule[] = [
  {
    pattern: /(?:docker|libpod|crio|cri-containerd|nerdctl|buildah)[-/]([0-9a-f]{12,64})/,
    name: (id, { ancestors }) => conmonName(ancestors, id) ?? id.slice(0, SHORT_ID),
  },
  { pattern: /\/lxc\.payload[./]([^/]+)/, name: (found, { ancestors }) => lxcName(ancestors) ?? found },
  { pattern: /\/machine-([^/]+)\.scope/, name: unescape },
  { pattern: /\/systemd-nspawn@([^/]+)\.service/, name: unescape },
  { pattern: /\/(session-[^/]+)\.scope/, name: same },
  { pattern: /\/([^/]+)\.(?:service|scope)(?:\/|$)/, name: unescape },
];

/** The name its maker gave it; `undefined` if nothing tells one that a container may have. */
export function nameFrom(clues: NamingClues): ContainerName | undefined {
  const makers = new Set(clues.makersCgroup.split('\n'));
  const paths = clues.cgroup
    .split('\n')
    .filter((line) => !makers.has(line))
    .map((line) => line.split(':').slice(2).join(':'));
  for (const { pattern, name } of RULES) {
    for (const path of paths) {
      const found = pattern.exec(path)?.[1];
      if (found !== undefined) return nameOrNothing(name(found, clues));
    }
  }
  return undefined;
}

/** How often a name that is taken is tried with another number behind it. */
const SUFFIX_LIMIT = 100_000;

/** `name`, or with the least number from 2 behind it that is free; without a name, `unnamed` and the least from 1. */
export function freeName(name: string | undefined, isTaken: (name: string) => boolean): string | undefined {
  if (name !== undefined && !isTaken(name)) return name;
  const stem = name === undefined ? 'unnamed' : `${name}-`;
  for (let number = name === undefined ? 1 : 2; number < SUFFIX_LIMIT; number++) {
    const tried = `${stem}${number}`;
    if (!isTaken(tried)) return nameOrNothing(tried);
  }
  return undefined;
}

/** podman(1): its conmon has `-c ID -n NAME`. */
function conmonName(ancestors: NamingClues['ancestors'], id: string): string | undefined {
  const monitor = ancestors.find(
    (command) => /(?:^|\/)conmon$/.test(command[0] ?? '') && optionOf(command, '-c') === id,
  );
  return monitor && optionOf(monitor, '-n');
}

function optionOf(command: readonly string[], option: string): string | undefined {
  const at = command.indexOf(option);
  return at < 0 ? undefined : command[at + 1];
}

/** The monitor says `[lxc monitor] /var/lib/lxc NAME`; the cgroup of a second one of a name has `-1` behind it. */
function lxcName(ancestors: NamingClues['ancestors']): string | undefined {
  return /^\[lxc monitor\] \S+ (\S+)$/.exec(ancestors[0]?.join(' ').trim() ?? '')?.[1];
}

/** systemd.unit(5): `\xAB` is a byte. */
function unescape(unit: string): string {
  const bytes = unit.replace(/\\x([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return bytes === unit ? unit : Buffer.from(bytes, 'latin1').toString('utf8');
}

function nameOrNothing(text: string): ContainerName | undefined {
  try {
    return containerName(text);
  } catch (error) {
    if (error instanceof FsError) return undefined;
    throw error;
  }
}
