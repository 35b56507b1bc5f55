import type { FileHandle } from 'node:fs/promises';
import { FsError } from '../errno.ts';
import type { Opened } from './filesystem.ts';
import type { Haunting } from './haunting.ts';

export interface Opening {
  /** Its handle. */
  readonly handle: number;
  readonly truncate?: boolean;
}

interface Writing {
  readonly haunting: Haunting;
  readonly number: number;
  readonly file: FileHandle;
  isFlushed: boolean;
}

/** Images that are open for writing while they arrive, by handle. */
export class ArrivingFiles {
  readonly #writing = new Map<number, Writing>();

  /** Opens an image, made if it is not there, `truncate`: emptied. Throws EBUSY once the container was restored. */
  async open(haunting: Haunting, name: string, { handle, truncate = false }: Opening): Promise<Opened> {
    const { gathering } = haunting;
    if (!gathering || haunting.restored) throw new FsError('EBUSY', 'the container was restored; remove it first');
    const number = haunting.fileNumber(name);
    const file = await gathering.open(name, truncate);
    this.#writing.set(handle, { haunting, number, file, isFlushed: false });
    return { handle, noFlush: false, ...(gathering.isPlain(name) && { backing: file.fd }) };
  }

  async write(handle: number, data: Uint8Array, offset: number): Promise<void> {
    const { haunting, number, file } = this.#get(handle);
    const name = haunting.fileNames.get(number);
    if (name !== undefined) await haunting.gathering?.write(name, file, data, offset);
  }

  /** close(2) of it, or of a copy of its descriptor: it is whole. What it belongs to. */
  flush(handle: number): Haunting {
    const writing = this.#get(handle);
    finish(writing);
    return writing.haunting;
  }

  async release(handle: number): Promise<void> {
    const writing = this.#writing.get(handle);
    if (!writing) return;
    this.#writing.delete(handle);
    if (!writing.isFlushed) finish(writing);
    await writing.file.close();
  }

  #get(handle: number): Writing {
    const writing = this.#writing.get(handle);
    if (!writing) throw new FsError('EIO', 'the daemon that opened this image has died; begin anew');
    return writing;
  }
}

function finish(writing: Writing): void {
  const name = writing.haunting.fileNames.get(writing.number);
  if (name !== undefined) writing.haunting.gathering?.closed(name, writing.isFlushed);
  writing.isFlushed = true;
}
