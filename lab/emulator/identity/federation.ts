/**
 * `POST /v1/x509`: exchanges an instance's certificate and proof of its key for a session token over a fresh
 * key.
 */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import type { ServiceResponse } from '#lab/emulator/service.ts'
import type { InstanceCa } from './instanceCa.ts'
import type { Principals } from './principals.ts'
import type { Sessions } from './sessions.ts'
import {
  notAuthenticated,
  parseAuthorization,
  type SignedRequest,
  verifyBody,
  verifySignature,
} from './signature.ts'

/** The certificate is in base64 of PEM or DER, with or without line breaks, depending on the SDK. */
const Body = z.looseObject({
  certificate: z.string().max(16_384),
  purpose: z.literal('DEFAULT'),
  publicKey: z.string().max(4096),
})

export const FEDERATION_PATH = '/v1/x509'

export function createFederation(parts: {
  readonly ca: InstanceCa
  readonly principals: Principals
  readonly sessions: Sessions
}): (request: SignedRequest, body: Buffer, now: number) => Promise<ServiceResponse> {
  const { ca, principals, sessions } = parts
  return async (request, body, now) => {
    const signature = parseAuthorization(request.headers.authorization)
    verifyBody(request.headers, body)
    const { certificate, publicKey } = parseBody(body)
    const leaf = decodeCertificate(certificate)
    verifyLeaf(leaf, ca.certificate, now)
    const instance = principals.instance(organizationalUnit(leaf, 'opc-instance'))
    if (instance === undefined) throw notAuthenticated('the instance does not exist')
    // keyId: {tenancy}/fed-x509/{SHA-1 of the leaf in colon hex}
    const keyId = `${instance.tenancyId}/fed-x509/${leaf.fingerprint}`
    if (signature.keyId.toLowerCase() !== keyId.toLowerCase())
      throw notAuthenticated('the key id does not name the certificate')
    verifySignature(request, signature, leaf.publicKey, { bodyUnsigned: false, now })
    return { status: 200, json: { token: await sessions.issue(instance, decodeSessionKey(publicKey), now) } }
  }
}

function parseBody(body: Buffer): z.output<typeof Body> {
  try {
    return Body.parse(JSON.parse(body.toString('utf8')))
  } catch {
    throw notAuthenticated('the body is not an x509 federation request')
  }
}

function verifyLeaf(leaf: X509Certificate, root: X509Certificate, now: number): void {
  if (!leaf.checkIssued(root) || !leaf.verify(root.publicKey))
    throw notAuthenticated('the certificate is not issued by this realm')
  if (!(leaf.validFromDate.getTime() <= now && now < leaf.validToDate.getTime()))
    throw notAuthenticated('the certificate is outside its validity')
}

function organizationalUnit(leaf: X509Certificate, kind: string): string {
  const prefix = `OU=${kind}:`
  return (
    leaf.subject
      .split('\n')
      .find((line) => line.startsWith(prefix))
      ?.slice(prefix.length) ?? ''
  )
}

function decodeCertificate(text: string): X509Certificate {
  try {
    return new X509Certificate(Buffer.from(text, 'base64'))
  } catch {
    throw notAuthenticated('the certificate is malformed')
  }
}

function decodeSessionKey(text: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'rsa') return key
  } catch {
    // Malformed keys and other key types get the same answer below.
  }
  throw notAuthenticated('the session key is not an RSA public key')
}
