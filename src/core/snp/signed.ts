/**
 * The signed form that certificates and revocation lists share (RFC 5280 §4.1.1, §5.1.1), and the one
 * signature scheme that AMD uses for it.
 */
import { sameBytes } from '../bytes.ts'
import {
  bytesOf,
  type Der,
  explicitOf,
  integerOf,
  isNull,
  Malformed,
  oidOf,
  parseDer,
  sequenceOf,
  wholeBitsOf,
} from './der.ts'
import { isSignature, type PublicKey } from './publicKey.ts'

/** A signed structure, read but not yet verified. */
export type Signed = {
  /** The bytes under the signature, as received, and their top-level parts. */
  readonly tbs: Buffer
  readonly parts: readonly Der[]
  readonly signature: Buffer
}

/**
 * Reads SEQUENCE { tbs, signatureAlgorithm, signature }. `algorithmAt` is the index of the part of the tbs
 * that repeats the algorithm. Throws `Malformed`, also if the algorithm is not RSASSA-PSS with SHA-384 as AMD
 * uses it.
 */
export function parseSigned(der: Buffer, algorithmAt: number): Signed {
  const [tbs, outer, signature, ...more] = sequenceOf(parseDer(der))
  if (tbs === undefined || outer === undefined || signature === undefined || more.length > 0)
    throw new Malformed('does not have three parts: content, algorithm and signature')
  const parts = sequenceOf(tbs)
  const inner = parts[algorithmAt]
  if (inner === undefined || !sameBytes(bytesOf(inner), bytesOf(outer)))
    throw new Malformed('names one signature algorithm inside its signed part and another outside')
  if (!sameBytes(bytesOf(inner), USUAL)) assertPss(inner)
  return { tbs: bytesOf(tbs), parts, signature: wholeBitsOf(signature) }
}

/** True if the signature is valid under `key`. The key determines the scheme, not the certificate. */
export function isSignedBy({ tbs, signature }: Signed, key: PublicKey): boolean {
  return isSignature(signature, tbs, key)
}

const OID = {
  pss: '1.2.840.113549.1.1.10',
  mgf1: '1.2.840.113549.1.1.8',
  sha384: '2.16.840.1.101.3.4.2.2',
} as const

const SALT_BYTES = 48

/** The AlgorithmIdentifier of most certificates. Equal bytes need no reading; others are parsed. */
const USUAL = Buffer.from(
  '304106092a864886f70d01010a3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d0609' +
    '6086480165030402020500a203020130',
  'hex',
)

/**
 * RSASSA-PSS-params (RFC 4055 §3.1). The trailer field has one value, its default. Newer certificates omit
 * it, as DER requires.
 */
function assertPss(algorithm: Der): void {
  const [name, parameters, ...more] = sequenceOf(algorithm)
  if (oidOf(name) !== OID.pss || more.length > 0) throw new Malformed('is not signed with RSASSA-PSS')
  const [hash, mask, salt, trailer, ...left] = sequenceOf(parameters)
  const [mgf, mgfHash, ...extra] = sequenceOf(explicitOf(mask, 1))
  const isPss =
    isSha384(explicitOf(hash, 0)) &&
    oidOf(mgf) === OID.mgf1 &&
    isSha384(mgfHash) &&
    extra.length === 0 &&
    integerOf(explicitOf(salt, 2), 512) === SALT_BYTES &&
    (trailer === undefined || integerOf(explicitOf(trailer, 3), 1) === 1) &&
    left.length === 0
  if (!isPss) throw new Malformed('is not signed with SHA-384, MGF1 over SHA-384 and a salt of 48 bytes')
}

function isSha384(algorithm: Der | undefined): boolean {
  const [name, parameters, ...more] = sequenceOf(algorithm)
  return oidOf(name) === OID.sha384 && (parameters === undefined || isNull(parameters)) && more.length === 0
}
