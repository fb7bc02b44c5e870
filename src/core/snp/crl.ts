/** AMD's certificate revocation lists (RFC 5280 §5): which ASK and ASVK a root no longer stands for. They never name a leaf. */
import { sha256, toHex } from '../bytes.ts'
import { CodedError } from '../errors/report.ts'
import { toRfc3339, type UnixSeconds } from '../time.ts'
import {
  type Der,
  explicitOf,
  integerOf,
  isExplicit,
  Malformed,
  parseDer,
  reading,
  sequenceOf,
} from './der.ts'
import { MAX_CRL_BYTES } from './layout.ts'
import type { Product } from './product.ts'
import type { Root } from './roots.ts'
import { isSignedBy, parseSigned } from './signed.ts'
import {
  assertCriticalKnown,
  commonNameOf,
  type Extensions,
  extensionsOf,
  serialOf,
  unixTimeOf,
} from './x509.ts'

/** A list that its root has signed. Whether it is new enough depends on the time, and on who asks. */
export type Crl = {
  readonly product: Product
  /** Fingerprint of the ARK. */
  readonly root: string
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
  /** cRLNumber, lower-case hex: rises with every list. */
  readonly number: string
  /** Serial numbers, lower-case hex. */
  readonly revoked: ReadonlySet<string>
  /** SHA-256 of the DER, lower-case hex. */
  readonly digest: string
}

/** Throws `crl.malformed`, or `crl.untrusted` where none of `roots` has signed it. */
export function openCrl(der: Uint8Array, roots: readonly Root[]): Crl {
  return reading('a revocation list', 'crl.malformed', () => verifyCrl(der, roots))
}

/** Of one root: goes back in number or in date. Whoever gives such a list may be keeping back a revocation. */
export function isOlder(list: Crl, held: Crl): boolean {
  return BigInt(`0x${list.number}`) < BigInt(`0x${held.number}`) || list.thisUpdate < held.thisUpdate
}

/** TBSCertList: version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates (or not), crlExtensions. */
const SIGNATURE_AT = 1
const X509_V2 = 1
const OID = { number: '2.5.29.20', delta: '2.5.29.27', scope: '2.5.29.28' } as const

function verifyCrl(der: Uint8Array, roots: readonly Root[]): Crl {
  if (der.byteLength > MAX_CRL_BYTES)
    throw new Malformed(`has ${der.byteLength} bytes, the limit is ${MAX_CRL_BYTES}`)
  const signed = parseSigned(Buffer.from(der.buffer, der.byteOffset, der.byteLength), SIGNATURE_AT)
  const [version, , issuerName, thisTime, nextTime, ...rest] = signed.parts
  const issuer = commonNameOf(issuerName)
  const root = roots.find(({ subject, publicKey }) => subject === issuer && isSignedBy(signed, publicKey))
  if (root === undefined)
    throw new CodedError('crl.untrusted', `the revocation list of ${issuer} is not signed by a trusted root`)
  if (integerOf(version, X509_V2) !== X509_V2) throw new Malformed('is not of version 2')
  const hasEntries = !isExplicit(rest[0], 0)
  const [extensions, ...more] = hasEntries ? rest.slice(1) : rest
  if (more.length > 0) throw new Malformed('has parts after its extensions')
  const [thisUpdate, nextUpdate] = [unixTimeOf(thisTime), unixTimeOf(nextTime)]
  if (nextUpdate <= thisUpdate)
    throw new Malformed(`is of ${toRfc3339(thisUpdate)} and ends at ${toRfc3339(nextUpdate)}`)
  return {
    product: root.product,
    root: root.fingerprint,
    thisUpdate,
    nextUpdate,
    number: numberOf(extensionsOf(explicitOf(extensions, 0))),
    revoked: hasEntries ? serialsOf(rest[0]) : new Set(),
    digest: toHex(sha256(der)),
  }
}

/** A list of all that the root has revoked: one of changes, or of a part, says less than it seems to. */
function numberOf(extensions: Extensions): string {
  assertCriticalKnown(extensions, [])
  if (extensions.has(OID.delta) || extensions.has(OID.scope)) throw new Malformed('is not a complete list')
  const number = extensions.get(OID.number)
  if (number === undefined) throw new Malformed('has no number')
  return serialOf(parseDer(number.value))
}

/** SEQUENCE OF SEQUENCE { userCertificate, revocationDate, crlEntryExtensions OPTIONAL }; never empty. */
function serialsOf(list: Der | undefined): ReadonlySet<string> {
  const entries = sequenceOf(list)
  if (entries.length === 0) throw new Malformed('has an empty list of entries')
  const serials = entries.map((entry) => {
    const [serial, revoked, extensions, ...more] = sequenceOf(entry)
    unixTimeOf(revoked)
    if (more.length > 0) throw new Malformed('has an entry of more than three parts')
    if (extensions !== undefined) assertCriticalKnown(extensionsOf(extensions), [])
    return serialOf(serial)
  })
  return new Set(serials)
}
