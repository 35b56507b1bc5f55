import { bytesField, fieldsOf, imageOf, messagesOf, type Field } from './protobuf.ts';
import { rewound, type TimerFields } from './timers.ts';

/** The image with all files that processes have open or mapped (criu's images/fdinfo.proto and regfile.proto). */
export const FILES_IMAGE = 'files.img';

/** The image of files that criu keeps itself, because they were deleted or replaced (images/remap-file-path.proto). */
export const REMAP_IMAGE = 'remap-fpath.img';

/** Number of `reg` in `file_entry`, and of what it has in `reg_file_entry`. */
const REG = 3;
const ID = 1;
const NAME = 6;
const MNT_ID = 7;
const SIZE = 8;
const MODE = 10;

/** Number of `tfd` in `file_entry`, and of times in `timerfd_entry` (images/timerfd.proto). */
const TIMERFD = 12;
const TIMERFD_FIELDS: TimerFields = { value: [7, 8], interval: [9, 10] };

/** A regular file, or a directory, as it was when it was saved. */
export interface SavedFile {
  readonly id: number;
  readonly path: string;
  /** Number of the mount it is on; -1 if criu does not say. */
  readonly mountId: number;
  /** Bytes; `undefined` where criu does not compare them. */
  readonly size: number | undefined;
}

export interface Rewriting {
  /** Another path for the file that has this one. */
  readonly rename: (path: string) => string;
  /** Whether criu is not to compare the size of this one. */
  readonly ignoreSize: (file: SavedFile) => boolean;
  /** Whether criu is not to compare its permissions. */
  readonly ignoreMode: (file: SavedFile) => boolean;
}

/** Files of the image with the mounts they are on. EIO for an image that is none. */
export function filesIn(image: Buffer): SavedFile[] {
  return messagesOf(image).messages.flatMap((message) =>
    fieldsOf(message)
      .filter(({ number }) => number === REG)
      .map(({ bytes }) => savedFile(fieldsOf(bytes))),
  );
}

function savedFile(fields: readonly Field[]): SavedFile {
  const id = fields.find(({ number }) => number === ID)?.value ?? 0;
  const size = fields.find(({ number }) => number === SIZE)?.value;
  return { id, path: nameOf(fields), mountId: mountOf(fields), size };
}

/** Ids of files that need not be there, because criu has them itself. */
export function remappedIn(image: Buffer): Set<number> {
  const ids = messagesOf(image).messages.map((message) => fieldsOf(message).find(({ number }) => number === ID)?.value);
  return new Set(ids.filter((id) => id !== undefined));
}

/** The same image, but for what `rewriting` wants changed. */
export function rewriteFiles(image: Buffer, rewriting: Rewriting): Buffer {
  const { magic, messages } = messagesOf(image);
  const rewritten = messages.map((message) =>
    Buffer.concat(
      fieldsOf(message).map((field) => {
        if (field.number === REG) return rewriteFile(field, rewriting);
        return field.number === TIMERFD ? bytesField(TIMERFD, rewound(field.bytes, TIMERFD_FIELDS)) : field.raw;
      }),
    ),
  );
  return imageOf(magic, rewritten);
}

function rewriteFile({ bytes }: Field, { rename, ignoreSize, ignoreMode }: Rewriting): Buffer {
  const fields = fieldsOf(bytes);
  const file = savedFile(fields);
  const dropped = [...(ignoreSize(file) ? [SIZE] : []), ...(ignoreMode(file) ? [MODE] : [])];
  const name = bytesField(NAME, Buffer.from(rename(file.path)));
  const kept = fields.filter(({ number }) => !dropped.includes(number));
  return bytesField(REG, Buffer.concat(kept.map(({ number, raw }) => (number === NAME ? name : raw))));
}

function nameOf(fields: readonly Field[]): string {
  return fields.find(({ number }) => number === NAME)?.bytes.toString('utf8') ?? '';
}

/** sint32 is zigzag-encoded. */
function mountOf(fields: readonly Field[]): number {
  const value = fields.find(({ number }) => number === MNT_ID)?.value;
  if (value === undefined) return -1;
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Number of fields of `mnt_entry` (images/mnt.proto). */
const MOUNT = { id: 2, mountPoint: 7, external: 18 } as const;

/** Of an image `mountpoints-N.img`: the mounts whose files are the machine's, that is the root and external ones. */
export function machineMountsIn(image: Buffer): { readonly id: number; readonly key: string | undefined }[] {
  return messagesOf(image).messages.flatMap((message) => {
    const fields = fieldsOf(message);
    const key = fields.find(({ number }) => number === MOUNT.external)?.bytes.toString('utf8');
    const mountPoint = fields.find(({ number }) => number === MOUNT.mountPoint)?.bytes.toString('utf8');
    const id = fields.find(({ number }) => number === MOUNT.id)?.value ?? -1;
    return key !== undefined || mountPoint === '/' || mountPoint === './' ? [{ id, key }] : [];
  });
}
