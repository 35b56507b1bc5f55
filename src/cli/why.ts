import { systemErrno } from '../errno.ts';

/** What errors of the system mean to who typed a command, by their names. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOTCONN: 'the daemon is gone (ENOTCONN): nsdir mount',
  ECONNABORTED: 'the daemon is gone (ECONNABORTED): nsdir mount',
};

/** One line for an error that nobody foresaw. */
export function whyIt(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message.includes('uv_cwd')) return 'the working directory is gone: cd to one that is there';
  const errno = systemErrno(error);
  if (errno === undefined) return `${firstLine(error.message)} (a bug of nsdir)`;
  return MEANINGS[errno] ?? firstLine(error.message);
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? text;
}
