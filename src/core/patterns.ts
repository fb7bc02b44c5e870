/** Texts that several grammars share: with zod in fields.ts, without it in the report library. */

/** `must` completes the message of a field that does not match. */
export type Pattern = { readonly pattern: RegExp; readonly must: string }

/** A name that people give to a tenant, dataset, client, reference, permission or workload. */
export const NAME: Pattern = {
  pattern: /^[a-z0-9][a-z0-9.-]{0,63}$/,
  must: 'must be a name of a-z, 0-9, "." and "-", at most 64 characters',
}

export function hexPattern(bytes: number): Pattern {
  return {
    pattern: new RegExp(`^[0-9a-f]{${bytes * 2}}$`),
    must: `must be ${bytes} bytes in lower-case hex`,
  }
}
