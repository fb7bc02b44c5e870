/**
 * Certificate requests (PKCS #10, RFC 2986). A request proves that its sender has a key; all else that it
 * says is ignored, because its sender may write anything.
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import { parsePem } from '#adapters/system/pem.ts'
import { sameBytes } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import {
  bits,
  commonName,
  fromDer,
  implicit,
  integer,
  isBits,
  isSequence,
  type Node,
  oid,
  publicKeyInfo,
  sequence,
  toDer,
  toPem,
} from './asn1.ts'

/** A request has under one KiB; one with the attributes of other tools a few. */
export const MAX_REQUEST_BYTES = 16 * 1024
const CURVES: readonly (string | undefined)[] = ['prime256v1', 'secp384r1']
/** ECDSA signatures (RFC 5758 §3.2), with their digest. */
const DIGESTS: Readonly<Record<string, string>> = {
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
}
const ECDSA_SHA256 = '1.2.840.10045.4.3.2'

/** A new P-256 key, as PKCS #8, and the request that it signs. Both are PEM. */
export function createRequest(name: string): { readonly key: string; readonly request: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const noAttributes = implicit(0, Buffer.alloc(0))
  noAttributes.constructed = true
  noAttributes.value = []
  const info = sequence(integer(0), commonName(name), publicKeyInfo(publicKey), noAttributes)
  const signature = sign('sha256', toDer(info), privateKey)
  return {
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    request: toPem(
      'CERTIFICATE REQUEST',
      toDer(sequence(info, sequence(oid(ECDSA_SHA256)), bits(signature))),
    ),
  }
}

/**
 * The key of a request, after the proof that its sender has the private half. Throws `enrolment.malformed`
 * for anything but one request in DER with a P-256 or P-384 key, `enrolment.unproved` if that key did not sign
 * it.
 */
export function readRequest(pem: Buffer): KeyObject {
  const [der, ...others] = parsePem(pem, 'CERTIFICATE REQUEST')
  if (der === undefined || others.length > 0)
    throw malformed(
      `has ${others.length === 0 ? 0 : others.length + 1} PEM blocks CERTIFICATE REQUEST, expected 1`,
    )
  const { info, spki, digest, signature } = partsOf(der)
  if (digest === undefined) throw malformed('is not signed by ECDSA with SHA-256 or SHA-384')
  const key = keyOf(spki)
  if (!verify(digest, info, key, signature))
    throw new CodedError('enrolment.unproved', 'the request is not signed by the key that it contains')
  return key
}

/** SEQUENCE { SEQUENCE { version, subject, key, attributes }, algorithm, signature }. */
function partsOf(der: Buffer) {
  let root: Node
  try {
    root = fromDer(der)
  } catch (cause) {
    throw malformed('is not ASN.1', cause)
  }
  // forge reads more than DER. The signature is over the bytes that it writes again, so they must be the same.
  if (!sameBytes(toDer(root), der)) throw malformed('is not in DER')
  const [info, algorithm, signature, ...more] = partsIn(root)
  const [, , spki] = partsIn(info)
  if (info === undefined || spki === undefined || algorithm === undefined || more.length > 0)
    throw malformed('does not have the parts of PKCS #10')
  if (!isBits(signature) || typeof signature.value !== 'string' || signature.value.charCodeAt(0) !== 0)
    throw malformed('has no signature of whole bytes')
  return {
    info: toDer(info),
    spki: toDer(spki),
    digest: digestOf(toDer(algorithm)),
    signature: Buffer.from(signature.value.slice(1), 'latin1'),
  }
}

function partsIn(node: Node | undefined): readonly Node[] {
  return isSequence(node) && Array.isArray(node.value) ? node.value : []
}

/** Compared as bytes: an ECDSA algorithm has no parameters. */
function digestOf(algorithm: Buffer): string | undefined {
  const found = Object.entries(DIGESTS).find(([dotted]) => sameBytes(toDer(sequence(oid(dotted))), algorithm))
  return found?.[1]
}

function keyOf(spki: Buffer): KeyObject {
  let key: KeyObject
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw malformed('has no valid public key', cause)
  }
  if (key.asymmetricKeyType === 'ec' && CURVES.includes(key.asymmetricKeyDetails?.namedCurve)) return key
  throw malformed('has a key other than P-256 or P-384')
}

function malformed(what: string, cause?: unknown): CodedError {
  return new CodedError('enrolment.malformed', `the certificate request ${what}`, { cause })
}
