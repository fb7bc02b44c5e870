/**
 * Silence for the SDK, which prints to the console on every failure, retry and federation step. Everything
 * printed inside `quietly` is dropped, so that it can neither break the log's format nor carry a service's
 * message into it. The caller learns of failures by exceptions. Other code keeps its console.
 */
import { AsyncLocalStorage } from 'node:async_hooks'

const inside = new AsyncLocalStorage<true>()
const METHODS = ['debug', 'log', 'info', 'warn', 'error'] as const
let installed = false

export function quietly<T>(run: () => T): T {
  install()
  return inside.run(true, run)
}

function install(): void {
  if (installed) return
  installed = true
  const target = globalThis.console
  for (const method of METHODS) {
    const print = target[method].bind(target)
    target[method] = (...values: unknown[]) => {
      if (inside.getStore() === undefined) print(...values)
    }
  }
}
