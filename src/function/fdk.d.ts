/** The one call of Fn's development kit that is used, as fn-fdk.js 0.0.76 has it. */
declare module '@fnproject/fdk' {
  /**
   * Listens on the unix socket that `FN_LISTENER` names and answers each `POST /call`: 200 with the JSON of
   * what `call` resolves to; 502 where it rejects, with the error's own text in the answer. Returns how to
   * stop.
   */
  export function handle(
    call: (body: Buffer) => Promise<unknown>,
    options: { readonly inputMode: 'buffer' },
  ): () => void
}
