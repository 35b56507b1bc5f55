import { FsError } from './errno.ts';

/** A process id in the daemon's pid namespace; 0 means "not visible there" (fuse_kernel.h, `fuse_in_header.pid`). */
export type Pid = number & { readonly brand: 'Pid' };

/** A container's number: given once, never reused while the journal lives. 0 is the machine itself. */
export type Serial = number & { readonly brand: 'Serial' };

/** A checked name of a container, see {@link containerName}. */
export type ContainerName = string & { readonly brand: 'ContainerName' };

export const ROOT_SERIAL = 0 as Serial;

/** `NAME_MAX` of every Linux file system (limits.h). */
export const NAME_MAX_BYTES = 255;

/** Largest pid the kernel can give on 64-bit machines (`PID_MAX_LIMIT`, linux/threads.h). */
export const PID_MAX = 2 ** 22;

export function pid(value: number): Pid {
  if (!Number.isInteger(value) || value < 0 || value > PID_MAX) throw new RangeError(`not a pid: ${value}`);
  return value as Pid;
}

export function serial(value: number): Serial {
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`not a serial: ${value}`);
  return value as Serial;
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * A name a container may have: 1 to 255 bytes of UTF-8, no `/`, no control character, no leading dot.
 * Throws ENAMETOOLONG or EINVAL. A name that was not UTF-8 arrives with U+FFFD in it and is refused.
 */
export function containerName(text: string): ContainerName {
  if (Buffer.byteLength(text) > NAME_MAX_BYTES) {
    throw new FsError('ENAMETOOLONG', `a container's name has at most ${NAME_MAX_BYTES} bytes; choose a shorter one`);
  }
  const quoted = JSON.stringify(text);
  if (text === '') throw new FsError('EINVAL', 'a container needs a name');
  if (text.startsWith('.')) {
    throw new FsError('EINVAL', `${quoted} begins with a dot, which belongs to control entries; choose another name`);
  }
  if (CONTROL.test(text) || text.includes('/') || text.includes('\u{FFFD}')) {
    throw new FsError('EINVAL', `${quoted} has a control character, a slash or bytes that are not UTF-8`);
  }
  return text as ContainerName;
}
