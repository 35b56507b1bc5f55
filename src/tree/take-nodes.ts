import { open, type FileHandle } from 'node:fs/promises';
import type { Container } from '../container/container.ts';
import { FsError, systemErrno } from '../errno.ts';
import { imageAttr, imagesDirectoryAttr } from './checkpoint-attr.ts';
import { indexOf, slotId, slotOf } from './checkpoint-id.ts';
import { checkpoint } from './control/checkpoint.ts';
import { O_ACCMODE, type Attr, type Opened, type Request } from './filesystem.ts';
import { serialOf, type NodeId } from './node-id.ts';
import type { Take, TakenFile } from './take.ts';
import type { Takes } from './takes.ts';

/** A file of a directory of images, by its number there. */
export interface NumberedFile {
  readonly number: number;
  readonly name: string;
  readonly attr: Attr;
}

/** The nodes of checkpoints that were taken, or announced: directories of files that are only read. */
export class TakeNodes {
  readonly #takes: Takes;
  readonly #reading = new Map<number, FileHandle>();

  constructor(takes: Takes) {
    this.#takes = takes;
  }

  getattr(id: NodeId): Attr {
    const take = this.#takes.of(id);
    const file = take.files[indexOf(id) - 1];
    if (indexOf(id) === 0) return directoryOf(take);
    if (!file) throw new FsError('ENOENT', 'this image is gone');
    return takenAttr(id, take, file);
  }

  /** Takes the checkpoint if that was not done. Throws what that does. */
  async list({ caller }: Request, id: NodeId): Promise<NumberedFile[]> {
    const take = this.#takes.of(id);
    const files = await this.#takes.files(take, caller.pid);
    return files.map((file) => {
      const number = take.files.indexOf(file) + 1;
      const fileId = slotId(serialOf(id), slotOf(id), number);
      return { number, name: file.name, attr: takenAttr(fileId, take, file) };
    });
  }

  async unlink({ caller }: Request, parent: NodeId, name: string): Promise<void> {
    const take = this.#takes.of(parent);
    const files = await this.#takes.files(take, caller.pid);
    if (!files.some((file) => file.name === name)) throw new FsError('ENOENT', `there is no ${name}`);
    take.gone.add(name);
  }

  /** rmdir(2) of `.checkpoint`, whose files were unlinked. */
  async drop({ caller }: Request, container: Container): Promise<void> {
    if (!checkpoint.present(container)) throw new FsError('ENOENT', `there is no ${checkpoint.name}`);
    const take = await this.#takes.seenBy(caller, container);
    if (take?.ready && (await this.#takes.files(take, caller.pid)).length > 0) {
      throw new FsError('ENOTEMPTY', `${checkpoint.name} has files`);
    }
    if (take) this.#takes.drop(take);
  }

  async open(id: NodeId, flags: number, handle: number): Promise<Opened> {
    if ((flags & O_ACCMODE) !== 0) throw new FsError('EROFS', 'what was saved is not changed');
    const file = await this.#openFile(id);
    this.#reading.set(handle, file);
    return { handle, noFlush: true, immutable: true, backing: file.fd };
  }

  async read(id: NodeId, handle: number, offset: number, size: number): Promise<Uint8Array> {
    let file = this.#reading.get(handle);
    // A handle of a former daemon.
    if (!file) this.#reading.set(handle, (file = await this.#openFile(id)));
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size), 0, size, offset);
    return buffer.subarray(0, bytesRead);
  }

  async release(handle: number): Promise<void> {
    const file = this.#reading.get(handle);
    this.#reading.delete(handle);
    await file?.close();
  }

  async #openFile(id: NodeId): Promise<FileHandle> {
    const file = this.#takes.of(id).files[indexOf(id) - 1];
    if (!file) throw new FsError('EISDIR', 'images are in a directory');
    try {
      return await open(file.path, 'r');
    } catch (cause) {
      throw new FsError(systemErrno(cause) ?? 'EIO', `Cannot open ${file.path}`, { cause });
    }
  }
}

/** What was saved never changes: who reads it need not ask for its size each time. Its name is asked for each time. */
function takenAttr(id: NodeId, take: Take, file: TakenFile): Attr {
  return { ...imageAttr(id, take.at, file.size), cacheable: true };
}

export function directoryOf(take: Take): Attr {
  return imagesDirectoryAttr(slotId(take.container.serial, take.slot, 0), take.at);
}
