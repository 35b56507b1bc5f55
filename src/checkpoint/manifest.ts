import { FsError } from '../errno.ts';
import { isNamespaceKind, type NamespaceKind } from '../namespaces.ts';

/** Of what is written here. */
const FORMAT = 2;

/** What had one hash for each image, of all of it. It is read as if pieces were as long as that. */
const FORMAT_OF_WHOLES = 1;
const WHOLE_BYTES = Number.MAX_SAFE_INTEGER;

/** Pieces are not shorter: there would be many hashes. */
const LEAST_PIECE_BYTES = 1 << 20;

export const MANIFEST = 'manifest.json';

/** Bytes of a manifest; a longer one is refused. */
export const MANIFEST_LIMIT_BYTES = 4 << 20;

/** Images of one container. */
export const IMAGES_LIMIT = 16_384;

/** Names criu gives to images; nothing else leads anywhere, or is hidden. */
const IMAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$/;

export interface Image {
  readonly name: string;
  readonly size: number;
  /** Of each piece, the last of which may be shorter; of an empty image one. */
  readonly sha256: readonly string[];
}

/** What a checkpoint of one container is, beside CRIU's images. */
export interface Manifest {
  readonly format: typeof FORMAT;
  readonly name: string;
  readonly serial: number;
  readonly made: string;
  readonly criu: string;
  readonly kernel: string;
  readonly arch: string;
  readonly kinds: readonly NamespaceKind[];
  /** It was inside a container that ran: it is restored inside one. */
  readonly nested: boolean;
  /** Hash of its init's program. */
  readonly program: string;
  /** Where the tree is mounted in it; empty if it is not. */
  readonly mountPoint: string;
  /** What its detached commands write to, as it sees it. */
  readonly output: string;
  /** Mount points inside of file systems of the machine. */
  readonly mounts: readonly string[];
  /** Of a container that was started from an OCI bundle, which has no program of ours. */
  readonly bundle?: SavedBundle;
  /** Pairs of interfaces by which it was connected with the machine. */
  readonly veths?: readonly SavedVeth[];
  /** Bytes of a piece of an image. */
  readonly pieceBytes: number;
  readonly images: readonly Image[];
}

/** A pair of interfaces: what it is called in the container and on the machine, and what the machine's end has. */
export interface SavedVeth {
  readonly inside: string;
  readonly outside: string;
  readonly bridge?: string;
  readonly mtu: number;
  readonly address: string;
  readonly up: boolean;
  readonly addresses: readonly string[];
}

export interface SavedBundle {
  /** The bundle, and the root directory, as the machine has them. */
  readonly path: string;
  readonly root: string;
  /** What is mounted at each of `mounts`, as the machine has it. */
  readonly sources: readonly string[];
  /** What its output goes to, as criu calls it. */
  readonly files: readonly string[];
}

export function isImageName(name: string): boolean {
  return IMAGE_NAME.test(name) && name !== MANIFEST;
}

export function encodeManifest(manifest: Omit<Manifest, 'format'>): string {
  return `${JSON.stringify({ format: FORMAT, ...manifest }, undefined, 1)}\n`;
}

