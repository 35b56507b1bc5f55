import { pino, type Logger } from 'pino';

/** The daemon's log: JSON lines, one per mutating operation. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

/** Text that waits for room on the log's file system; beyond it lines are dropped. */
const WAITING_LIMIT_BYTES = 1 << 20;

/**
 * A log to `fd` (2: stderr). Writes are synchronous: what a crash follows is there to read. A log that cannot be written,
 * its disk being full, stops nobody.
 */
export function openLog(fd: number, level: string): Logger {
  const destination = pino.destination({ fd, sync: true, maxLength: WAITING_LIMIT_BYTES });
  destination.on('error', () => undefined);
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}
