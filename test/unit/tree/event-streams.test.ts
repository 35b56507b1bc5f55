import { describe, expect, test } from 'vitest';
import { AS_ROOT } from '../../support/as-root.ts';
import { Events } from '../../../src/container/events.ts';
import { ROOT_SERIAL } from '../../../src/ids.ts';
import { EventStreams } from '../../../src/tree/event-streams.ts';
import { POLLIN, POLLRDNORM } from '../../../src/tree/filesystem.ts';
import { registryOf } from '../../support/registry-of.ts';
import { scratch } from '../../support/scratch.ts';

const READABLE = POLLIN | POLLRDNORM;

/** Streams of `web/job` and `db`, whose wakes are noted. */
class Streams implements Disposable {
  readonly #dir = scratch();
  readonly events = Events.open(this.#dir.at('events'));
  readonly woken: number[] = [];
  readonly streams = this.daemon();
  readonly at = registryOf('web/job', 'db').at;

  /** Another daemon's streams, of the same events. */
  daemon(): EventStreams {
    return new EventStreams(this.events, (wake) => this.woken.push(wake), 9999);
  }

  emit(path: string, times = 1): void {
    for (let i = 0; i < times; i++) this.events.emit(this.at(path), 'started');
  }

  read(path: string, offset = 0, size = 1 << 20): string {
    return Buffer.from(this.streams.read(2, this.at(path).serial, AS_ROOT, offset, size)).toString();
  }

  lines(path: string, offset = 0): number {
    return this.read(path, offset).split('\n').length - 1;
  }

  poll(path: string, wake?: number): number {
    return this.streams.poll(2, this.at(path).serial, AS_ROOT, wake);
  }

  [Symbol.dispose](): void {
    this.#dir[Symbol.dispose]();
  }
}

describe('EventStreams.read', () => {
  test('keeps so many bytes for all: who has longest not read loses what is unread, and nobody else', () => {
    using it = new Streams();
    const { serial } = it.at('web');
    it.emit('web', 10);
    const bytes = it.streams.size(serial, AS_ROOT);
    const streams = new EventStreams(it.events, () => undefined, 9999, undefined, 2 * bytes);
    const lines = (handle: number) =>
      Buffer.from(streams.read(handle, serial, AS_ROOT, 0, 1 << 20))
        .toString()
        .split('\n');
    for (const handle of [2, 4, 6]) streams.open(handle, serial, AS_ROOT);
    for (const handle of [2, 4, 6]) streams.poll(handle, serial, AS_ROOT, undefined);
    expect([4, 6].map((handle) => lines(handle).length - 1)).toEqual([10, 10]);
    expect(streams.poll(2, serial, AS_ROOT, undefined)).toBe(0);
    streams.release(6);
    it.emit('web');
    expect(lines(2).length - 1).toBe(1);
    expect(lines(4).length - 1).toBe(11);
  });

  test('gives what happened in the subtree, and then ends', () => {
    using it = new Streams();
    it.emit('web/job');
    it.emit('db');
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    const text = it.read('web');
    expect(text).toMatch(/^[\d.]+\tstarted\tjob\n$/);
    expect(it.read('web', text.length)).toBe('');
  });

  test('goes on behind the end when there is more', () => {
    using it = new Streams();
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    it.emit('web');
    const first = it.read('web');
    it.emit('db');
    it.emit('web/job');
    expect(it.read('web', first.length)).toMatch(/^[\d.]+\tstarted\tjob\n$/);
    expect(it.read('web')).toMatch(/^[^\n]*\t\.\n[^\n]*\tjob\n$/);
  });

  test('gives any part of it', () => {
    using it = new Streams();
    it.emit('web', 3);
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    const whole = it.read('web');
    expect(Array.from({ length: whole.length }, (_, offset) => it.read('web', offset, 1)).join('')).toBe(whole);
  });

  test('is as long as a stat said', () => {
    using it = new Streams();
    it.emit('web', 5);
    const { serial } = it.at('web');
    const size = it.streams.size(serial, AS_ROOT);
    it.streams.open(2, serial, AS_ROOT);
    expect(it.read('web')).toHaveLength(size);
    expect(it.streams.size(it.at('db').serial, AS_ROOT)).toBe(0);
  });

  test('a handle of a former daemon goes on where it was', () => {
    using it = new Streams();
    it.emit('web');
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    const before = it.read('web').length;
    it.emit('web');
    const next = it.daemon().read(2, it.at('web').serial, AS_ROOT, before, 4096);
    expect(Buffer.from(next).toString().split('\n')).toHaveLength(2);
  });

  test.each(['polls', 'comes to the end again and again'])(
    'a handle of a former daemon that %s misses nothing',
    (how) => {
      using dir = scratch();
      const { serial } = registryOf('web').at('web');
      let [heard, number] = ['', 0];
      for (let daemon = 0; daemon < 4; daemon++) {
        const events = Events.open(dir.at('events'));
        const streams = new EventStreams(events, () => undefined, 9999);
        if (daemon === 0) streams.open(2, serial, AS_ROOT);
        const follow = () => {
          for (let text = '.'; text !== ''; heard += text) {
            text = Buffer.from(streams.read(2, serial, AS_ROOT, heard.length, 4096)).toString();
          }
          if (how === 'polls') expect(streams.poll(2, serial, AS_ROOT, 1)).toBe(0);
        };
        follow();
        for (let round = 0; round < 30; round++) {
          for (let i = 0; i < 100; i++) events.emit(registryOf('web').at('web'), 'signalled', ++number);
          if (round < 29) follow();
        }
      }
      const numbers = heard.split('\n').flatMap((line) => (line === '' ? [] : Number(line.split('\t')[3])));
      expect(numbers).toEqual(Array.from({ length: number - 100 }, (_, index) => index + 1));
    },
  );

  test('keeps offsets right for a reader who follows for very long', () => {
    using it = new Streams();
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    let [offset, lines] = [0, 0];
    for (let i = 0; i < 100; i++) {
      it.emit('web', 150);
      for (let text = it.read('web', offset, 4096); text !== ''; text = it.read('web', offset, 4096)) {
        offset += text.length;
        lines += text.split('\n').length - 1;
      }
    }
    expect(lines).toBe(15_000);
  });
});

describe('EventStreams.poll', () => {
  test('is readable while there is something to read', () => {
    using it = new Streams();
    it.emit('web');
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    expect(it.poll('web')).toBe(READABLE);
    it.read('web');
    expect(it.poll('web')).toBe(0);
  });

  test('wakes who waits, once, at an event of the subtree only', () => {
    using it = new Streams();
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    expect(it.poll('web', 7)).toBe(0);
    it.emit('db');
    expect(it.woken).toEqual([]);
    it.emit('web/job');
    it.emit('web/job');
    expect([it.woken, it.poll('web')]).toEqual([[7], READABLE]);
  });

  test('wakes at any event who waits for the machine', () => {
    using it = new Streams();
    it.streams.open(2, ROOT_SERIAL, AS_ROOT);
    it.poll('', 7);
    it.emit('db');
    expect(it.woken).toEqual([7]);
  });

  test('wakes nobody whose file is closed', () => {
    using it = new Streams();
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    it.poll('web', 7);
    it.streams.release(2);
    it.emit('web');
    expect(it.woken).toEqual([]);
  });

  test('of very many on one file wakes the oldest, to ask again', () => {
    using it = new Streams();
    it.streams.open(2, it.at('web').serial, AS_ROOT);
    for (let wake = 1; wake <= 65; wake++) it.poll('web', wake);
    expect(it.woken).toEqual([1]);
    it.emit('web');
    expect(it.woken).toHaveLength(65);
  });
});

describe('EventStreams.open', () => {
  const of = (uid: number) => ({ ...AS_ROOT, uid });

  test('EDQUOT beyond a user’s number, until he closes one; root has any number', () => {
    using it = new Streams();
    const streams = new EventStreams(it.events, () => undefined, 2);
    const { serial } = it.at('web');
    const open = (handle: number, uid: number) => {
      streams.open(handle, serial, of(uid));
    };
    for (const handle of [2, 4]) open(handle, 1001);
    expect(() => {
      open(6, 1001);
    }).toThrow(expect.objectContaining({ errno: 'EDQUOT' }));
    open(8, 1002);
    for (const handle of [10, 12, 14]) open(handle, 0);
    streams.release(10);
    streams.release(99); // of another file
    streams.release(2);
    open(16, 1001);
    expect(() => {
      open(18, 1001);
    }).toThrow(expect.objectContaining({ errno: 'EDQUOT' }));
  });

  test('counts those that were opened with a former daemon, too', () => {
    using it = new Streams();
    const streams = new EventStreams(it.events, () => undefined, 1);
    const { serial } = it.at('web');
    streams.read(2, serial, of(1001), 0, 1);
    expect(() => {
      streams.open(4, serial, of(1001));
    }).toThrow(expect.objectContaining({ errno: 'EDQUOT' }));
  });

  test('ENFILE beyond what all together may have', () => {
    using it = new Streams();
    const streams = new EventStreams(it.events, () => undefined, 1);
    const { serial } = it.at('web');
    for (let handle = 1; handle <= 65_536; handle++) streams.open(handle, serial, AS_ROOT);
    expect(() => {
      streams.open(0, serial, AS_ROOT);
    }).toThrow(expect.objectContaining({ errno: 'ENFILE' }));
  });
});
