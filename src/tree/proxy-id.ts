import { pid as checkedPid, PID_MAX, type Pid, type Serial } from '../ids.ts';
import { entryOf, nodeId, type NodeId } from './node-id.ts';

/** Entry numbers in `.proxy`: of a process, by its pid in the daemon's namespace, and of a link that awaits its rename. */
const FIRST_PROCESS = 2 ** 23;
const FIRST_PENDING = 2 ** 22;

/** As many links can await their rename; their numbers are used again. */
export const PENDING_NUMBERS = 2 ** 20;

/** The entry of a process in the `.proxy` of the container of `serial`. */
export function processId(serial: Serial, pid: Pid): NodeId {
  return nodeId(serial, FIRST_PROCESS + pid);
}

export function pendingId(serial: Serial, number: number): NodeId {
  return nodeId(serial, FIRST_PENDING + (number % PENDING_NUMBERS));
}

/** Whether the id is that of a name in `.proxy`, which the registry alone does not know. */
export function isProxyId(id: NodeId): boolean {
  const entry = entryOf(id);
  return entry >= FIRST_PENDING && entry < FIRST_PROCESS + PID_MAX;
}

/** The process an entry is of; `undefined` for a link that awaits its rename. */
export function pidOf(id: NodeId): Pid | undefined {
  const number = entryOf(id) - FIRST_PROCESS;
  return number > 0 && number <= PID_MAX ? checkedPid(number) : undefined;
}
