import { toBase64url } from '#core/bytes.ts'
import { CollectionBuilder, randomId, traceparent } from './collectionBuilder.ts'

/**
 * Everything that a healthy collection may hold: three workers, one of which dies repeatedly and one is
 * refused.
 */
export async function writeWholeCollection(dir: string) {
  const builder = await CollectionBuilder.create(dir)
  const verifier = await builder.boot('verifier')
  const alive = await builder.boot('worker')
  const dead = await builder.boot('worker')
  const stranger = await builder.boot('worker', 'unregistered')
  verifier.log.append(builder.loaded())
  for (const { boot } of [alive, dead]) verifier.log.append(builder.registered(boot))

  const first = await builder.release(verifier, alive)
  builder.now += 10
  const made = await builder.publish(alive, first)

  // The worker dies with the key, the next answer is lost, and a third release finishes the work.
  const abandoned = await builder.release(verifier, dead)
  const { headerDigests, jobId } = abandoned
  const undelivered = await builder.decide(verifier, alive, { headerDigests })
  await builder.issue(verifier, undelivered)
  const again = await builder.release(verifier, alive, { headerDigests, jobId })
  const second = await builder.publish(alive, again, { parts: 'none' })

  // The worker dies between manifest and result.visible; the next one finds the manifest.
  const unlogged = await builder.release(verifier, dead)
  const third = await builder.publish(dead, unlogged, { visible: 'none' })
  const late = await builder.release(verifier, alive, { headerDigests: unlogged.headerDigests })
  alive.log.append({
    event: 'result.superseded',
    releaseId: late.releaseId,
    resultId: third.resultId,
    manifestDigest: third.digest,
  })

  const withheld = await builder.decide(verifier, alive)
  await builder.fail(verifier, withheld, 'service.unavailable')
  const failed = await builder.release(verifier, alive)
  const poison = { jobId: failed.jobId, traceparent, code: 'workload.failed' } as const
  alive.log.append({ event: 'job.failed', ...poison, releaseId: failed.releaseId })
  alive.log.append({ event: 'job.dead-lettered', ...poison, attempts: 1, headerDigests: [] })
  const returned = await builder.release(verifier, alive)
  const later = {
    jobId: returned.jobId,
    traceparent,
    code: 'service.unavailable',
    notBefore: builder.now,
  } as const
  const { notBefore: _notBefore, ...why } = later
  alive.log.append({ event: 'job.failed', ...why, releaseId: returned.releaseId })
  alive.log.append({ event: 'job.returned', ...later })
  // A worker dies each time until its job is set aside.
  const exhausted = await builder.release(verifier, dead)
  const killer = { jobId: exhausted.jobId, traceparent, code: 'job.exhausted' } as const
  alive.log.append({ event: 'job.failed', ...killer, releaseId: null })
  alive.log.append({ event: 'job.dead-lettered', ...killer, attempts: 3, headerDigests: [] })

  const refusal = await builder.refuse(verifier, stranger)
  for (const minute of [builder.now, builder.now + 60])
    verifier.log.append({
      event: 'requests.refused',
      code: 'nonce.expired',
      caller: toBase64url(Buffer.alloc(32)),
      minute,
      count: 3,
    })
  stranger.log.append({
    event: 'release.denied',
    jobId: randomId(),
    traceparent,
    denialId: refusal.denialId,
    code: 'guest-policy.debug',
  })
  await stranger.log.flush()
  await alive.log.close('drained')
  await verifier.log.close('stopped')
  const boots = { verifier, alive, dead, stranger }
  const releases = {
    first,
    abandoned,
    undelivered,
    again,
    unlogged,
    late,
    withheld,
    failed,
    returned,
    exhausted,
  }
  return { boots, releases, made, second, third, refusal }
}
