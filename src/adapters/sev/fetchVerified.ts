/** Answers of AMD's key distribution service, each verified up to a trusted ARK before anyone gets it. */
import { sameBytes, sha256, toHex } from '#core/bytes.ts'
import { CodedError, codeOf } from '#core/errors.ts'
import { TrustStore } from '#core/snp/chain.ts'
import { type Crl, isOlder, openCrl } from '#core/snp/crl.ts'
import { isLeafOf, type WantedLeaf } from '#core/snp/leaf.ts'
import type { Report } from '#core/snp/report.ts'
import { openRoot, type RootEntry } from '#core/snp/roots.ts'
import type { UnixSeconds } from '#core/time.ts'
import type { Kds } from './kds.ts'

/** A root with both intermediates. */
export type WholeRoot = RootEntry & { readonly ask: Uint8Array; readonly asvk: Uint8Array }

/**
 * Both chains must end at the trusted ARK, byte for byte, and it must have signed ASK and ASVK. `step` is
 * told of each answer. Throws `chain.*` and `kds.*`.
 */
export async function fetchIntermediates(
  kds: Kds,
  { product, ark, simulated }: RootEntry,
  step: <T>(answer: Promise<T>) => Promise<T>,
  signal: AbortSignal,
): Promise<WholeRoot> {
  const vcek = await step(kds.chain('vcek', product, signal))
  const vlek = await step(kds.chain('vlek', product, signal))
  for (const chain of [vcek, vlek])
    if (!sameBytes(chain.ark, ark))
      throw new CodedError(
        'chain.untrusted',
        `the ARK of ${product} that the service gave has SHA-256 ${toHex(sha256(chain.ark))}, the trusted one ${toHex(sha256(ark))}`,
      )
  const root = { product, ark, ask: vcek.intermediate, asvk: vlek.intermediate, simulated }
  openRoot(root)
  return root
}

/**
 * A revocation list that the root signed, that is no older than the held one, and that does not revoke the
 * root's own intermediates. Throws `crl.*` and `chain.revoked`.
 */
export function verifyCrl(der: Buffer, entry: RootEntry, held: Buffer | undefined): Crl {
  const root = openRoot(entry)
  const crl = openCrl(der, [root])
  const revoked = root.authorities.find(({ serial }) => crl.revoked.has(serial))
  if (revoked !== undefined)
    throw new CodedError(
      'chain.revoked',
      `${revoked.subject} with serial number ${revoked.serial} is revoked`,
    )
  const before = held === undefined ? undefined : openIfGood(held, root)
  if (before !== undefined && isOlder(crl, before))
    throw new CodedError(
      'crl.superseded',
      `the list of ${crl.product} is number ${crl.number}, the held one is number ${before.number}`,
    )
  return crl
}

/** A held file that is not a list of this root may be replaced. */
function openIfGood(der: Buffer, root: ReturnType<typeof openRoot>): Crl | undefined {
  try {
    return openCrl(der, [root])
  } catch (error) {
    if (error instanceof CodedError) return undefined
    throw error
  }
}

export type VerifiedLeaf = {
  readonly der: Buffer
  readonly wanted: WantedLeaf & { readonly hardwareId: Uint8Array }
}

/**
 * The VCEK of the report's key, if the report may come from this root's product. A version 2 report does not
 * name its product, so an unknown chip then is no fault. Throws `chain.*` and `kds.*`.
 */
export async function fetchLeaf(
  kds: Kds,
  {
    report,
    wanted,
    root,
  }: { readonly report: Report; readonly wanted: readonly WantedLeaf[]; readonly root: RootEntry },
  at: UnixSeconds,
  signal: AbortSignal,
): Promise<VerifiedLeaf | undefined> {
  const one = wanted.find(({ product }) => product === root.product)
  if (one?.hardwareId === undefined) return undefined
  const { product, hardwareId, tcb } = one
  try {
    const der = await kds.vcek(product, hardwareId, tcb, signal)
    if (!isLeafOf(der, one, report))
      throw new CodedError(
        'chain.untrusted',
        'the certificate that the service gave is not of the key that signed the report',
      )
    new TrustStore([root]).endorse([der], 'vcek', at)
    return { der, wanted: { ...one, hardwareId } }
  } catch (error) {
    if (codeOf(error) === 'kds.unknown' && wanted.length > 1) return undefined
    throw error
  }
}
