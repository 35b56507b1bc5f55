import type { Entry } from '../../src/tree/filesystem.ts';

/** How the trace writes values. */
export const show = {
  /** Quoted, control characters escaped: a name never breaks the line. */
  text: (text: string): string => JSON.stringify(text),
  node: (id: number): string => `n${id}`,
  octal: (value: number): string => `0${value.toString(8)}`,
  /** A whole mode, type bits too. */
  mode: (mode: number): string => mode.toString(8).padStart(6, '0'),
  hex: (value: number): string => `0x${value.toString(16)}`,
  /** What there is, with blanks between. */
  words: (...words: readonly (string | number | false | undefined)[]): string =>
    words.filter((word) => typeof word === 'string' && word !== '').join(' '),
};

export function showEntry({ attr }: Entry): string {
  return show.words(show.node(attr.id), show.mode(attr.mode));
}
