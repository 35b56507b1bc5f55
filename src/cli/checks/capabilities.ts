import { readIfThere } from '../../files.ts';
import { bad, type Check, good } from './check.ts';

/** Bits of CapEff (linux/capability.h) that the daemon cannot do without, and what for. */
const NEEDED = [
  { name: 'CAP_CHOWN', bit: 0 },
  { name: 'CAP_DAC_OVERRIDE', bit: 1 },
  { name: 'CAP_KILL', bit: 5 },
  { name: 'CAP_SYS_PTRACE', bit: 19 },
  { name: 'CAP_SYS_ADMIN', bit: 21 },
] as const;

export const capabilities: Check = {
  name: 'capabilities',
  required: true,
  probe({ files }) {
    const held = effectiveCapabilities(readIfThere(files, '/proc/self/status') ?? '');
    const missing = NEEDED.filter(({ bit }) => ((held >> BigInt(bit)) & 1n) === 0n).map(({ name }) => name);
    if (missing.length === 0) return good(NEEDED.map(({ name }) => name).join(' '));
    const remedy =
      held === 0n
        ? 'run it as root: sudo nsdir …'
        : 'in a container, start that with --privileged; else run it as root: sudo nsdir …';
    return bad(`0x${held.toString(16)}`, `${missing.join(', ')} missing from this process`, remedy);
  },
};

/** The set `CapEff` of /proc/PID/status (proc(5)); empty if there is none. */
function effectiveCapabilities(status: string): bigint {
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return digits === undefined ? 0n : BigInt(`0x${digits}`);
}
