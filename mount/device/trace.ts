import type { Errno } from '../../src/errno.ts';
import type { RequestId } from './cursor.ts';
import type { Decoded } from './decode.ts';
import { show } from './trace-text.ts';

/**
 * One line per request and per reply, without a newline: `rx 7: MKDIR n1 "web"`, `tx 7: OK`, `tx 7: ENOENT`. A request that
 * is sent again has its number marked, `rx 7+`. No data of files. Called only when a trace is wanted: it costs.
 */
export function traceRequest({ request, op, args }: Decoded): string {
  return show.words(`rx ${number(request)}: ${op.name}`, show.node(request.nodeid), op.showArgs(args));
}

export function traceReply({ request, op }: Decoded, answer: unknown): string {
  return show.words(`tx ${number(request)}: OK`, op.showAnswer(answer));
}

export function traceError(request: RequestId, errno: Errno): string {
  return `tx ${number(request)}: ${errno}`;
}

function number({ unique, resent }: RequestId): string {
  return resent ? `${unique}+` : String(unique);
}
