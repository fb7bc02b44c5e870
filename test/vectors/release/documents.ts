/** Signed governance documents under their names. */
import { z } from 'zod'
import { defineFormat } from '#core/canonical.ts'
import { defineSigned, type Signer } from '#core/jws.ts'
import { type Kind, signDocument } from '#core/policy/document.ts'
import type { Document } from './vector.ts'

/** Signs what the schema of a policy refuses. */
export const ANY_POLICY: Kind<{ readonly seq: number }> = {
  folder: 'policy',
  format: defineSigned(
    'cw-policy',
    defineFormat({
      name: 'policy',
      maxBytes: 1024 * 1024,
      code: 'policy.invalid',
      schema: z.looseObject({ seq: z.int() }),
    }),
  ),
  endsPredecessor: true,
}

export async function signed<T extends { readonly seq: number }>(
  kind: Kind<T>,
  content: T,
  by: readonly Signer[],
): Promise<Document> {
  const { name, signed: document } = await signDocument(kind, content, by)
  return { name, document }
}
