import { userInfo } from 'node:os';
import { delegatedCgroup } from '../../cgroup/delegated.ts';
import { readIfThere } from '../../files.ts';
import { subordinateIds } from '../../proc/subordinate-ids.ts';
import { bad, type Check, good } from './check.ts';
import { inPath } from './fusermount.ts';
import { install } from './install.ts';

/** Settings that keep ordinary users from making user namespaces, with the value that does. */
const LOCKS = [
  {
    file: '/proc/sys/kernel/unprivileged_userns_clone',
    locked: '0',
    remedy: 'sysctl kernel.unprivileged_userns_clone=1',
  },
  { file: '/proc/sys/user/max_user_namespaces', locked: '0', remedy: 'sysctl user.max_user_namespaces=15000' },
  {
    file: '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    locked: '1',
    remedy: 'sysctl kernel.apparmor_restrict_unprivileged_userns=0',
  },
];

/** What a container of an ordinary user is made of (user_namespaces(7)). */
export const userNamespaces: Check = {
  name: 'user namespaces',
  required: false,
  probe({ files }) {
    const lock = LOCKS.find(({ file, locked }) => readIfThere(files, file)?.trim() === locked);
    if (!lock) return good('may be made');
    return bad('locked', `containers cannot be started: ${lock.file} is ${lock.locked}`, lock.remedy);
  },
};

const SUBORDINATE = ['/etc/subuid', '/etc/subgid'];

/** Ids besides 0 in such a container (subuid(5), newuidmap(1)). */
export const ownIds: Check = {
  name: 'subordinate ids',
  required: false,
  probe({ files }) {
    const { username: name, uid } = userInfo();
    const ranges = SUBORDINATE.map((file) => subordinateIds(files, file, { name, uid }));
    const lacking = SUBORDINATE.filter((_, index) => ranges[index]?.length === 0);
    const programs = ['newuidmap', 'newgidmap'].filter((program) => inPath(program) === undefined);
    if (lacking.length === 0 && programs.length === 0) {
      return good(ranges.map(([first]) => `${first?.count ?? 0}`).join(' and '));
    }
    const problem =
      lacking.length > 0 ? `${lacking.join(' and ')} give ${name} none` : `there is no ${programs.join(' and ')}`;
    return bad(
      'none',
      `containers have no ids but 0: ${problem}`,
      lacking.length > 0
        ? `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${name}`
        : install(files, 'uidmap'),
    );
  },
};

/** What `nsdir shell` makes: FUSE in a user namespace takes Linux 4.18, and a device that everybody may open. */
export const privateMachine: Check = {
  name: 'private machine',
  required: false,
  async probe(machine, instance) {
    const { status, stderr } = await machine.tryPrivateMachine();
    if (status === 0) return good('nsdir shell');
    const why = stderr.split('\n').at(-1) ?? '';
    const locked = await userNamespaces.probe(machine, instance);
    return bad('none', `there can be no nsdir shell: ${why}`, locked.remedy ?? 'chmod 666 /dev/fuse');
  },
};

/** Without a cgroup, processes are followed by their pid namespace. */
export const ownCgroup: Check = {
  name: 'own cgroup',
  required: false,
  probe({ files }) {
    const own = delegatedCgroup(files);
    if (own !== undefined) return good(`/${own}`);
    return bad(
      'none',
      'this cgroup is not yours: containers cannot be frozen, nor limited',
      'systemd-run --user --scope -p Delegate=yes nsdir mount DIR',
    );
  },
};
