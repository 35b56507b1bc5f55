import { FsError } from '../../../src/errno.ts';
import { DEFER, type Opened } from '../../../src/tree/filesystem.ts';
import { FUSE_POLL_SCHEDULE_NOTIFY, MAX_DATA_BYTES } from '../abi.ts';
import { encodeOpened } from '../encode.ts';
import { show } from '../trace-text.ts';
import { operation } from './operation.ts';

/** Rows about an open file: `handle` is what OPEN or CREATE answered. */

export interface HandleArgs {
  readonly handle: number;
}

const showHandle = ({ handle }: HandleArgs): string => `fh=${handle}`;

const OPEN = operation<{ readonly flags: number }, Opened>('OPEN', {
  /** `fuse_open_in`: flags, open_flags. */
  decode(reader) {
    const flags = reader.u32();
    reader.skip(4);
    return { flags };
  },
  serve: (target, request, { flags }) => (target.open ? target.open(request, request.nodeid, flags) : DEFER),
  encode: encodeOpened,
  showArgs: ({ flags }) => `flags=${show.octal(flags)}`,
  showAnswer: showHandle,
});

interface ReadArgs extends HandleArgs {
  readonly offset: number;
  /** At most {@link MAX_DATA_BYTES}: kernels of large pages ask for more, and take less. */
  readonly size: number;
}

const READ = operation<ReadArgs, Uint8Array>('READ', {
  /** `fuse_read_in`: fh, offset, size, read_flags, lock_owner, flags, padding. */
  decode(reader) {
    const handle = reader.u64();
    const offset = reader.u64Clamped();
    const size = Math.min(reader.u32(), MAX_DATA_BYTES);
    reader.skip(20);
    return { handle, offset, size };
  },
  serve: (target, request, { handle, offset, size }) =>
    target.read ? target.read(request, request.nodeid, handle, offset, size) : DEFER,
  encode(writer, data, { size }) {
    if (data.length > size) throw new FsError('EIO', `a READ of ${size} bytes was answered with ${data.length}`);
    writer.bytes(data);
  },
  showArgs: ({ handle, offset, size }) => `fh=${handle} ${offset}+${size}`,
  showAnswer: (data) => `${data.length} bytes`,
});

interface WriteArgs extends HandleArgs {
  readonly offset: number;
  readonly data: Uint8Array;
}

const WRITE = operation<WriteArgs, number>('WRITE', {
  /** `fuse_write_in`: fh, offset, size, write_flags, lock_owner, flags, padding; the data follow. */
  decode(reader) {
    const handle = reader.u64();
    const offset = reader.u64Clamped();
    const size = reader.u32();
    reader.skip(20);
    return { handle, offset, data: reader.bytes(size) };
  },
  serve: (target, request, { handle, offset, data }) =>
    target.write ? target.write(request, request.nodeid, handle, offset, data) : DEFER,
  /** `fuse_write_out`: size, padding. */
  encode(writer, written) {
    writer.u32(written);
    writer.u32(0);
  },
  showArgs: ({ handle, offset, data }) => `fh=${handle} ${offset}+${data.length}`,
  showAnswer: (written) => `${written} bytes`,
});

const FLUSH = operation<HandleArgs, undefined>('FLUSH', {
  /** `fuse_flush_in`: fh, unused, padding, lock_owner. Never ENOSYS: the kernel would flush nothing any more. */
  decode(reader) {
    const handle = reader.u64();
    reader.skip(16);
    return { handle };
  },
  serve: (target, request, { handle }) => (target.flush ? target.flush(request, request.nodeid, handle) : DEFER),
  showArgs: showHandle,
});

const RELEASE = operation<HandleArgs, undefined>('RELEASE', {
  /** `fuse_release_in`: fh, flags, release_flags, lock_owner. */
  decode(reader) {
    const handle = reader.u64();
    reader.skip(16);
    return { handle };
  },
  serve: (target, request, { handle }) => (target.release ? target.release(request, request.nodeid, handle) : DEFER),
  showArgs: showHandle,
});

export interface PollArgs extends HandleArgs {
  readonly events: number;
  readonly wake: number | undefined;
}

const POLL = operation<PollArgs, number>('POLL', {
  /** `fuse_poll_in`: fh, kh, flags, events. `kh` names the file to NOTIFY_POLL. */
  decode(reader) {
    const handle = reader.u64();
    const kernelHandle = reader.u64();
    const notify = (reader.u32() & FUSE_POLL_SCHEDULE_NOTIFY) !== 0;
    return { handle, events: reader.u32(), wake: notify ? kernelHandle : undefined };
  },
  serve: (target, request, { handle, events, wake }) =>
    target.poll ? target.poll(request, request.nodeid, handle, events, wake) : DEFER,
  /** `fuse_poll_out`: revents, padding. */
  encode(writer, ready) {
    writer.u32(ready);
    writer.u32(0);
  },
  showArgs: ({ handle, events, wake }) =>
    show.words(`fh=${handle}`, `events=${show.hex(events)}`, wake !== undefined && `wake=${wake}`),
  showAnswer: show.hex,
});

export const FILE_OPERATIONS = [OPEN, READ, WRITE, FLUSH, RELEASE, POLL];
