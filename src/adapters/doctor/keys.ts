/** Rows about Vault keys: that they are there, of the right kind, and that this role can use them. */
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import type { Oci } from '#adapters/oci/clients.ts'
import { utf8 } from '#core/bytes.ts'
import { thumbprint } from '#core/jwk.ts'
import type { Signer } from '#core/jws.ts'
import { type Check, finding, good, type Outcome } from './check.ts'

/** No document of ours begins so: a signature over it is of no use to anyone. */
const SIGNED = 'confidential-worker/doctor/v1\0'

/** Signs a text of the doctor's own and verifies the signature. */
async function signs(open: () => Promise<Signer>): Promise<Outcome> {
  const { jwk, sign } = await open()
  const message = Buffer.concat([utf8(SIGNED), randomBytes(16)])
  const signature = await sign(message)
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const isGood =
    jwk.kty === 'EC'
      ? verify('sha384', message, { key, dsaEncoding: 'ieee-p1363' }, signature)
      : verify(null, message, key, signature)
  return isGood
    ? good(`signs; the thumbprint of its public half is ${thumbprint(jwk)}`)
    : finding('its signature does not verify under its own public half')
}

type KeyRow<Context> = Pick<Check<Context>, 'id' | 'remedy'> & {
  readonly key: (context: Context) => string
}

/** AES-256, and enabled. */
export function aesKeyCheck<Context extends { readonly oci: Oci }>({
  id,
  remedy,
  key,
}: KeyRow<Context>): Check<Context> {
  return {
    id,
    tries: 'reads the description of the Vault key',
    expects: 'an enabled AES key of 256 bits',
    remedy,
    run: async (context) => {
      const { algorithm, bits, enabled } = await context.oci.probes().keyShape(key(context))
      if (algorithm !== 'AES' || bits !== 256)
        return finding(`it is an ${algorithm} key of ${bits} bits, expected AES of 256`)
      return enabled ? good('AES of 256 bits, enabled') : finding('it is not enabled')
    },
  }
}

/** P-384 (or Ed25519 in a file); it signs. */
export function signingKeyCheck<Context>(
  row: Pick<Check<Context>, 'id' | 'remedy'>,
  open: (context: Context) => Promise<Signer>,
): Check<Context> {
  return {
    ...row,
    tries: "signs a text of the doctor's own, which begins as no document does",
    expects: 'a signature that verifies, by a key of the right kind',
    run: (context) => signs(() => open(context)),
  }
}
