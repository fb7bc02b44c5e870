/**
 * The end of a program. The first SIGTERM or SIGINT aborts `signal`: finish or give back current work, start
 * nothing new. The second ends the process at once, and so does a drain that exceeds its limit. Everything
 * that counts is durable before it has an effect, so an early end costs a retry and nothing else.
 */
export type Shutdown = {
  readonly signal: AbortSignal
  /** Resolves with the first request. */
  readonly requested: Promise<void>
  /** Drains for a reason of the program's own, as after the first signal. */
  readonly request: (reason: string) => void
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

let endAtOnce: (() => never) | undefined

/**
 * Until `listenForShutdown`: a program that starts has done nothing yet, so it ends at once and in order. A
 * call that should print or check something has not done so, and its end says that.
 */
export function endAtOnceOnSignal(parameters: readonly string[]): void {
  const serves = parameters.every(
    (parameter) => !parameter.startsWith('-') || /^--config(=|$)/.test(parameter),
  )
  const end = () => process.exit(serves ? 0 : 75)
  for (const name of SIGNALS) process.on(name, end)
  // Its files are read in any case. Without a listener this signal would end it.
  process.on('SIGHUP', () => {})
  endAtOnce = end
}

/** From here on the caller's own handlers decide. */
export function leaveSignals(): void {
  if (endAtOnce !== undefined) for (const name of SIGNALS) process.off(name, endAtOnce)
  endAtOnce = undefined
}

export function listenForShutdown(drainMilliseconds: number, onRequest: (reason: string) => void): Shutdown {
  const controller = new AbortController()
  const { promise: requested, resolve } = Promise.withResolvers<void>()
  const request = (reason: string) => {
    if (controller.signal.aborted) return
    onRequest(reason)
    controller.abort(new Error(reason))
    resolve()
    setTimeout(() => process.exit(75), drainMilliseconds).unref()
  }
  leaveSignals()
  for (const name of SIGNALS)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(75)
      request(name)
    })
  return { signal: controller.signal, requested, request }
}
