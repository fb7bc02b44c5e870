/** The changes from one policy to the next for people. */
import { labelled, wrap } from '#cli/textBlock.ts'
import type { Policy } from '#core/policy/policy.ts'
import type { Change, Direction } from './diff.ts'

const LABELS: Readonly<Record<Direction, string>> = {
  again: '!! AGAIN',
  wider: '++ WIDER',
  changed: '?? changed',
  narrower: '-- narrower',
}
const WIDTH = 13

export function renderDiff(before: Policy, after: Policy, changes: readonly Change[]): string {
  const count = (direction: Direction) => changes.filter((change) => change.direction === direction).length
  const [again, wider, changed, narrower] = [
    count('again'),
    count('wider'),
    count('changed'),
    count('narrower'),
  ]
  const head = `Policy ${before.seq} → ${after.seq} of ${after.tenant}`
  if (changes.length === 0) return `${head}: nothing changes.\n`
  const counts = `${wider} let MORE out, ${narrower} let less out, ${changed} must be looked at, ${again} ask the same question AGAIN.`
  const lines = changes.map(({ direction, where, what }) =>
    labelled(LABELS[direction], wrap(`${where}: ${what}`), WIDTH),
  )
  return `${wrap(`${head}. ${counts}`)}\n\n${lines.join('\n')}\n`
}
