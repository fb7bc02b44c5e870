/**
 * A consumer group: committed offsets, and the instance that holds each partition. An instance that is silent
 * for its timeout loses its membership and its partitions. The next holder reads the uncommitted messages
 * again.
 */
import { randomUUID } from 'node:crypto'
import type { GroupCursor } from './cursor.ts'
import { invalidCursor, unreserved } from './requests.ts'

type Reservation = { readonly instance: string; readonly epoch: string }
type Member = { readonly until: number; readonly timeoutMs: number }

export type Group = {
  readonly name: string
  /** By partition: the offset where the group continues. */
  readonly committed: number[]
  /** By partition. Invariant: the instance of every reservation is a member. */
  readonly reservations: Map<number, Reservation>
  readonly members: Map<string, Member>
}

export type GroupLog = {
  readonly commit: (group: Group, partition: number, offset: number) => void
  readonly reserve: (group: Group, partition: number, reservation: Reservation | undefined) => void
}

/** Adds the instance to the group or renews its membership, and fills up its fair share of partitions. */
export function attend(
  group: Group,
  { instance, timeoutMs }: { readonly instance: string; readonly timeoutMs: number },
  now: number,
  log: GroupLog,
): void {
  expire(group, now, log)
  group.members.set(instance, { until: now + timeoutMs, timeoutMs })
  const share = Math.ceil(group.committed.length / group.members.size)
  const held = heldBy(group, instance)
  // OCI announces no rebalance: an instance with too many partitions loses some at its next call, here the
  // highest.
  for (const partition of held.slice(share)) setReservation(group, partition, undefined, log)
  let missing = share - held.length
  for (const partition of group.committed.keys()) {
    if (missing <= 0) break
    if (group.reservations.has(partition)) continue
    setReservation(group, partition, { instance, epoch: randomUUID() }, log)
    missing -= 1
  }
}

/** Renews a membership that has not expired. An expired one stays lost. */
export function prolong(group: Group, instance: string, now: number, log: GroupLog): void {
  expire(group, now, log)
  const member = group.members.get(instance)
  if (member !== undefined) group.members.set(instance, { ...member, until: now + member.timeoutMs })
}

/** Commits all partitions of the cursor or none. Throws 400 if the instance has lost one of them. */
export function commit(group: Group, cursor: GroupCursor, now: number, log: GroupLog): void {
  prolong(group, cursor.instance, now, log)
  for (const { partition, epoch } of cursor.read)
    if (group.reservations.get(partition)?.epoch !== epoch) throw unreserved()
  for (const { partition, next } of cursor.read) {
    const committed = group.committed[partition]
    if (committed === undefined) throw invalidCursor()
    if (next <= committed) continue
    log.commit(group, partition, next)
    group.committed[partition] = next
  }
}

/** In ascending order. */
export function heldBy(group: Group, instance: string): readonly number[] {
  return [...group.committed.keys()].filter(
    (partition) => group.reservations.get(partition)?.instance === instance,
  )
}

export function expire(group: Group, now: number, log: GroupLog): void {
  for (const [instance, { until }] of group.members) {
    if (until <= now) leave(group, instance, log)
  }
}

/** Ends a membership and its reservations. The instance learns of it at its next call. */
export function leave(group: Group, instance: string, log: GroupLog): void {
  for (const partition of heldBy(group, instance)) setReservation(group, partition, undefined, log)
  group.members.delete(instance)
}

function setReservation(
  group: Group,
  partition: number,
  reservation: Reservation | undefined,
  log: GroupLog,
): void {
  log.reserve(group, partition, reservation)
  if (reservation === undefined) group.reservations.delete(partition)
  else group.reservations.set(partition, reservation)
}
