/**
 * How a program ends. The first SIGTERM or SIGINT aborts `signal`: finish or release what is in hand, start nothing
 * new. The second leaves at once, and so does a drain that takes longer than it may: everything that counts is durable
 * before it is acted on, so leaving early costs a retry and nothing else.
 */
export type Shutdown = {
  readonly signal: AbortSignal
  /** Ends the process for a reason of its own, as the first signal would. */
  readonly request: (reason: string) => void
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

export function listenForShutdown(drainMilliseconds: number, onRequest: (reason: string) => void): Shutdown {
  const controller = new AbortController()
  const request = (reason: string) => {
    if (controller.signal.aborted) return
    onRequest(reason)
    controller.abort(new Error(reason))
    setTimeout(() => process.exit(75), drainMilliseconds).unref()
  }
  for (const name of SIGNALS)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(75)
      request(name)
    })
  return { signal: controller.signal, request }
}
