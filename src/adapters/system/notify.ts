/** Readiness and liveness for systemd (sd_notify(3)), through the native addon. */
import { CodedError } from '#core/errors.ts'
import { loadAddon } from './addon.ts'

/** The variables of the environment by which systemd says what it wants to hear; a program's main.ts passes them on. */
export type NotifyEnvironment = {
  readonly NOTIFY_SOCKET?: string | undefined
  readonly WATCHDOG_USEC?: string | undefined
}

export type Notifier = {
  readonly ready: () => void
  readonly stopping: () => void
  /** One line for `systemctl status`; no secret and nothing of a patient. */
  readonly status: (text: string) => void
  /**
   * Tells systemd from now on, at half its interval, that this process is alive: as long as the event loop turns and
   * `isAlive` says so. Returns how to end it. Does nothing where systemd does not watch.
   */
  readonly watch: (isAlive: () => boolean) => () => void
}

const SILENT: Notifier = {
  ready: () => {},
  stopping: () => {},
  status: () => {},
  watch: () => () => {},
}

/**
 * Speaks to `NOTIFY_SOCKET`, or to nobody where that is absent. Throws `sev.unavailable` where systemd waits for word
 * and the addon, which alone can send it, is missing. A message that cannot be sent is dropped: systemd has its own
 * limits of time.
 */
export function createNotifier(environment: NotifyEnvironment): Notifier {
  const socket = environment.NOTIFY_SOCKET
  if (socket === undefined || socket === '') return SILENT
  const addon = loadAddon()
  if (addon instanceof CodedError) throw addon
  const send = (state: string) => {
    addon.notify(socket, state)
  }
  const milliseconds = Math.floor(Number(environment.WATCHDOG_USEC ?? 0) / 2000)
  return {
    ready: () => send('READY=1'),
    stopping: () => send('STOPPING=1'),
    status: (text) => send(`STATUS=${text.replaceAll('\n', ' ').slice(0, 200)}`),
    watch: (isAlive) => {
      if (!(milliseconds > 0)) return () => {}
      const timer = setInterval(() => {
        if (isAlive()) send('WATCHDOG=1')
      }, milliseconds).unref()
      return () => clearInterval(timer)
    },
  }
}
