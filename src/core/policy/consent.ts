/**
 * The consent list v1: a dataset's patients who withdrew. This document names a sealed object with their ids;
 * no reader of documents learns an id. One consent key of the policy is enough to add patients. Only a quorum
 * takes a list back, by its digest; so no list that one person signs can contain less than was in force.
 */
import { z } from 'zod'
import { sha256, toBase64url } from '../bytes.ts'
import { defineFormat } from '../canonical.ts'
import { base64urlBytes, name, ocid, randomId, sha256Digest } from '../fields.ts'
import { type SigningJwk, thumbprint } from '../jwk.ts'
import { defineSigned, type QuorumRoot } from '../jws.ts'
import { MAX_LIST_BYTES, MIN_LIST_BYTES } from '../sealed/consentList.ts'
import { type GovernanceDocument, type Kind, personsOf } from './document.ts'
import { ENVELOPE } from './envelope.ts'
import type { Policy } from './policy.ts'

export const ConsentSchema = z.strictObject({
  ...ENVELOPE,
  dataset: name,
  /** SHA-256 of the payloads of the lists that this one replaces. Counts only if a quorum signs. */
  replaces: z.array(sha256Digest).max(1024),
  /** The sealed object: 128 random bits that its key is bound to, its SHA-256 and its size. */
  list: z.strictObject({
    id: randomId,
    digest: sha256Digest,
    bytes: z.int().min(MIN_LIST_BYTES).max(MAX_LIST_BYTES),
    custody: z.strictObject({ keyId: ocid, keyVersionId: ocid, wrappedDek: base64urlBytes(32, 1024) }),
  }),
})
export type Consent = z.output<typeof ConsentSchema>

export const ConsentFormat = defineSigned(
  'cw-consent',
  defineFormat({
    name: 'consent list',
    maxBytes: 64 * 1024,
    code: 'policy.invalid',
    schema: ConsentSchema,
  }),
)

/** Each dataset has a folder of its own, so a key of one dataset withdraws from no other. */
export function consentKind(dataset: string): Kind<Consent> {
  return { folder: `consent/${dataset}`, format: ConsentFormat, endsPredecessor: false }
}

/** SHA-256 of its payload, as `replaces` names it. */
export function consentDigest(list: Consent): string {
  return toBase64url(sha256(ConsentFormat.encode(list)))
}

/** The keys that may withdraw, by dataset. */
export type ConsentKeys = ReadonlyMap<string, readonly SigningJwk[]>

/**
 * The consent keys of all policies that a quorum has ever signed. A key that a later policy replaces has
 * withdrawn people in its time: they stay withdrawn. Only `excludedSigners` ends it.
 */
export function consentKeysOf(
  policies: readonly GovernanceDocument<Policy>[],
  { threshold }: QuorumRoot,
): ConsentKeys {
  const keys = new Map<string, SigningJwk[]>()
  for (const policy of policies) {
    if (personsOf(policy, NO_ONE) < threshold) continue
    for (const { id, consent } of policy.content?.datasets ?? []) {
      if (consent === null) continue
      const known = keys.get(id) ?? []
      const added = consent.keys.filter(
        (jwk) => !known.some((other) => thumbprint(other) === thumbprint(jwk)),
      )
      keys.set(id, [...known, ...added])
    }
  }
  return keys
}

const NO_ONE: ReadonlySet<string> = new Set()

/** Whose signatures a list may carry: the consent keys of its dataset, beside those of the root. */
export function consentRoot({ keys, threshold }: QuorumRoot, consentKeys: readonly SigningJwk[]): QuorumRoot {
  return { keys: [...keys, ...consentKeys.map((jwk) => ({ person: NO_PERSON, jwk }))], threshold }
}

/** A consent key is of no person of the root, whose names are not empty. */
const NO_PERSON = ''
