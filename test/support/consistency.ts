import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { serialOf, type NodeId } from '../../src/tree/node-id.ts';
import { cgroupsOf } from './containers.ts';
import { eventually, type Mounted } from './mounted.ts';

interface Shown {
  readonly name: string;
  /** Serials from the top, as the cgroup's directory is called. */
  readonly cgroup: string;
  /** What `.state` says; `declared` if there is none. */
  readonly state: string;
  readonly init: number | undefined;
}

/** Waits until tree, cgroups and processes say the same; fails with what they do not agree on. */
export async function consistent(tree: Mounted): Promise<void> {
  let differences = ['not asked yet'];
  try {
    await eventually(async () => (differences = await disagreements(tree)).length === 0, '', 6_000);
  } catch {
    throw new Error(`tree, cgroups and processes disagree:\n${differences.join('\n')}`);
  }
}

async function disagreements(tree: Mounted): Promise<string[]> {
  const shown = await containersOf(tree);
  const known = new Set(shown.map(({ cgroup }) => cgroup));
  return [
    ...cgroupsOf(tree)
      .filter((cgroup) => !known.has(cgroup))
      .map((cgroup) => `cgroup ${cgroup} is of no container`),
    ...shown.flatMap((container) => about(tree, container).map((text) => `${container.name}: ${text}`)),
  ];
}

/** What is wrong with one container. */
function about(tree: Mounted, { cgroup, state, init }: Shown): string[] {
  const directory = path.join(tree.cgroup(), cgroup);
  const processes = existsSync(`${directory}/own`) ? pidsIn(`${directory}/own`) : [];
  const inits = processes.filter((pid) => textOf(`/proc/${pid}/comm`) === 'nsdir-init');
  const frozen = textOf(`${directory}/cgroup.freeze`) === '1';
  if (state !== 'running' && state !== 'frozen') {
    return [
      ...(processes.length > 0 ? [`${state}, with processes ${processes.join(' ')}`] : []),
      ...(frozen ? [`${state}, and its cgroup is frozen`] : []),
      ...(init === undefined ? [] : [`${state}, with an .init`]),
    ];
  }
  return [
    ...(frozen === (state === 'frozen') ? [] : [`${state}, and its cgroup is ${frozen ? '' : 'not '}frozen`]),
    ...(inits.length === 1 && inits[0] === init
      ? []
      : [`${state}, .init is ${init ?? 'none'}, inits are ${inits.join(' ')}`]),
  ];
}

/** Every container of the tree, as `find`, `cat` and `readlink` show it. */
async function containersOf(tree: Mounted): Promise<Shown[]> {
  const script = `find . -mindepth 1 -type d ! -path '*/.*' -printf '%P\\n' | while read -r at; do
    inodes=; part=
    for name in $(echo "$at" | tr / ' '); do part=$part$name/; inodes="$inodes $(stat -c %i "$part")"; done
    echo "$at|$inodes|$(cat "$at/.state" 2>/dev/null)|$(readlink "$at/.init")"
  done`;
  const lines = (await tree.ok(script)).split('\n').filter(Boolean);
  return lines.map((line) => {
    const [name = '', inodes = '', state = '', init = ''] = line.split('|');
    const serials = inodes
      .trim()
      .split(' ')
      .map((inode) => serialOf(Number(inode) as NodeId));
    return {
      name,
      cgroup: serials.join('/'),
      state: state === '' ? 'declared' : state,
      init: init === '' ? undefined : Number(path.basename(init)),
    };
  });
}

function pidsIn(cgroup: string): number[] {
  const own = textOf(`${cgroup}/cgroup.procs`).split('\n').filter(Boolean).map(Number);
  const below = readdirSync(cgroup, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...own, ...below.flatMap(({ name }) => pidsIn(path.join(cgroup, name)))];
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}
