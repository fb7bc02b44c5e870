/**
 * The union of revocation lists. The result depends on the set of lists only, never on the order in which
 * they were numbered, listed or read.
 */
import { sha256, toBase64url, utf8 } from '../bytes.ts'
import type { QuorumRoot } from '../jws.ts'
import { type GovernanceDocument, personsOf } from './document.ts'
import type { Revocation, Revoked } from './revocation.ts'

/** More of one signer's lists without a quorum are not read into the union. */
const MAX_LISTS = 64
const MAX_BYTES = 4 * 1024 * 1024

export type RevocationUnion = Revoked & {
  /** How many lists any signer has ever signed. It only rises. */
  readonly seq: number
  /** SHA-256 over the sorted digests of these lists. */
  readonly digest: string
  /** These lists, the oldest first. */
  readonly lists: readonly Pick<List, 'digest' | 'issuedAt'>[]
  /** The lists that the limit of their signer leaves out. While there are any, the union is not complete. */
  readonly excess: readonly List[]
}

type List = GovernanceDocument<Revocation>

/** `lists` are for this deployment, each once. */
export function uniteRevocations(
  lists: readonly List[],
  { threshold }: QuorumRoot,
  excluded: ReadonlySet<string>,
): RevocationUnion {
  const hasQuorum = (list: List) => personsOf(list, excluded) >= threshold
  const replaced = new Set(lists.filter(hasQuorum).flatMap(({ content }) => content?.replaces ?? []))
  const standing = lists
    .filter((list) => personsOf(list, excluded) > 0 && !replaced.has(list.digest))
    .sort((a, b) => a.seq - b.seq || (a.digest < b.digest ? -1 : 1))
  const excess = new Set(
    excessOf(
      standing.filter((list) => !hasQuorum(list)),
      excluded,
    ),
  )
  const counted = standing.flatMap((list) => (excess.has(list) ? [] : (list.content ?? [])))
  const union = (field: keyof Revoked) => [...new Set(counted.flatMap((content) => content[field]))]
  return {
    seq: lists.length,
    digest: digestOfLists(lists.map(({ digest }) => digest)),
    lists: lists
      .map(({ digest, issuedAt }) => ({ digest, issuedAt }))
      .sort((a, b) => a.issuedAt - b.issuedAt || (a.digest < b.digest ? -1 : 1)),
    referenceValues: union('referenceValues'),
    objects: union('objects'),
    boots: union('boots'),
    permissions: union('permissions'),
    excess: [...excess],
  }
}

function excessOf(lists: readonly List[], excluded: ReadonlySet<string>): readonly List[] {
  const used = new Map<string, { readonly lists: number; readonly bytes: number }>()
  return lists.filter(({ signers, size }) => {
    // Short of a quorum, a list is on the account of its first signer.
    const [person = ''] = signers.flatMap((signer) => (excluded.has(signer.kid) ? [] : signer.person)).sort()
    const before = used.get(person) ?? { lists: 0, bytes: 0 }
    const after = { lists: before.lists + 1, bytes: before.bytes + size }
    used.set(person, after)
    return after.lists > MAX_LISTS || after.bytes > MAX_BYTES
  })
}

/** SHA-256 over the sorted digests of lists. */
export function digestOfLists(digests: readonly string[]): string {
  return toBase64url(sha256(utf8([...digests].sort().join('\n'))))
}
