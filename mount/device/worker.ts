import { writeFileSync, writeSync, renameSync } from 'node:fs';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { containerPath } from '../../src/cgroup/paths.ts';
import type { Change } from '../../src/container/change.ts';
import { chainOf } from '../../src/container/container.ts';
import { hide } from '../../src/container/hiding.ts';
import { Registry } from '../../src/container/registry.ts';
import type { Serial } from '../../src/ids.ts';
import { goFirst } from '../../src/kernel/priority.ts';
import { openRawIo } from '../../src/kernel/raw-io.ts';
import { withCheckpoints } from '../../src/tree/fast-checkpoints.ts';
import { fastTree, type FastTreeOptions } from '../../src/tree/fast-tree.ts';
import { ABSENT, DEFER } from '../../src/tree/filesystem.ts';
import { View } from '../../src/tree/view.ts';
import { REQUEST_BUFFER_BYTES } from './abi.ts';
import { readRequest, Replier } from './channel.ts';
import { Reader, Writer } from './cursor.ts';
import { askerIn, decodeRequest, type Decoded } from './decode.ts';
import { notifyResend } from './encode-notify.ts';
import { freeSlot, InFlight, lostNumbers } from './in-flight.ts';
import { SINCE_6_9, type InitAnswer } from './negotiate.ts';
import { TombstoneFile } from './tombstones.ts';
import type { ToMain, Tombstone, ToWorker, WorkerData } from './worker-protocol.ts';

/**
 * The serving thread: reads every request, answers what the replica of the registry tells at once, and leaves the rest
 * to the main thread. Nothing in here waits but the read itself.
 */
const data = workerData as WorkerData;

const registry = new Registry();
for (const change of data.snapshot) registry.apply(change);
const snapshotChanges = registry.changes;
for (const { serial, bits, atMs } of data.tombstones) {
  const container = registry.get(serial);
  if (container) hide(container, bits, atMs);
}

const tombstones = new TombstoneFile(data.tombstoneFile);
let untold: Tombstone | undefined;
let told: Serial | undefined;

const treeOptions: FastTreeOptions = {
  view: new View(registry),
  places: {
    cgroupOf: (container) =>
      containerPath(
        data.cgroupBase,
        chainOf(container).map(({ serial }) => serial),
      ),
  },
  firstHandle: data.firstHandle,
  onHidden: (serial, bits, atMs) => {
    tombstones.append({ serial, bits, atMs });
    tellHidden({ serial, bits, atMs });
  },
};
const tree = withCheckpoints(fastTree(treeOptions), treeOptions);

const io = openRawIo();
const requestBuffer = io.steadyBuffer(REQUEST_BUFFER_BYTES);
const reader = new Reader(requestBuffer);
const replier = new Replier({ io, fd: data.fd, writer: new Writer(), traceFd: data.traceFd, onBug: reportBug });
const inFlight = new InFlight(data.inFlightFd);
let keepsInFlight = data.negotiated?.flags.includes('HAS_RESEND') === false;
let applied = 0;

goFirst();

try {
  if (data.negotiated?.flags.includes('HAS_RESEND')) writeSync(data.fd, notifyResend());
  if (keepsInFlight) answerUnanswered();
  let length: number | undefined;
  while ((length = readRequest(io, data.fd, requestBuffer)) !== undefined) serve(length);
  post({ kind: 'end' });
} catch (error) {
  post({ kind: 'failed', stack: stackOf(error) });
}

/** What a former daemon read and did not answer, where the kernel cannot send it again. */
function answerUnanswered(): void {
  for (const unique of lostNumbers(inFlight)) replier.refuse({ unique, resent: false }, 'EINTR');
  for (const { slot, bytes } of inFlight.unanswered) {
    requestBuffer.set(bytes);
    serve(bytes.length, slot);
  }
}

