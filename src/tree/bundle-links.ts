import { linkBundle } from '../container/link-bundle.ts';
import type { Container } from '../container/container.ts';
import type { Machine } from '../container/machine.ts';
import { recordRefusal } from '../container/refusal.ts';
import { FsError } from '../errno.ts';
import { accountFor } from '../proc/accounts.ts';
import { bundle } from './control/bundle.ts';
import type { Entry, Request } from './filesystem.ts';
import { controlAttr, type View } from './view.ts';
import { WaitingBundles } from './waiting-bundles.ts';

/** The link `.bundle`, and those that are about to be renamed to it. */
export class BundleLinks {
  readonly waiting: WaitingBundles;
  readonly #machine: Machine;
  readonly #view: View;

  constructor(machine: Machine, view: View) {
    this.#machine = machine;
    this.#view = view;
    this.waiting = new WaitingBundles((uid) => accountFor(machine.files, uid));
  }

  /** Throws EEXIST if there is one, and what `linkBundle` does. */
  make(request: Request, container: Container, text: string): Entry {
    if (this.#view.resolves(container, bundle) && !request.resent) {
      throw new FsError('EEXIST', '.bundle is there already; ln -sfn replaces it');
    }
    this.set(request, container, text);
    return { attr: controlAttr(container, bundle, Buffer.byteLength(text)), cacheable: false, fleeting: true };
  }

  /** `text` is `undefined` to take it away. The reason of a refusal goes to `.error`. */
  set(request: Request, container: Container, text: string | undefined): void {
    const { store } = this.#machine;
    if (request.resent && store.wasDone(request.unique)) return;
    try {
      linkBundle(this.#machine, container, request, text);
    } catch (error) {
      recordRefusal(this.#machine, container, error, request.caller);
      throw error;
    }
  }

  /** A waiting link is renamed to `.bundle`. False if `name` is none. */
  replace(request: Request, container: Container, name: string): boolean {
    const text = this.waiting.named(container, name);
    if (text === undefined) return false;
    this.set(request, container, text);
    this.waiting.take(container, name);
    return true;
  }
}
