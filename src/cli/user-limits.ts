import { USER_LIMITS, type UserLimits } from '../container/user-limits.ts';
import { UsageError } from './command.ts';

const WORDS = Object.keys(USER_LIMITS) as readonly (keyof UserLimits)[];

/** `containers=10,depth=3`; what is not named is as always. Throws UsageError. */
export function userLimitsFrom(text: string | undefined): UserLimits {
  const limits: { -readonly [Word in keyof UserLimits]: number } = { ...USER_LIMITS };
  for (const part of text === undefined ? [] : text.split(',')) {
    const [, name, number] = /^([a-z]+)=([1-9][0-9]{0,8})$/.exec(part) ?? [];
    const word = WORDS.find((known) => known === name);
    if (word === undefined) {
      throw new UsageError(`--user-limits is a list of ${WORDS.join('=N, ')}=N; not ${JSON.stringify(part)}`);
    }
    limits[word] = Number(number);
  }
  return limits;
}
