import * as fs from 'node:fs';
import { constants, existsSync, readdirSync, statSync } from 'node:fs';
import { open, readFile, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import {
  IMAGES_LIMIT,
  isImageName,
  MANIFEST,
  MANIFEST_LIMIT_BYTES,
  parseManifest,
  type Manifest,
} from '../checkpoint/manifest.ts';
import { FsError, systemErrno } from '../errno.ts';
import { readIfThere } from '../files.ts';
import { checkpointsDir } from '../instance.ts';
import type { Container } from './container.ts';
import { imagePlace, makeImagePlace, removeImages, type ImagePlace } from './images.ts';
import type { Machine } from './machine.ts';

/** A name that rsync gives a file until it is whole: `.NAME.XXXXXX`. */
const TEMPORARY_NAME = /^\.[A-Za-z0-9][A-Za-z0-9._-]{0,140}$/;

const { O_CREAT, O_NOFOLLOW, O_RDWR, O_TRUNC } = constants;

/** A file that is there, or is being written. */
interface Part {
  /** When it was looked at last: whoever writes it need not do so through here. */
  size: number;
  /** Descriptors through which it is being written. */
  writers: number;
}

/** The images of one container as they arrive, in any order, on disk. */
export class Gathering {
  readonly place: ImagePlace;
  readonly #parts = new Map<string, Part>();
  #made: Promise<unknown> | undefined;
  /** The manifest as it was read; read again when it may have changed. */
  #parsed: Manifest | undefined;
  #state: string;

  constructor(machine: Machine, container: Container) {
    this.place = imagePlace(path.join(checkpointsDir(machine.instance, container.serial), 'arriving'));
    this.#state = readIfThere(fs, this.#stateFile) ?? '';
    if (!existsSync(this.place.images)) return;
    // What a former daemon got.
    for (const name of readdirSync(this.place.images)) {
      this.#parts.set(name, { size: statSync(path.join(this.place.images, name)).size, writers: 0 });
    }
  }

  /** What the archive's `.state` says; the next daemon knows it too. */
  get state(): string {
    return this.#state;
  }

  async setState(text: string): Promise<void> {
    await (this.#made ??= makeImagePlace(this.place.dir));
    await told('keep .state', () => writeFile(this.#stateFile, text, { mode: 0o600 }));
    this.#state = text;
  }

  get #stateFile(): string {
    return path.join(this.place.dir, 'state');
  }

  get names(): string[] {
    return [...this.#parts.keys()];
  }

  sizeOf(name: string): number | undefined {
    const part = this.#parts.get(name);
    if (part && part.writers > 0) this.#look(name, part);
    return part?.size;
  }

  /**
   * Opens for reading and writing; made if it is not there, `truncate`: emptied. EINVAL for a name no image has, ENOSPC for
   * too many.
   */
  async open(name: string, truncate: boolean): Promise<FileHandle> {
    if (!isImageName(name) && name !== MANIFEST && !TEMPORARY_NAME.test(name)) {
      throw new FsError('EINVAL', `${JSON.stringify(name)} is no name of an image; only a checkpoint's files go here`);
    }
    if (this.#parts.size > IMAGES_LIMIT) throw new FsError('ENOSPC', `a checkpoint has at most ${IMAGES_LIMIT} files`);
    await (this.#made ??= makeImagePlace(this.place.dir));
    const flags = O_RDWR | O_CREAT | O_NOFOLLOW | (truncate ? O_TRUNC : 0);
    const handle = await told(`open ${name}`, () => open(path.join(this.place.images, name), flags, 0o600));
    const part = this.#parts.get(name) ?? { size: 0, writers: 0 };
    part.writers += 1;
    if (truncate && name === MANIFEST) this.#parsed = undefined;
    this.#parts.set(name, part);
    this.#look(name, part);
    return handle;
  }

  async write(name: string, handle: FileHandle, data: Uint8Array, offset: number): Promise<void> {
    if (name === MANIFEST && offset + data.length > MANIFEST_LIMIT_BYTES) {
      throw new FsError('EFBIG', `${MANIFEST} has at most ${MANIFEST_LIMIT_BYTES} bytes`);
    }
    await told(`write ${name}`, async () => {
      for (let done = 0; done < data.length;) {
        done += (await handle.write(data, done, data.length - done, offset + done)).bytesWritten;
      }
    });
  }

  async truncate(name: string, size: number): Promise<void> {
    const part = this.#parts.get(name);
    if (!part || part.size === size) return;
    const handle = await told(`open ${name}`, () => open(path.join(this.place.images, name), 'r+'));
    try {
      await told(`truncate ${name}`, () => handle.truncate(size));
    } finally {
      await handle.close();
    }
    part.size = size;
    if (name === MANIFEST) this.#parsed = undefined;
  }

  /** Nothing more comes through one descriptor; `again`: that was told before, and more came through a copy of it. */
  closed(name: string, again: boolean): void {
    const part = this.#parts.get(name);
    if (!part) return;
    this.#look(name, part);
    if (!again && part.writers > 0) part.writers -= 1;
  }

  /** Whether what is written to it need not be looked at before it is all there. */
  isPlain(name: string): boolean {
    return !name.includes(MANIFEST);
  }

  #look(name: string, part: Part): void {
    part.size = statSync(path.join(this.place.images, name), { throwIfNoEntry: false })?.size ?? 0;
    if (name === MANIFEST) this.#parsed = undefined;
  }

  async remove(name: string): Promise<void> {
    this.#parts.delete(name);
    await rm(path.join(this.place.images, name), { force: true });
  }

  async rename(from: string, to: string): Promise<void> {
    const part = this.#parts.get(from);
    if (!part) throw new FsError('ENOENT', `there is no ${from}`);
    if (!isImageName(to) && to !== MANIFEST)
      throw new FsError('EINVAL', `${JSON.stringify(to)} is no name of an image`);
    await told(`rename ${from}`, () => rename(path.join(this.place.images, from), path.join(this.place.images, to)));
    this.#parts.delete(from);
    this.#parts.set(to, part);
    if (to === MANIFEST) this.#parsed = undefined;
  }

  /** The manifest, if every file that it names has arrived with its size. Throws EINVAL for one that is none. */
  async complete(): Promise<Manifest | undefined> {
    const manifest = await this.#manifest();
    return manifest && this.#missing(manifest) === undefined ? manifest : undefined;
  }

  /** Why it is not complete, for somebody who wants it to be. */
  async whatLacks(): Promise<string> {
    const manifest = await this.#manifest();
    return manifest ? (this.#missing(manifest) ?? 'nothing lacks') : `${MANIFEST} is missing`;
  }

  async #manifest(): Promise<Manifest | undefined> {
    const part = this.#parts.get(MANIFEST);
    if (!part || part.writers > 0 || part.size === 0) return undefined;
    if (part.size > MANIFEST_LIMIT_BYTES) throw new FsError('EINVAL', `${MANIFEST} is too long`);
    return (this.#parsed ??= parseManifest(await readFile(path.join(this.place.images, MANIFEST), 'utf8')));
  }

  #missing({ images }: Manifest): string | undefined {
    for (const { name, size } of images) {
      const part = this.#parts.get(name);
      if (!part) return `${name} is missing`;
      if (part.writers > 0) return `${name} is being written`;
      if (part.size !== size) return `${name} has ${part.size} bytes of ${size}`;
    }
    return undefined;
  }

  async discard(): Promise<void> {
    await removeImages(this.place.dir);
  }
}

async function told<T>(action: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    const errno = systemErrno(cause) ?? 'EIO';
    throw new FsError(errno, `Cannot ${action}: ${errno}`, { cause });
  }
}
