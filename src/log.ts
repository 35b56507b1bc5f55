import { pino, type Logger } from 'pino';

/** The daemon's log: JSON lines, one per mutating operation. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** A log to `fd` (2: stderr). Writes are synchronous: what a crash follows is there to read. */
export function openLog(fd: number, level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd, sync: true }));
}
