/**
 * The union of a dataset's consent lists. The result depends on the set of lists only. No id is read for it: a
 * list that one key signs only adds, and a quorum's list names what it replaces.
 */
import { type SigningJwk, thumbprint } from '../jwk.ts'
import type { QuorumRoot } from '../jws.ts'
import { MAX_LIST_BYTES } from '../sealed/consentList.ts'
import type { Consent } from './consent.ts'
import { type GovernanceDocument, personsOf } from './document.ts'
import { digestOfLists } from './revocationUnion.ts'

/** Each costs a call of the Vault and a read of the worker. A quorum's list replaces many. */
export const MAX_LISTS = 64
/** Sealed, of all together: a worker holds them in memory. */
const MAX_BYTES = MAX_LIST_BYTES

type List = GovernanceDocument<Consent>

export type ConsentUnion = {
  /** How many lists there have ever been. It only rises. */
  readonly seq: number
  /** SHA-256 over the sorted digests of these lists. */
  readonly digest: string
  /** These lists, the oldest first. */
  readonly lists: readonly Pick<List, 'digest' | 'issuedAt'>[]
  /** Those in force: their union is who has withdrawn. The oldest first. */
  readonly inForce: readonly Consent[]
  /** Why they cannot be used; empty if they can. */
  readonly problem: string
  /** Signed neither by a consent key nor by a quorum. */
  readonly unsigned: readonly List[]
}

/** `lists` are of this dataset and for this deployment, each once. */
export function uniteConsents(
  lists: readonly List[],
  root: QuorumRoot,
  consentKeys: readonly SigningJwk[],
  excluded: ReadonlySet<string>,
): ConsentUnion {
  const persons = new Set(root.keys.map(({ jwk }) => thumbprint(jwk)))
  const may = new Set(consentKeys.map(thumbprint))
  const hasQuorum = ({ signers }: List) =>
    personsOf({ signers: signers.filter(({ kid }) => persons.has(kid)) }, excluded) >= root.threshold
  const mayAdd = ({ signers }: List) => signers.some(({ kid }) => may.has(kid) && !excluded.has(kid))
  const replaced = new Set(lists.filter(hasQuorum).flatMap(({ content }) => content?.replaces ?? []))
  const sorted = lists.toSorted((a, b) => a.issuedAt - b.issuedAt || (a.digest < b.digest ? -1 : 1))
  const counts = (list: List) => hasQuorum(list) || mayAdd(list)
  const inForce = sorted
    .filter((list) => counts(list) && !replaced.has(list.digest))
    .flatMap(({ content }) => content ?? [])
  return {
    seq: lists.length,
    digest: digestOfLists(lists.map(({ digest }) => digest)),
    lists: sorted.map(({ digest, issuedAt }) => ({ digest, issuedAt })),
    inForce,
    problem: problemOf(inForce),
    unsigned: lists.filter((list) => !counts(list)),
  }
}

function problemOf(lists: readonly Consent[]): string {
  const bytes = lists.reduce((sum, { list }) => sum + list.bytes, 0)
  if (lists.length === 0) return 'no list is in force'
  if (lists.length > MAX_LISTS) return `${lists.length} lists are in force, at most ${MAX_LISTS} are allowed`
  if (bytes > MAX_BYTES) return `the lists in force have ${bytes} bytes, at most ${MAX_BYTES} are allowed`
  return ''
}
