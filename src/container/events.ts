import { FsError } from '../errno.ts';
import { Journal } from '../journal/journal.ts';
import type { Serial } from '../ids.ts';
import { now, type Timespec } from '../time.ts';
import { chainOf, type Container } from './container.ts';
import { ReadMarks } from './read-marks.ts';

/** What `.events` can say (docs/semantics.md). */
export type EventName =
  | 'created'
  | 'started'
  | 'restored'
  | 'entered'
  | 'renamed'
  | 'frozen'
  | 'thawed'
  | 'signalled'
  | 'exited'
  | 'killed'
  | 'removed';

/** Events kept, of all containers together; older ones are forgotten. */
export const EVENTS_LIMIT = 4096;

/** Names kept with them, for an event has one for each level: what is nested deep is told of less long. */
const NAMES_LIMIT = 1 << 17;

/** As many as one commit can cause. */
const NEWEST = 2;

/** The file is rewritten with what is kept when it has grown by this many events or names since. */
const REWRITE_EVERY = EVENTS_LIMIT;
const REWRITE_EVERY_NAMES = NAMES_LIMIT;

interface EventRecord extends Whereabouts {
  readonly sequence: number;
  readonly at: Timespec;
  readonly event: EventName;
  readonly detail?: EventDetail;
}

/** Where a container was: serials and names from the root's child to itself. */
export interface Whereabouts {
  readonly serials: readonly Serial[];
  readonly names: readonly string[];
  /** Directories on the way to it that not everybody might list: the number of names that lead there, and its owner. */
  readonly closed?: readonly Closed[];
}

interface Closed {
  readonly level: number;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** Who reads: of what is in a directory that he might not list, he is not told. */
export interface Reader {
  readonly uid: number;
  readonly gid: number;
}

/** An exit status, a signal's number, or where a renamed container was. */
export type EventDetail = number | Whereabouts;

export function whereabouts(container: Container): Whereabouts {
  const chain = chainOf(container);
  const directories = chain.flatMap(({ parent }) => parent ?? []);
  const closed = directories.flatMap(({ uid, gid, mode }, level) =>
    isOpen(mode) ? [] : [{ level, uid, gid, mode: mode & 0o777 }],
  );
  return {
    serials: chain.map(({ serial }) => serial),
    names: chain.map(({ name }) => name),
    ...(closed.length > 0 && { closed }),
  };
}

/** Whether the last of these permission bits let directories be listed and searched. */
function isOpen(mode: number): boolean {
  return (mode & 0o5) === 0o5;
}

/** Whether the reader, in the directory to which `depth` names lead, might see the names below by listing. */
function isShown({ closed = [] }: Whereabouts, depth: number, { uid, gid }: Reader): boolean {
  return closed.every(
    (at) => at.level < depth || uid === 0 || uid === at.uid || isOpen(gid === at.gid ? at.mode >> 3 : at.mode),
  );
}

/**
 * What happened to the containers, newest last, with a file behind it so that readers go on after a restart. A line is
 * `SECONDS.MILLISECONDS ⇥ EVENT ⇥ PATH [⇥ DETAIL]`, the path relative to the directory whose `.events` is read, `.` for
 * itself. Names have no control characters, so a tab separates safely.
 */
export class Events {
  readonly #journal: Journal<EventRecord>;
  readonly #listeners: ((serials: readonly Serial[]) => void)[] = [];
  #records: EventRecord[];
  #sequence: number;
  /** Number of the newest event that a former daemon told of. */
  readonly inherited: number;
  /** Names in `#records`. */
  #names: number;
  #written = 0;
  #writtenNames = 0;

  /** How far readers have come. */
  readonly marks: ReadMarks;

  constructor(journal: Journal<EventRecord>, history: readonly EventRecord[], marks: ReadMarks) {
    this.#journal = journal;
    this.marks = marks;
    this.#records = newest(history);
    this.#names = namesIn(this.#records);
    this.#sequence = this.#records.at(-1)?.sequence ?? 0;
    this.inherited = this.#sequence;
    this.#rewrite();
  }

  static open(path: string): Events {
    const { journal, entries } = Journal.open<EventRecord>(path);
    return new Events(journal, entries, new ReadMarks(`${path}-read`));
  }

