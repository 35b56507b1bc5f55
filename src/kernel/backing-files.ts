import { errnoName, FsError } from '../errno.ts';
import { loadKoffi } from './load-koffi.ts';

/** linux/fuse.h: `_IOW(229, 1, struct fuse_backing_map)` and `_IOW(229, 2, uint32_t)`. */
const FUSE_DEV_IOC_BACKING_OPEN = 0x4010_e501;
const FUSE_DEV_IOC_BACKING_CLOSE = 0x4004_e502;

/** Files that a FUSE device can read and write itself (Linux 6.9), each by a number. */
export interface BackingFiles {
  /** A number for what `fd` is open at; the device holds that until `close`. Throws FsError, EPERM if it was not agreed on. */
  open(fd: number): number;
  /** Files that were opened by the number keep what they have. */
  close(id: number): void;
}

/** Those of the device `device`. Its methods throw ENOSYS where koffi cannot be loaded. */
export function backingFiles(device: number): BackingFiles {
  let ioctl: Ioctl | undefined;
  const call = (request: number, argument: Uint32Array, action: string): number => {
    const result = (ioctl ??= loadIoctl())(device, request, argument);
    if (result >= 0) return result;
    throw new FsError(errnoName(-result), `Cannot ${action}: ${errnoName(-result)}`);
  };
  return {
    // `fuse_backing_map`: fd, flags, padding.
    open: (fd) => call(FUSE_DEV_IOC_BACKING_OPEN, Uint32Array.of(fd, 0, 0, 0), 'hand a file to the device'),
    close: (id) => {
      call(FUSE_DEV_IOC_BACKING_CLOSE, Uint32Array.of(id), 'take a file back from the device');
    },
  };
}

/** The result, or the negative errno. */
type Ioctl = (fd: number, request: number, argument: Uint32Array) => number;

function loadIoctl(): Ioctl {
  const koffi = loadKoffi();
  const ioctl = koffi.load(null).func('int ioctl(int fd, unsigned long request, void *argument)');
  return (fd, request, argument) => {
    const result = ioctl(fd, request, argument) as number;
    return result >= 0 ? result : -koffi.errno();
  };
}