/** Throws EINVAL, with what is wrong, for a text that is no manifest of this version. */
export function parseManifest(text: string): Manifest {
  if (Buffer.byteLength(text) > MANIFEST_LIMIT_BYTES) throw wrong(`it is longer than ${MANIFEST_LIMIT_BYTES} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong('it is no JSON', cause);
  }
  if (!isRecord(value)) throw wrong('it is no object');
  const manifest = ofThisFormat(value);
  for (const key of ['name', 'made', 'criu', 'kernel', 'arch', 'program', 'mountPoint', 'output'] as const) {
    if (typeof manifest[key] !== 'string' || /[\0\n]/.test(manifest[key])) throw wrong(`"${key}" is no line of text`);
  }
  if (manifest.bundle === undefined && !/^[0-9a-f]{16}$/.test(manifest.program)) throw wrong('"program" is no hash');
  if (typeof manifest.nested !== 'boolean' || !Number.isSafeInteger(manifest.serial))
    throw wrong('"nested" or "serial"');
  checkList(manifest.kinds, 'kinds', (kind) => typeof kind === 'string' && isNamespaceKind(kind));
  checkList(manifest.mounts, 'mounts', isPath);
  const { pieceBytes } = manifest;
  if (!isSize(pieceBytes) || pieceBytes < LEAST_PIECE_BYTES) throw wrong('"pieceBytes"');
  checkList(manifest.images, 'images', (image) => isImage(image, pieceBytes));
  if (manifest.veths !== undefined) checkList(manifest.veths, 'veths', isVeth);
  if (manifest.bundle !== undefined) checkBundle(manifest.bundle, manifest.mounts.length);
  if (new Set(manifest.images.map(({ name }) => name)).size !== manifest.images.length)
    throw wrong('an image is twice');
  return manifest;
}

function checkBundle(bundle: SavedBundle, mounts: number): void {
  if (!isRecord(bundle) || !isPath(bundle.path) || !isPath(bundle.root)) throw wrong('"bundle"');
  checkList(bundle.sources, 'bundle.sources', isPath);
  checkList(bundle.files, 'bundle.files', (file) => typeof file === 'string' && EXTERNAL_FILE.test(file));
  if (bundle.sources.length !== mounts) throw wrong('"bundle.sources" are not as many as "mounts"');
}

/** A file that was opened outside, as criu(8) calls it: numbers of its mount and of its inode. */
const EXTERNAL_FILE = /^file\[[0-9a-f]{1,8}:[0-9a-f]{1,16}\]$/;

/** Names of interfaces as the kernel takes them, without what means something to ip(8) or criu. */
const INTERFACE = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/;

function isVeth(veth: unknown): boolean {
  if (!isRecord(veth)) return false;
  const { inside, outside, bridge = 'none', mtu, address, up, addresses } = veth;
  const names = [inside, outside, bridge].every((name) => typeof name === 'string' && INTERFACE.test(name));
  const isAddress = (text: unknown) => typeof text === 'string' && /^[0-9a-f.:]{2,45}\/[0-9]{1,3}$/.test(text);
  const isMac = typeof address === 'string' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(address);
  return (
    names && isSize(mtu) && isMac && typeof up === 'boolean' && Array.isArray(addresses) && addresses.every(isAddress)
  );
}

function isImage(image: unknown, pieceBytes: number): boolean {
  if (!isRecord(image)) return false;
  const { name, size, sha256 } = image;
  if (typeof name !== 'string' || !isImageName(name) || !isSize(size) || !Array.isArray(sha256)) return false;
  const pieces = Math.max(1, Math.ceil((size as number) / pieceBytes));
  return sha256.length === pieces && sha256.every((hash) => typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash));
}

/** What is read, as if it had been written here. All else of it is still to be checked. */
function ofThisFormat(value: Record<string, unknown>): Manifest {
  const { format, images } = value;
  if (format === FORMAT) return value as unknown as Manifest;
  if (format !== FORMAT_OF_WHOLES) {
    throw wrong(`its format is ${String(format)}, and not one of those up to ${FORMAT}`);
  }
  const pieces = (image: unknown) => (isRecord(image) ? { ...image, sha256: [image['sha256']] } : image);
  const read = { ...value, format: FORMAT, pieceBytes: WHOLE_BYTES };
  return { ...read, images: Array.isArray(images) ? images.map(pieces) : images } as unknown as Manifest;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isPath(value: unknown): boolean {
  if (typeof value !== 'string' || !value.startsWith('/') || /[\0\n]/.test(value)) return false;
  return !value.split('/').includes('..');
}

function isSize(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function checkList(list: unknown, what: string, isGood: (value: unknown) => boolean): void {
  if (Array.isArray(list) && list.length <= IMAGES_LIMIT && list.every(isGood)) return;
  throw wrong(`"${what}" is not what it should be`);
}

function wrong(why: string, cause?: unknown): FsError {
  return new FsError('EINVAL', `${MANIFEST} is not a manifest of this version: ${why}`, { cause });
}
