import type { OpcodeName } from '../../mount/device/abi.ts';
import type { Attr, DirEntry } from '../../src/tree/filesystem.ts';
import type { NodeId } from '../../src/tree/node-id.ts';
import { attrOut, dirent, entryOut, pad, str, u32, u64 } from '../unit/mount/device/support.ts';

/** One request and all that comes of it; README.md says what the lines are. */
export interface Exchange {
  readonly line: number;
  readonly unique: bigint;
  readonly opcode: OpcodeName;
  readonly node: number;
  readonly body: Buffer;
  rx?: string;
  call?: Call;
  tx?: string;
  out?: Buffer;
}

interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
  /** Gives the answer, or an errno's name to throw. */
  readonly answer: { readonly value: unknown } | { readonly errno: string };
}

type Nodes = Map<string, Attr>;

const FOREVER = 0xffff_ffff;
const TIME = { sec: 1_700_000_000, nsec: 5 };

/** Throws with the line's number if it is not understood. */
export function parseTranscript(text: string): Exchange[] {
  const nodes: Nodes = new Map();
  const exchanges: Exchange[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/(^|\s+)#.*$/, '').trim();
    if (line === '') continue;
    const [word = '', rest = ''] = split(line);
    try {
      parseLine(word, rest, { nodes, exchanges, number: index + 1 });
    } catch (error) {
      throw new Error(`line ${index + 1}: ${line}`, { cause: error });
    }
  }
  return exchanges;
}

interface State {
  readonly nodes: Nodes;
  readonly exchanges: Exchange[];
  readonly number: number;
}

function parseLine(word: string, rest: string, { nodes, exchanges, number }: State): void {
  const current = exchanges.at(-1);
  if (word === 'node') {
    parseNode(rest, nodes);
    return;
  }
  if (word === 'in') {
    exchanges.push(parseRequest(rest, nodes, number));
    return;
  }
  if (current === undefined) throw new Error('nothing came in yet');
  if (word === 'rx') current.rx = `rx ${rest}`;
  else if (word === 'tx') current.tx = `tx ${rest}`;
  else if (word === 'out') current.out = fields(rest, nodes);
  else if (word === 'fs') current.call = parseCall(rest, nodes);
  else throw new Error(`no such line: ${word}`);
}

function parseNode(rest: string, nodes: Nodes): void {
  const [name = '', id, mode, ...options] = rest.split(/\s+/);
  const size = options.find((option) => option.startsWith('size='))?.slice('size='.length);
  nodes.set(name, {
    id: Number(id) as NodeId,
    mode: parseInt(mode ?? '', 8),
    nlink: 1,
    uid: 0,
    gid: 0,
    size: Number(size ?? 0),
    atime: TIME,
    mtime: TIME,
    ctime: TIME,
    cacheable: !options.includes('volatile'),
  });
}

function parseRequest(rest: string, nodes: Nodes, line: number): Exchange {
  const [unique = '', opcode = '', node = '', ...given] = rest.split(/\s+/);
  const body = fields(given.join(' '), nodes);
  return { line, unique: BigInt(unique), opcode: opcode as OpcodeName, node: Number(node.slice(1)), body };
}

function parseCall(rest: string, nodes: Nodes): Call {
  const [method = '', args = '', answer = ''] = /^(\w+) (\[.*\]) -> (.*)$/.exec(rest)?.slice(1) ?? [];
  return { method, args: JSON.parse(args) as unknown[], answer: parseAnswer(answer, nodes) };
}

function parseAnswer(text: string, nodes: Nodes): Call['answer'] {
  const [kind = '', rest = ''] = split(text);
  if (/^E[A-Z0-9]+$/.test(kind)) return { errno: kind };
  switch (kind) {
    case 'nothing':
      return { value: undefined };
    case 'attr':
      return { value: named(nodes, rest) };
    case 'entry':
      return { value: entryOf(nodes, rest) };
    case 'list':
      return {
        value: rest
          .split(/\s+/)
          .filter(Boolean)
          .map((item) => listed(nodes, item)),
      };
    case 'text':
      return { value: JSON.parse(rest) as unknown };
    case 'data':
      return { value: Buffer.from(JSON.parse(rest) as string) };
    default:
      return { value: JSON.parse(text) as unknown };
  }
}

function listed(nodes: Nodes, item: string): DirEntry {
  const [name = '', cookie] = item.split('@');
  return { name, cookie: Number(cookie), entry: entryOf(nodes, name) };
}

function fields(text: string, nodes: Nodes): Buffer {
  const items = text.match(/\w+=("(?:[^"\\]|\\.)*"|\S+)/g) ?? [];
  return Buffer.concat(items.map((item) => field(item, nodes)));
}

function field(item: string, nodes: Nodes): Buffer {
  const [kind, given = ''] = item.split(/=(.*)/s);
  const value = given.startsWith('"') ? (JSON.parse(given) as string) : given;
  switch (kind) {
    case 'u32':
      return u32(Number(value));
    case 'u64':
      return u64(BigInt(value));
    case 'str':
      return str(value);
    case 'text':
      return Buffer.from(value);
    case 'zeros':
      return pad(Number(value));
    case 'attr': {
      const attr = named(nodes, value);
      return attrOut(attr, blocks(attr), attr.cacheable ? FOREVER : 0);
    }
    case 'entry': {
      const attr = named(nodes, value);
      return entryOut(attr, blocks(attr), attr.cacheable ? { name: FOREVER, attr: FOREVER } : { name: 1, attr: 0 });
    }
    case 'dirent': {
      const [name = '', inode, cookie, type] = value.split(',');
      return dirent(name, Number(inode), Number(cookie), Number(type));
    }
    default:
      throw new Error(`no such field: ${item}`);
  }
}

const blocks = ({ mode, size }: Attr): number => ((mode & 0o170000) === 0o040000 ? 0 : Math.ceil(size / 512));

function named(nodes: Nodes, name: string): Attr {
  const attr = nodes.get(name);
  if (attr === undefined) throw new Error(`no node ${name}`);
  return attr;
}

const entryOf = (nodes: Nodes, name: string) => {
  const attr = named(nodes, name);
  return { attr, cacheable: attr.cacheable };
};

function split(line: string): string[] {
  return line.split(/\s+(.*)/s);
}
