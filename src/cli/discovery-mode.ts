import { UsageError } from './command.ts';

/** How containers of others are looked for: not at all, at no cost to others, or missing nothing at some. */
const MODES = ['on', 'exact', 'off'] as const;

export type DiscoveryMode = (typeof MODES)[number];

/** `on` if nothing is said. Throws UsageError. */
export function discoveryFrom(text = 'on'): DiscoveryMode {
  const mode = MODES.find((word) => word === text);
  if (!mode) throw new UsageError(`--discovery is ${MODES.join(', ')}; not ${JSON.stringify(text)}`);
  return mode;
}
