/** The contract of the ReleaseService port. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CodedError, type ErrorCode } from '#core/errors.ts'
import type { Challenge } from '#core/release/nonce.ts'
import type { ReleaseResponse } from '#core/release/request.ts'
import type { ReleaseService } from '#ports/releaseService.ts'
import { DecidedRefusal } from '../../src/verifier/decidedRefusal.ts'
import { challenge, request, response } from '../adapters/http/tlsServers.ts'
import { coded } from './subject.ts'

/** What the Verifier behind the service does with each call. */
export type ScriptedVerifier = {
  readonly challenge: () => Challenge
  readonly release: (request: unknown) => Promise<ReleaseResponse>
}

export type ReleaseSetup = {
  readonly service: ReleaseService
  /** Ends the Verifier; the service stays. */
  readonly stop: () => Promise<void>
}

const refusing = (code: ErrorCode) => async () => {
  throw new CodedError(code, 'the reason stays with the Verifier')
}

export function testReleaseService(
  name: string,
  open: (t: TestContext, verifier: ScriptedVerifier) => Promise<ReleaseSetup>,
): void {
  const rule = (
    says: string,
    run: (start: (changes?: Partial<ScriptedVerifier>) => Promise<ReleaseSetup>) => Promise<void>,
  ): void => {
    test(`${name}: ${says}`, async (t) => {
      await run((changes = {}) =>
        open(t, { challenge: () => challenge, release: async () => response, ...changes }),
      )
    })
  }

  rule('a challenge arrives as the Verifier made it', async (start) => {
    const { service } = await start()
    assert.deepEqual(await service.challenge(), challenge)
  })

  rule('a request reaches the Verifier unchanged, and its answer comes back unchanged', async (start) => {
    const received: unknown[] = []
    const { service } = await start({
      release: async (body) => {
        received.push(body)
        return response
      },
    })
    assert.deepEqual(await service.release(request, challenge.nonce), response)
    assert.deepEqual(received, [request])
  })

  rule('the refusal of one object is an answer and not an error', async (start) => {
    const { service } = await start()
    const answer = await service.release(request, challenge.nonce)
    assert.deepEqual('answers' in answer && answer.answers, response.answers)
  })

  rule('a signed refusal of the whole request is an answer', async (start) => {
    const { verifierKeys, grantKey, freshness } = response
    const refused = { verifierKeys, grantKey, freshness, refusal: 'a.b.c' }
    for (const code of ['tcb.below-floor', 'policy.stale', 'internal.fault'] as const) {
      const { service } = await start({
        release: async () => {
          throw new DecidedRefusal({ code, denialId: 'ab'.repeat(16) }, refused)
        },
      })
      assert.deepEqual(await service.release(request, challenge.nonce), refused)
    }
  })

  for (const { code, thrown } of [
    { code: 'nonce.spent', thrown: 'nonce.spent' },
    { code: 'policy.stale', thrown: 'policy.stale' },
    { code: 'tcb.below-floor', thrown: 'refusal.unsigned' },
    { code: 'object.withdrawn', thrown: 'refusal.unsigned' },
  ] as const)
    rule(`a refusal of the whole request that is not signed waits: ${code}`, async (start) => {
      const { service } = await start({ release: refusing(code) })
      await assert.rejects(service.release(request, challenge.nonce), (error) => {
        assert.ok(error instanceof CodedError)
        assert.equal(error.code, thrown)
        assert.match(error.message, new RegExp(` ${code}, denial [0-9a-f]{32}, not signed$`))
        return true
      })
    })

  rule('a fault inside the Verifier is unavailability, never a fault of the worker', async (start) => {
    const { service } = await start({ release: refusing('internal.fault') })
    await assert.rejects(service.release(request, challenge.nonce), coded('verifier.unavailable'))
  })

  rule('an answer of another shape is not trusted', async (start) => {
    const { service } = await start({
      challenge: () => ({ ...challenge, surplus: 1 }),
      release: async () => ({ ...response, surplus: 1 }),
    })
    await assert.rejects(service.challenge(), coded('verifier.untrusted'))
    await assert.rejects(service.release(request, challenge.nonce), coded('verifier.untrusted'))
  })

  rule('a Verifier that stopped is unavailable', async (start) => {
    const { service, stop } = await start()
    await service.challenge()
    await stop()
    await assert.rejects(service.challenge(), coded('verifier.unavailable'))
    await assert.rejects(service.release(request, challenge.nonce), coded('verifier.unavailable'))
  })

  rule('a call is sent once: a refusal that may pass is not repeated', async (start) => {
    let calls = 0
    const { service } = await start({
      release: async () => {
        calls += 1
        throw new CodedError('verifier.unavailable', 'busy')
      },
    })
    await assert.rejects(service.release(request, challenge.nonce), { code: 'verifier.unavailable' })
    assert.equal(calls, 1)
  })

  rule('calls overlap, and each gets its own answer', async (start) => {
    const { service } = await start({
      release: async (body) => ({ ...response, grantKey: `${Reflect.get(Object(body), 'runtimeData')}.b.c` }),
    })
    const names = ['AA', 'BB', 'CC', 'DD']
    const answers = await Promise.all(
      names.map((runtimeData) => service.release({ ...request, runtimeData }, challenge.nonce)),
    )
    assert.deepEqual(
      answers.map(({ grantKey }) => grantKey),
      names.map((runtimeData) => `${runtimeData}.b.c`),
    )
  })

  rule('an abort before a call rejects with the reason, and nothing is sent', async (start) => {
    let calls = 0
    const { service } = await start({
      release: async () => {
        calls += 1
        return response
      },
    })
    const reason = new Error('the worker stops')
    await assert.rejects(service.release(request, challenge.nonce, AbortSignal.abort(reason)), reason)
    await assert.rejects(service.challenge(AbortSignal.abort(reason)), reason)
    assert.equal(calls, 0)
  })

  rule('an abort during a call rejects at once with the reason; the next call works', async (start) => {
    const arrived = Promise.withResolvers<void>()
    const gate = Promise.withResolvers<void>()
    const { service } = await start({
      release: async () => {
        arrived.resolve()
        await gate.promise
        return response
      },
    })
    const reason = new Error('the worker stops')
    const ending = new AbortController()
    const waiting = service.release(request, challenge.nonce, ending.signal)
    await arrived.promise
    ending.abort(reason)
    await assert.rejects(waiting, reason)
    gate.resolve()
    assert.deepEqual(await service.release(request, challenge.nonce), response)
  })
}
