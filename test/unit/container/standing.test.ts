import { Volume } from 'memfs';
import { beforeEach, describe, expect, it } from 'vitest';
import { harmOf, standingOf, type Standing } from '../../../src/container/standing.ts';
import type { FileAccess } from '../../../src/files.ts';
import type { Pid } from '../../../src/ids.ts';

/** Pids that hardly any machine gives: programs are read from the real /proc. */
const INIT = 4_194_290 as Pid;
const SHELL = 4_194_291 as Pid;
const LEAF = '/cgroup/own';

const MAPS = '00400000-00401000 r-xp 00000000 00:00 0\n00500000-00501000 ---p 00000000 00:00 0\n';
const PARASITE = '7f0000000000-7f0000005000 r-xs 00000000 00:01 1 /memfd:CRIUMFD (deleted)\n';
const IN_READ = '0 0x0 0x7ffd0000 0x1 0x0 0x0 0x0 0x7ffc0010 0x400105';
/** Criu's code, waiting: recvfrom(2) of 12 bytes with MSG_WAITALL. */
const WAITS = `${process.arch === 'arm64' ? 207 : 45} 0x6 0x7f0000004000 0xc 0x100 0x0 0x0 0x7f0000004010 0x7f0000000123`;
const ALL = 'fffffffffffbfeff';

let volume: Volume;
let files: FileAccess;
let before: Standing;

function put(path: string, text: string): void {
  volume.mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true });
  volume.writeFileSync(path, text);
}

function stands(pid: Pid, tid: number, call: string, blocked = '0000000000000000', state = 't (tracing stop)'): void {
  put(`/proc/${pid}/task/${tid}/status`, `State:\t${state}\nSigBlk:\t${blocked}\n`);
  put(`/proc/${pid}/task/${tid}/syscall`, `${call}\n`);
}

beforeEach(() => {
  volume = new Volume();
  files = volume as unknown as FileAccess;
  put(`${LEAF}/cgroup.procs`, `${INIT}\n${SHELL}\n`);
  put(`/proc/${INIT}/mountinfo`, 'its mounts\n');
  for (const pid of [INIT, SHELL]) {
    put(`/proc/${pid}/maps`, MAPS);
    stands(pid, pid, IN_READ);
  }
  stands(SHELL, SHELL + 1, IN_READ);
  before = standingOf(files, LEAF, INIT);
});

const harm = () => harmOf(files, LEAF, INIT, before);

describe('the death of who holds the processes harms none', () => {
  it('that stands as before', () => {
    expect(harm()).toBeUndefined();
  });

  it('whose interrupted call is to begin anew', () => {
    stands(SHELL, SHELL + 1, IN_READ.replace('0x400105', '0x400103'));
    expect(harm()).toBeUndefined();
  });

  it('in which criu’s code waits for an order', () => {
    put(`/proc/${SHELL}/maps`, MAPS + PARASITE);
    stands(SHELL, SHELL, WAITS, ALL, 'S (sleeping)');
    expect(harm()).toBeUndefined();
  });
});

/** What is otherwise than before, and why the death of criu would harm. */
const HARMED: readonly (readonly [what: string, change: () => void, why: string])[] = [
  [
    'a thread is elsewhere in its program',
    () => {
      stands(SHELL, SHELL + 1, IN_READ.replace('0x400105', '0x400000'));
    },
    `thread ${SHELL + 1} runs CRIU’s code`,
  ],
  [
    'a thread has another stack',
    () => {
      stands(SHELL, SHELL, IN_READ.replace('0x7ffc0010', '0x7f0000004010'));
    },
    `thread ${SHELL} runs CRIU’s code`,
  ],
  [
    'a thread blocks all signals, as criu has it',
    () => {
      stands(SHELL, SHELL, IN_READ, ALL);
    },
    `thread ${SHELL} runs CRIU’s code`,
  ],
  [
    'criu’s code does something',
    () => {
      put(`/proc/${SHELL}/maps`, MAPS + PARASITE);
      stands(SHELL, SHELL, WAITS.replace(/^\d+/, '47'), ALL, 'S (sleeping)');
    },
    `thread ${SHELL} runs CRIU’s code`,
  ],
  [
    'criu’s code was stopped',
    () => {
      put(`/proc/${SHELL}/maps`, MAPS + PARASITE);
      stands(SHELL, SHELL, WAITS, ALL);
    },
    `thread ${SHELL} runs CRIU’s code`,
  ],
  [
    'another thread than the first runs criu’s code',
    () => {
      put(`/proc/${SHELL}/maps`, MAPS + PARASITE);
      stands(SHELL, SHELL + 1, WAITS, ALL, 'S (sleeping)');
    },
    `thread ${SHELL + 1} runs CRIU’s code`,
  ],
  [
    'the process itself waits like that, without criu’s code',
    () => {
      stands(SHELL, SHELL, WAITS, ALL, 'S (sleeping)');
    },
    `thread ${SHELL} runs CRIU’s code`,
  ],
  [
    'memory may be read that could not be',
    () => {
      put(`/proc/${SHELL}/maps`, MAPS.replace('---p', 'r--p'));
    },
    `the memory of process ${SHELL} is changed`,
  ],
  [
    'something is mounted in it',
    () => {
      put(`/proc/${INIT}/mountinfo`, 'its mounts\nand one more\n');
    },
    'its mounts are changed',
  ],
  [
    'a process is there that was not',
    () => {
      put(`${LEAF}/cgroup.procs`, `${INIT}\n${SHELL}\n${SHELL + 9}\n`);
    },
    `process ${SHELL + 9} is new`,
  ],
  [
    'a file is open that was deleted under one of its names',
    () => {
      put(`/disk/file (deleted)`, '');
      volume.mkdirSync(`/proc/${SHELL}/fd`);
      volume.symlinkSync('/disk/file (deleted)', `/proc/${SHELL}/fd/3`);
    },
    `process ${SHELL} has a file open that CRIU may have made a link to`,
  ],
];

describe('the death of who holds the processes harms one where', () => {
  it.for(HARMED)('%s', ([, change, why]) => {
    change();
    expect(harm()).toBe(why);
  });

  it('there are too many threads to look at', () => {
    for (let tid = 1; tid <= 1024; tid++) put(`/proc/${SHELL}/task/${SHELL + tid}/status`, '');
    before = standingOf(files, LEAF, INIT);
    expect(harm()).toBe('there are more than 1024 threads');
  });
});
