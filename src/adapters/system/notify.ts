/** Readiness and liveness for systemd (sd_notify(3)), through the native addon. */
import { CodedError } from '#core/errors.ts'
import { loadAddon } from './addon.ts'

/** The variables by which systemd requests notifications. A program's main.ts passes them on. */
export type NotifyEnvironment = {
  readonly NOTIFY_SOCKET?: string | undefined
  readonly WATCHDOG_USEC?: string | undefined
}

export type Notifier = {
  readonly ready: () => void
  readonly stopping: () => void
  /** One line for `systemctl status`, without secrets and without patient data. */
  readonly status: (text: string) => void
  /**
   * From now on tells systemd, at half its interval, that this process is alive, as long as the event loop
   * turns and `isAlive` agrees. Returns a function that ends it. Does nothing if systemd does not watch.
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
 * Sends to `NOTIFY_SOCKET`; does nothing without it. Throws `sev.unavailable` if systemd waits for a
 * notification and the addon, which sends it, is missing. A message that cannot be sent is dropped, because
 * systemd has its own time limits.
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
