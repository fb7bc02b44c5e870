/** Every release of a collection with its machine and its objects, joined from the entries of an audit. */
import { BoundedMap } from '#core/evidence/audit/bounded.ts'
import type { AnyLogged } from '#core/evidence/audit/log/log.ts'
import type { AllowedRelease, RefusedRelease } from '#core/evidence/audit/report.ts'

export type ReleaseFacts = Pick<
  AllowedRelease,
  | 'releaseId'
  | 'time'
  | 'boot'
  | 'client'
  | 'dataset'
  | 'permission'
  | 'policySeq'
  | 'reference'
  | 'status'
  | 'resultId'
> & {
  readonly measurement: string
  /** Names the recorded request, which has the report. */
  readonly requestDigest: string
  readonly headerDigests: readonly string[]
}

type Request = { readonly measurement: string; readonly requestDigest: string }

/** Requests whose releases are still to come. */
const MAX_REQUESTS = 65_536

export class ReleaseBook {
  readonly #requests = new BoundedMap<string, Request>(MAX_REQUESTS)
  readonly #decided = new Map<string, Request & { readonly headerDigests: readonly string[] }>()
  readonly releases: ReleaseFacts[] = []

  addEntry({ boot, index, entry }: AnyLogged): void {
    if (entry.event === 'worker.accepted') {
      const { measurement, requestDigest } = entry
      this.#requests.set(`${boot}/${index}`, { measurement, requestDigest })
    }
    if (entry.event !== 'release.decided') return
    const request = this.#requests.get(`${boot}/${entry.accepted}`)
    if (request !== undefined)
      this.#decided.set(entry.releaseId, { ...request, headerDigests: entry.headerDigests })
  }

  /** The outcome follows the entries. */
  addRelease(release: AllowedRelease | RefusedRelease): void {
    if (release.kind === 'refused') return
    const { releaseId, time, boot, client, dataset, permission, policySeq, reference, status, resultId } =
      release
    const decided = this.#decided.get(releaseId)
    if (decided === undefined) return
    this.#decided.delete(releaseId)
    this.releases.push({
      ...{ releaseId, time, boot, client, dataset, permission, policySeq, reference, status, resultId },
      ...decided,
    })
  }
}
