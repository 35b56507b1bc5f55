/** Whether a request's caller got a signal. Its `AbortSignal` is made when it is asked for: few requests wait for anything. */
export class Interruption {
  #controller: AbortController | undefined;
  #happened = false;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#happened) this.#controller.abort();
    return this.#controller.signal;
  }

  happen(): void {
    this.#happened = true;
    this.#controller?.abort();
  }
}
