import { readIfThere } from '../../files.ts';
import { bad, type Check, good } from './check.ts';

/** What newer kernels do better; nsdir works without. */
const FEATURES = [
  { name: 'clone3 into a cgroup', since: [5, 7], without: 'a container starts beside its cgroup and is moved into it' },
  {
    name: 'setns by pidfd',
    since: [5, 8],
    without: 'no running process can enter a container, nor can one be started inside another',
  },
  { name: 'cgroup.kill', since: [5, 14], without: 'killing freezes, kills one by one and thaws' },
  {
    name: 'FUSE resend',
    since: [6, 9],
    without: 'the daemon keeps unanswered requests in a file, for the next one to answer',
  },
] as const;

export const KERNEL_FEATURES: readonly Check[] = FEATURES.map(({ name, since, without }) => ({
  name,
  required: false,
  probe({ files }) {
    const release = (readIfThere(files, '/proc/sys/kernel/osrelease') ?? 'unknown').trim();
    const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
    const found = `Linux ${release}`;
    if (major > since[0] || (major === since[0] && minor >= since[1])) return good(found);
    return bad(found, `needs Linux ${since.join('.')}: ${without}`, 'a newer kernel, if it matters');
  },
}));
