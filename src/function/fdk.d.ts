/** The only call that we use of Fn's development kit, as in fn-fdk.js 0.0.76. */
declare module '@fnproject/fdk' {
  /**
   * Listens on the unix socket that `FN_LISTENER` names and answers each `POST /call`: 200 with the JSON of
   * what `call` resolves to, or 502 with the error's own text if it rejects. Returns a function that stops
   * it.
   */
  export function handle(
    call: (body: Buffer) => Promise<unknown>,
    options: { readonly inputMode: 'buffer' },
  ): () => void
}
