import { writeFileSync, writeSync, renameSync } from 'node:fs';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { containerPath } from '../../src/cgroup/paths.ts';
import { chainOf } from '../../src/container/container.ts';
import { hide, Registry } from '../../src/container/registry.ts';
import { fastTree } from '../../src/tree/fast-tree.ts';
import { DEFER } from '../../src/tree/filesystem.ts';
import { View } from '../../src/tree/view.ts';
import { REQUEST_BUFFER_BYTES } from './abi.ts';
import { readRequest, Replier } from './channel.ts';
import { Reader, Writer } from './cursor.ts';
import { decodeRequest, type Decoded } from './decode.ts';
import { notifyResend } from './encode-notify.ts';
import type { InitAnswer } from './negotiate.ts';
import { appendTombstone } from './tombstones.ts';
import type { ToMain, ToWorker, WorkerData } from './worker-protocol.ts';

/**
 * The serving thread: reads every request, answers what the replica of the registry tells at once, and leaves the rest
 * to the main thread. Nothing in here waits but the read itself.
 */
const data = workerData as WorkerData;
const registry = new Registry();
for (const change of data.snapshot) registry.apply(change);
for (const { serial, bits, atMs } of data.tombstones) {
  const container = registry.get(serial);
  if (container) hide(container, bits, atMs);
}

const tree = fastTree({
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
    appendTombstone(data.tombstoneFile, { serial, bits, atMs });
    post({ kind: 'hidden', tombstone: { serial, bits, atMs } });
  },
});

const requestBuffer = Buffer.alloc(REQUEST_BUFFER_BYTES);
const reader = new Reader(requestBuffer);
const replier = new Replier({ fd: data.fd, writer: new Writer(), traceFd: data.traceFd, onBug: reportBug });
let applied = 0;

try {
  if (data.negotiated?.flags.includes('HAS_RESEND')) writeSync(data.fd, notifyResend());
  let length: number | undefined;
  while ((length = readRequest(data.fd, requestBuffer)) !== undefined) serve(length);
  post({ kind: 'end', reason: 'unmounted' });
} catch (error) {
  post({ kind: 'end', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

function serve(length: number): void {
  applyNews();
  let decoded: Decoded;
  try {
    decoded = decodeRequest(reader, length);
  } catch (error) {
    reportBug('header', error);
    return;
  }
  replier.received(decoded);
  try {
    const answer = decoded.op.serve(tree, decoded.request, decoded.args);
    if (answer === DEFER) post({ kind: 'request', bytes: requestBuffer.subarray(0, length) });
    else {
      if (decoded.op.name === 'INIT') keepNegotiated(answer as InitAnswer);
      replier.answer(decoded, answer);
    }
  } catch (error) {
    replier.fail(decoded, error);
  }
}

/** What the main thread posted before the reply that made the kernel send this request. */
function applyNews(): void {
  const posted = Atomics.load(data.posted, 0);
  if (posted === applied) return;
  applied = posted;
  let message: { message: ToWorker } | undefined;
  while ((message = receiveMessageOnPort(data.port) as typeof message)) {
    for (const change of message.message) registry.apply(change);
  }
}

/** A later daemon on this device gets no INIT: what was agreed on is on disk before the kernel hears of it. */
function keepNegotiated({ negotiated }: InitAnswer): void {
  if (!negotiated) return;
  writeFileSync(`${data.sessionFile}.new`, JSON.stringify(negotiated), { mode: 0o600 });
  renameSync(`${data.sessionFile}.new`, data.sessionFile);
  post({ kind: 'negotiated', negotiated });
}

function post(message: ToMain): void {
  data.port.postMessage(message);
}

function reportBug(where: string, error: unknown): void {
  post({ kind: 'bug', where, stack: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}
