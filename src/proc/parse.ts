/** Of /proc/PID/stat (proc_pid_stat(5)): the fields that tell what a process is, not what it uses. */
export interface ProcStat {
  readonly pid: number;
  /** As the process set it: may hold spaces, parentheses and newlines. */
  readonly comm: string;
  /** One letter, e.g. `S`; `Z` and `X` are dead. */
  readonly state: string;
  readonly ppid: number;
  /** PF_* bits (linux/sched.h). */
  readonly flags: number;
  readonly threads: number;
  /** Clock ticks since boot. Together with the pid it names the process for ever. */
  readonly starttime: number;
}

/** From state, the third, to starttime. */
const STAT_FIELDS = 20;

/** `undefined` for a text that is not a whole stat line. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  // comm may hold `)`, what follows it never does.
  const close = text.lastIndexOf(')');
  const rest = text
    .slice(close + 1)
    .trim()
    .split(' ', STAT_FIELDS);
  // Field n of the manual page, which counts pid as 1 and comm as 2.
  const field = (n: number) => Number(rest[n - 3]);
  const state = rest[0];
  if (open < 0 || close < open || state === undefined || rest.length < STAT_FIELDS) return undefined;
  return {
    pid: Number(text.slice(0, open)),
    comm: text.slice(open + 1, close),
    state,
    ppid: field(4),
    flags: field(9),
    threads: field(20),
    starttime: field(22),
  };
}

/** Of /proc/PID/status (proc_pid_status(5)). Ids are those of the daemon's namespaces unless said otherwise. */
export interface ProcStatus {
  readonly tgid: number;
  readonly pid: number;
  readonly ppid: number;
  readonly tracerPid: number;
  /** Real, effective, saved, file system. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  /** The process's pid in each pid namespace from the daemon's (first) down to its own (last). */
  readonly nsPids: readonly number[];
  readonly threads: number;
  /** 0 none, 1 strict, 2 filter. */
  readonly seccomp: number;
  /** Bit n is capability n (capabilities(7)), in the user namespace that the process is in. */
  readonly capPermitted: bigint;
  readonly capEffective: bigint;
}

export function parseStatus(text: string): ProcStatus {
  const lines = `\n${text}`;
  let from = 0;
  // Asked for in the order in which the kernel has them, so that it is gone through once. It escapes newlines in `Name`.
  const field = (start: string): string => {
    const ahead = lines.indexOf(start, from);
    const at = ahead < 0 ? lines.indexOf(start) : ahead;
    if (at < 0) return '';
    const end = lines.indexOf('\n', at + 1);
    from = end < 0 ? lines.length : end;
    return lines.slice(at + start.length, from);
  };
  const list = (start: string) => numbersIn(field(start));
  const first = (start: string) => list(start)[0] ?? 0;
  const bits = (start: string) => BigInt(`0x${/[0-9a-f]+/.exec(field(start))?.[0] ?? '0'}`);
  return {
    tgid: first('\nTgid:'),
    pid: first('\nPid:'),
    ppid: first('\nPPid:'),
    tracerPid: first('\nTracerPid:'),
    uids: list('\nUid:'),
    gids: list('\nGid:'),
    groups: list('\nGroups:'),
    nsPids: list('\nNSpid:'),
    threads: first('\nThreads:'),
    capPermitted: bits('\nCapPrm:'),
    capEffective: bits('\nCapEff:'),
    seccomp: first('\nSeccomp:'),
  };
}

const ZERO = '0'.charCodeAt(0);

/** Decimal numbers between anything else. */
function numbersIn(text: string): number[] {
  const numbers: number[] = [];
  let number = -1;
  for (let at = 0; at <= text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit >= 0 && digit <= 9) number = Math.max(number, 0) * 10 + digit;
    else if (number >= 0) {
      numbers.push(number);
      number = -1;
    }
  }
  return numbers;
}

/** The inode number in a link such as `net:[4026531840]` (namespaces(7)), `undefined` for anything else. */
export function parseNamespaceLink(target: string): number | undefined {
  const digits = /^[a-z_]+:\[([0-9]+)\]$/.exec(target)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
