import { ARCHITECTURES } from '../../kernel/architecture.ts';
import { bad, type Check, good } from './check.ts';

/** Whether running processes can be made to enter: it takes knowing the machine's registers. */
export function enteringOn(machine: string): Check {
  return {
    name: 'entering',
    required: false,
    probe() {
      const architecture = ARCHITECTURES[machine];
      if (!architecture) {
        return bad(
          machine,
          'running processes cannot be made to enter a container',
          'start commands inside with nsdir run',
        );
      }
      const { name, tested } = architecture;
      return good(tested ? `${name}, by ptrace` : `${name}, by ptrace: written from its manuals, untested`);
    },
  };
}

export const entering = enteringOn(process.arch);
