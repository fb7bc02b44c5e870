import { toBase64url } from '#core/bytes.ts'
import { randomId, Story, traceparent } from './story.ts'

/** Three workers, of which one dies twice over and one is refused: everything that a healthy collection holds. */
export async function tellWhole(dir: string) {
  const story = await Story.begin(dir)
  const verifier = await story.boot('verifier')
  const alive = await story.boot('worker')
  const dead = await story.boot('worker')
  const stranger = await story.boot('worker', 'unregistered')
  verifier.log.append(story.loaded())
  for (const { boot } of [alive, dead]) verifier.log.append(story.registered(boot))

  const first = await story.release(verifier, alive)
  story.now += 10
  const made = await story.publish(alive, first)

  // The worker dies with the key; an answer is lost on its way; a third release finishes the work.
  const abandoned = await story.release(verifier, dead)
  const { headerDigests, jobId } = abandoned
  const undelivered = await story.decide(verifier, alive, { headerDigests })
  await story.issue(verifier, undelivered)
  const again = await story.release(verifier, alive, { headerDigests, jobId })
  const second = await story.publish(alive, again, { parts: 'none' })

  // The worker dies between manifest and result.visible; the next one finds the manifest.
  const unlogged = await story.release(verifier, dead)
  const third = await story.publish(dead, unlogged, { visible: 'none' })
  const late = await story.release(verifier, alive, { headerDigests: unlogged.headerDigests })
  alive.log.append({
    event: 'result.superseded',
    releaseId: late.releaseId,
    resultId: third.resultId,
    manifestDigest: third.digest,
  })

  const withheld = await story.decide(verifier, alive)
  await story.fail(verifier, withheld, 'service.unavailable')
  const failed = await story.release(verifier, alive)
  const poison = { jobId: failed.jobId, traceparent, code: 'workload.failed' } as const
  alive.log.append({ event: 'job.failed', ...poison, releaseId: failed.releaseId })
  alive.log.append({ event: 'job.dead-lettered', ...poison, attempts: 1 })
  const returned = await story.release(verifier, alive)
  const later = {
    jobId: returned.jobId,
    traceparent,
    code: 'service.unavailable',
    notBefore: story.now,
  } as const
  alive.log.append({ event: 'job.returned', ...later })
  // A worker that dies each time until its job is set aside.
  const exhausted = await story.release(verifier, dead)
  alive.log.append({
    event: 'job.dead-lettered',
    jobId: exhausted.jobId,
    traceparent,
    code: 'job.exhausted',
    attempts: 4,
  })

  verifier.log.append(story.refusal(stranger.boot))
  for (const minute of [story.now, story.now + 60])
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
    denialId: randomId(),
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
  return { boots, releases, made, second, third }
}