/** `kept`: its slot in the former daemon's papers; the kernel does not mark it as sent again. */
function serve(length: number, kept?: number): void {
  applyNews();
  let decoded: Decoded;
  try {
    decoded = decodeRequest(reader, length);
  } catch (error) {
    reportBug('header', error);
    const asker = askerIn(reader, length);
    if (asker) replier.refuse(asker, 'EIO');
    return;
  }
  const again = kept !== undefined;
  const keeps = keepsInFlight && decoded.op.reply;
  const slot = kept ?? (keeps ? inFlight.keep(requestBuffer.subarray(0, length)) : undefined);
  if (answerAtOnce(decoded, again)) {
    if (slot !== undefined) release(slot);
    return;
  }
  tellUntold();
  // A copy: posting a part of a buffer would clone all of it.
  const bytes = new Uint8Array(requestBuffer.subarray(0, length));
  post({ kind: 'request', bytes, slot, resent: again || decoded.request.resent });
}

/** Whether it was answered; else it is the main thread's. */
function answerAtOnce(decoded: Decoded, again: boolean): boolean {
  replier.received(decoded);
  try {
    const request = again ? { ...decoded.request, resent: true } : decoded.request;
    const answer = decoded.op.serve(tree, request, decoded.args);
    if (answer === DEFER) return false;
    if (answer === ABSENT) replier.refuse(request, 'ENOENT');
    else replier.answer(decoded, decoded.op.name === 'INIT' ? keepNegotiated(answer as InitAnswer) : answer);
  } catch (error) {
    replier.fail(decoded, error);
  }
  return true;
}

/**
 * The main thread hears of a container's first unlink at once; of the others, which come in a row, before it gets the next
 * request, the rmdir that ends the row: waking it for each would cost more than the unlinks.
 */
function tellHidden(tombstone: Tombstone): void {
  if (told !== tombstone.serial) {
    tellUntold();
    told = tombstone.serial;
    post({ kind: 'hidden', tombstone, seen: seen() });
  } else untold = { ...tombstone, bits: tombstone.bits | (untold?.bits ?? 0) };
}

function tellUntold(): void {
  if (untold) post({ kind: 'hidden', tombstone: untold, seen: seen() });
  untold = undefined;
  told = undefined;
}

function release(slot: number): void {
  freeSlot(data.inFlightFd, slot);
  inFlight.reuse(slot);
}

/** What the main thread posted before the reply that made the kernel send this request. */
function applyNews(): void {
  const posted = Atomics.load(data.posted, 0);
  if (posted === applied) return;
  applied = posted;
  let message: { message: ToWorker } | undefined;
  while ((message = receiveMessageOnPort(data.port) as typeof message)) {
    const news = message.message;
    if ('answered' in news) inFlight.reuse(news.answered);
    else if ('hidden' in news) hideToo(news.hidden);
    else for (const change of news.changes) apply(change);
  }
}

/** What the main thread hides. Without room to write it down it is hidden all the same, but not after a restart. */
function hideToo(tombstone: Tombstone): void {
  const container = registry.get(tombstone.serial);
  if (!container) return;
  hide(container, tombstone.bits, tombstone.atMs);
  try {
    tombstones.append(tombstone);
  } catch (error) {
    reportBug('tombstone', error);
  }
}

/** What was hidden before is told as such. */
function apply(change: Change): void {
  if (change.serial === told) tellUntold();
  registry.apply(change);
}

/** The main thread's `Registry.changes` when what is known here had happened. */
function seen(): number {
  return data.changes + registry.changes - snapshotChanges;
}

/** A later daemon on this device gets no INIT: what was agreed on is on disk before the kernel hears of it. */
function keepNegotiated(answer: InitAnswer): InitAnswer {
  if (!answer.negotiated) return answer;
  const { flags } = answer.negotiated;
  const agreed = data.withoutResend ? flags.filter((flag) => !SINCE_6_9.includes(flag)) : flags;
  const negotiated = { ...answer.negotiated, flags: agreed };
  writeFileSync(`${data.sessionFile}.new`, JSON.stringify(negotiated), { mode: 0o600 });
  renameSync(`${data.sessionFile}.new`, data.sessionFile);
  keepsInFlight = !agreed.includes('HAS_RESEND');
  post({ kind: 'negotiated', negotiated });
  return { ...answer, negotiated };
}

function post(message: ToMain): void {
  // Handed over, not copied once more.
  data.port.postMessage(message, message.kind === 'request' ? [message.bytes.buffer as ArrayBuffer] : []);
}

function reportBug(where: string, error: unknown): void {
  post({ kind: 'bug', where, stack: stackOf(error) });
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
