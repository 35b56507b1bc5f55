import { ARCHITECTURES } from '../../kernel/architecture.ts';
import { readIfThere } from '../../files.ts';
import { bad, type Check, good } from './check.ts';

/** Of 3, ptrace is nobody's, not even root's, until the machine boots (Documentation/admin-guide/LSM/Yama.rst). */
const YAMA = '/proc/sys/kernel/yama/ptrace_scope';
const NOBODY = '3';

/** Whether running processes can be made to enter: it takes knowing the machine's registers. */
export function enteringOn(machine: string): Check {
  return {
    name: 'entering',
    required: false,
    probe({ files }) {
      const architecture = ARCHITECTURES[machine];
      if (!architecture) {
        return bad(
          machine,
          'running processes cannot be made to enter a container',
          'start commands inside with nsdir run',
        );
      }
      if (readIfThere(files, YAMA)?.trim() === NOBODY) {
        return bad(
          machine,
          `running processes cannot be made to enter a container: ${YAMA} is ${NOBODY}`,
          'set kernel.yama.ptrace_scope lower in /etc/sysctl.d and reboot: until then it cannot be lowered',
        );
      }
      const { name, tested } = architecture;
      return good(tested ? `${name}, by ptrace` : `${name}, by ptrace: written from its manuals, untested`);
    },
  };
}

export const entering = enteringOn(process.arch);
