/**
 * AMD's certificate revocation lists (RFC 5280 §5): the ASKs and ASVKs that a root has revoked. They never
 * name a leaf.
 */
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

/** A list with a verified signature. The caller decides from its times whether it is new enough. */
export type Crl = {
  readonly product: Product
  /** SHA-256 of the ARK's DER, lower-case hex. */
  readonly root: string
  readonly thisUpdate: UnixSeconds
  readonly nextUpdate: UnixSeconds
  /** cRLNumber, lower-case hex. It rises with every list. */
  readonly number: string
  /** Serial numbers of the revoked authorities, lower-case hex. */
  readonly revoked: ReadonlySet<string>
  /** SHA-256 of the DER, lower-case hex. */
  readonly digest: string
}

/**
 * Parses and verifies a list in DER, at most `MAX_CRL_BYTES`.
 *
 * Throws `crl.malformed`, or `crl.untrusted` if none of `roots` has signed the list.
 */
export function openCrl(der: Uint8Array, roots: readonly Root[]): Crl {
  return reading('the revocation list', 'crl.malformed', () => verifyCrl(der, roots))
}

/**
 * True if `list` is older than `held` in number or in date. Both are of one root. An attacker who presents
 * an older list can withhold a revocation.
 */
export function isOlder(list: Crl, held: Crl): boolean {
  return BigInt(`0x${list.number}`) < BigInt(`0x${held.number}`) || list.thisUpdate < held.thisUpdate
}

/**
 * TBSCertList: version, signature, issuer, thisUpdate, nextUpdate, revokedCertificates (optional),
 * crlExtensions.
 */
const SIGNATURE_AT = 1
const X509_V2 = 1
const OID = { number: '2.5.29.20', delta: '2.5.29.27', scope: '2.5.29.28' } as const

function verifyCrl(der: Uint8Array, roots: readonly Root[]): Crl {
  if (der.byteLength > MAX_CRL_BYTES)
    throw new Malformed(`has ${der.byteLength} bytes, expected at most ${MAX_CRL_BYTES}`)
  const signed = parseSigned(Buffer.from(der.buffer, der.byteOffset, der.byteLength), SIGNATURE_AT)
  const [version, , issuerName, thisTime, nextTime, ...rest] = signed.parts
  const issuer = commonNameOf(issuerName)
  const root = roots.find(({ subject, publicKey }) => subject === issuer && isSignedBy(signed, publicKey))
  if (root === undefined)
    throw new CodedError('crl.untrusted', `the revocation list of ${issuer} is not signed by a trusted root`)
  if (integerOf(version, X509_V2) !== X509_V2) throw new Malformed('is not X.509 version 2')
  const hasEntries = !isExplicit(rest[0], 0)
  const [extensions, ...more] = hasEntries ? rest.slice(1) : rest
  if (more.length > 0) throw new Malformed('has parts after its extensions')
  const [thisUpdate, nextUpdate] = [unixTimeOf(thisTime), unixTimeOf(nextTime)]
  if (nextUpdate <= thisUpdate)
    throw new Malformed(
      `has the nextUpdate ${toRfc3339(nextUpdate)}, expected later than its thisUpdate ${toRfc3339(thisUpdate)}`,
    )
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

/** The cRLNumber. Refuses a delta list and a list of limited scope: they lack revocations of the root. */
function numberOf(extensions: Extensions): string {
  assertCriticalKnown(extensions, [])
  if (extensions.has(OID.delta) || extensions.has(OID.scope))
    throw new Malformed('is a delta or of limited scope, expected a complete list')
  const number = extensions.get(OID.number)
  if (number === undefined) throw new Malformed('has no cRLNumber')
  return serialOf(parseDer(number.value))
}

/**
 * Reads SEQUENCE OF SEQUENCE { userCertificate, revocationDate, crlEntryExtensions OPTIONAL }, which is never
 * empty.
 */
function serialsOf(list: Der | undefined): ReadonlySet<string> {
  const entries = sequenceOf(list)
  if (entries.length === 0) throw new Malformed('has an empty list of entries')
  const serials = entries.map((entry) => {
    const [serial, revoked, extensions, ...more] = sequenceOf(entry)
    unixTimeOf(revoked)
    if (more.length > 0) throw new Malformed('has an entry with more than three parts')
    if (extensions !== undefined) assertCriticalKnown(extensionsOf(extensions), [])
    return serialOf(serial)
  })
  return new Set(serials)
}
