import { bad, type Check, good } from './check.ts';

const FUSE_DEVICE = '/dev/fuse';

/** Why opening it may fail, and what to do then. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: `modprobe fuse; in a container, start that with --device ${FUSE_DEVICE}`,
  ENODEV: 'modprobe fuse',
  ENXIO: 'modprobe fuse',
  EACCES: 'run it as root: sudo nsdir …',
  EPERM: `the container's device rules forbid it: start the container with --device ${FUSE_DEVICE}`,
};

export const fuseDevice: Check = {
  name: FUSE_DEVICE,
  required: true,
  async probe({ openDevice }) {
    const errno = await openDevice(FUSE_DEVICE);
    if (errno === undefined) return good('opens for reading and writing');
    return bad(errno, `Cannot open ${FUSE_DEVICE}: ${errno}`, REMEDIES[errno] ?? 'modprobe fuse');
  },
};
