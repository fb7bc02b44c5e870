/** The good cases that the vectors start from, made only from seeds. */

import { createPrivateKey } from 'node:crypto'
import { RsaJwk, thumbprint } from '#core/jwk.ts'
import { keySigner, signCompact } from '#core/jws.ts'
import { nodeCipher } from '#core/sealed/cipher.ts'
import type { FloeParameters } from '#core/sealed/floe.ts'
import { sealFloe } from '#core/sealed/floeSeal.ts'
import { headerDigest, type SealHeader, SealHeaderFormat } from '#core/sealed/header.ts'
import type { ResultManifest } from '#core/sealed/manifest.ts'
import { sealObject } from '#core/sealed/object.ts'
import type { SealRecord } from '#core/sealed/record.ts'
import { sealResult } from '#core/sealed/result.ts'
import type { SetRecord } from '#core/sealed/setRecord.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { seeded } from './seeded.ts'

export const PLAINTEXT = Buffer.from('{"resourceType":"Patient","id":"example"}\n')
export const DEK = seeded('dek')(32)
export const SEAL_ID = seeded('seal id')(16).toString('hex')
export const RESULT_ID = seeded('result id')(32).toString('hex')

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')

export function signerOf(seed: string) {
  const der = Buffer.concat([PKCS8_ED25519, seeded(seed)(32)])
  return keySigner(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }))
}

export const HEADER: SealHeader = {
  v: 1,
  tenant: 'hospital-a',
  dataset: 'cohort-1',
  object: SEAL_ID,
  sealId: SEAL_ID,
  size: PLAINTEXT.byteLength,
  contentType: 'application/fhir+ndjson',
  sealedAt: 1_790_000_000,
  set: null,
  minimised: null,
  baseUrl: null,
  custody: {
    mode: 'rewrap',
    keyId: 'ocid1.key.oc1.eu-frankfurt-1.example',
    keyVersionId: 'ocid1.keyversion.oc1.eu-frankfurt-1.example',
    wrappedDek: seeded('wrapped dek')(96).toString('base64url'),
  },
}

export const HEADER_JWS = await signCompact(SealHeaderFormat, HEADER, signerOf('sealing key'))

export const RECORD: SealRecord = {
  v: 1,
  sealId: SEAL_ID,
  headerDigest: headerDigest(HEADER_JWS).toString('base64url'),
  objectDigest: seeded('object digest')(32).toString('base64url'),
  size: 4242,
  namespace: 'hospitalns',
  bucket: 'sealed',
  object: SEAL_ID,
  etag: '8f6c2f0a-7f4e-4d5b-9b7a-0c6f3f1f7a10',
  recordedAt: 1_790_000_010,
}

export const SET_ID = seeded('set id')(16).toString('hex')

/** Three files of one export. */
export const SET_RECORD: SetRecord = {
  v: 1,
  tenant: 'hospital-a',
  dataset: 'cohort-1',
  set: SET_ID,
  name: SET_ID,
  members: ['first', 'second', 'third'].map((which, index) => ({
    sealId: seeded(`${which} member`)(16).toString('hex'),
    headerDigest: seeded(`header of the ${which} member`)(32).toString('base64url'),
    size: 1000 * index,
  })),
  sealedAt: 1_790_000_020,
}

export async function sealedObject(headerJws: string, seed: string): Promise<Buffer> {
  const { byteLength: size } = PLAINTEXT
  const sealing = { headerJws, dek: DEK, chunks: [PLAINTEXT], size, cipher: nodeCipher, random: seeded(seed) }
  return Buffer.concat(await Array.fromAsync(sealObject(sealing)))
}

export async function floeCiphertext(
  options: { readonly plaintext: Buffer; readonly aad: Buffer; readonly parameters: FloeParameters },
  seed: string,
): Promise<Buffer> {
  const { plaintext, aad, parameters } = options
  const sealing = sealFloe({
    dek: DEK,
    aad,
    chunks: [plaintext],
    size: plaintext.byteLength,
    cipher: nodeCipher,
    random: seeded(seed),
    ownership: 'given',
    parameters,
  })
  return Buffer.concat(await Array.fromAsync(sealing))
}

/**
 * `sealResult` draws its DEK first. RSA-OAEP draws its own randomness, so the wrapped DEK is in no vector.
 */
export async function sealedResult(seed: string): Promise<{ dek: Buffer; parts: Buffer[] }> {
  const n = seeded('modulus')(256)
  n.writeUInt8(n.readUInt8(0) | 0x80, 0)
  n.writeUInt8(n.readUInt8(255) | 1, 255)
  const { parts } = sealResult({
    resultId: RESULT_ID,
    recipient: RsaJwk.parse({ kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }),
    chunks: [PLAINTEXT],
    size: PLAINTEXT.byteLength,
    cipher: nodeCipher,
    memory: plainMemory,
    random: seeded(seed),
  })
  const sealed = await Array.fromAsync(parts)
  return { dek: seeded(seed)(32), parts: sealed.map(({ bytes }) => bytes) }
}

export const MANIFEST: ResultManifest = {
  v: 1,
  resultId: RESULT_ID,
  attempt: seeded('attempt')(16).toString('hex'),
  boot: 'abcdefghijklmnopqrstuvwxyz',
  parts: [{ size: 158, digest: seeded('part digest')(32).toString('base64url') }],
  contentDigest: seeded('part digest')(32).toString('base64url'),
  contentType: 'application/json',
  wrappedDek: seeded('wrapped result dek')(256).toString('base64url'),
  recipient: {
    keyId: 'ocid1.key.oc1.eu-frankfurt-1.recipient',
    keyVersionId: 'ocid1.keyversion.oc1.eu-frankfurt-1.recipient',
    thumbprint: thumbprint(signerOf('recipient').jwk),
  },
  releaseId: seeded('release id')(16).toString('hex'),
  traceparent: `00-${seeded('trace id')(16).toString('hex')}-${seeded('parent id')(8).toString('hex')}-01`,
  grantDigest: seeded('grant digest')(32).toString('base64url'),
  termsDigest: seeded('terms digest')(32).toString('base64url'),
  headerDigests: [headerDigest(HEADER_JWS).toString('base64url')],
  workload: { name: 'fhir-summary', digest: seeded('workload')(32).toString('base64url') },
  simulation: true,
  committedAt: 1_790_000_100,
  verifierCheckpoint: 'a signed note of the Verifier\n',
  workerCheckpoint: 'a signed note of this worker\n',
  intentIndex: 3,
  permit: 'a.permit.jws',
  permitKey: 'a.grantkey.jws',
}