  /** Number of the newest event; 0 if there was none. */
  get sequence(): number {
    return this.#sequence;
  }

  emit(container: Container, event: EventName, detail?: EventDetail): void {
    const record: EventRecord = {
      sequence: ++this.#sequence,
      at: now(),
      ...whereabouts(container),
      event,
      ...(detail === undefined ? {} : { detail }),
    };
    this.#records.push(record);
    this.#names += record.names.length;
    if (this.#records.length > 2 * EVENTS_LIMIT || this.#names > 2 * NAMES_LIMIT) {
      this.#records = newest(this.#records);
      this.#names = namesIn(this.#records);
    }
    this.#persist(record);
    for (const listener of this.#listeners) listener(record.serials);
  }

  /** Lines for a reader about the container of `serial` (0: all) and what is below it, of events after `sequence`. */
  textSince(serial: Serial, sequence: number, reader: Reader): string {
    let text = '';
    for (const record of this.#after(sequence)) {
      const depth = serial === 0 ? 0 : record.serials.indexOf(serial) + 1;
      if ((serial === 0 || depth > 0) && isShown(record, depth, reader)) text += format(record, serial, depth, reader);
    }
    return text;
  }

  /** Whether this event of the container of `serial` is among the newest, and not older than `at`. */
  hasTold(serial: Serial, event: EventName, at: Timespec): boolean {
    return this.#records
      .slice(-NEWEST)
      .some(
        (record) =>
          record.event === event &&
          record.serials.at(-1) === serial &&
          (record.at.sec > at.sec || (record.at.sec === at.sec && record.at.nsec >= at.nsec)),
      );
  }

  /** Called with the serials of an event's container and of all above it but the root. */
  onEvent(listener: (serials: readonly Serial[]) => void): void {
    this.#listeners.push(listener);
  }

  #after(sequence: number): EventRecord[] {
    const skip = sequence - (this.#sequence - this.#records.length);
    return skip > 0 ? this.#records.slice(skip) : this.#records;
  }

  /** History is a convenience: without room for it the event still happens. */
  #persist(record: EventRecord): void {
    this.#written += 1;
    this.#writtenNames += record.names.length;
    const isLong = this.#written >= REWRITE_EVERY || this.#writtenNames >= REWRITE_EVERY_NAMES;
    if (isLong && this.#rewrite()) return;
    try {
      this.#journal.append(record);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
    }
  }

  /** Whether there was room for it. */
  #rewrite(): boolean {
    this.#written = 0;
    this.#writtenNames = 0;
    try {
      this.#journal.rewrite(newest(this.#records));
      return true;
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      return false;
    }
  }
}

/** As many of the newest as are kept, but one at least. */
function newest(records: readonly EventRecord[]): EventRecord[] {
  let count = 0;
  for (let names = 0; count < Math.min(records.length, EVENTS_LIMIT); count++) {
    names += records.at(-count - 1)?.names.length ?? 0;
    if (names > NAMES_LIMIT && count > 0) break;
  }
  return records.slice(records.length - count);
}

function namesIn(records: readonly EventRecord[]): number {
  return records.reduce((sum, { names }) => sum + names.length, 0);
}

function format({ at, names, event, detail }: EventRecord, serial: Serial, depth: number, reader: Reader): string {
  const time = `${at.sec}.${String(Math.floor(at.nsec / 1_000_000)).padStart(3, '0')}`;
  const path = names.slice(depth).join('/') || '.';
  const more = detail === undefined ? [] : [typeof detail === 'number' ? detail : pathFor(serial, detail, reader)];
  return `${[time, event, path, ...more].join('\t')}\n`;
}

/** A place as who reads in the container of `serial` may know it: of its own and of places outside, the last name only. */
function pathFor(serial: Serial, place: Whereabouts, reader: Reader): string {
  const { serials, names } = place;
  const isInside = serial === 0 || serials.slice(0, -1).includes(serial);
  const depth = serial === 0 ? 0 : serials.indexOf(serial) + 1;
  return names.slice(isInside && isShown(place, depth, reader) ? depth : -1).join('/');
}
