/** Watches TLS files while a program runs: takes new ones, and says when a certificate or a list ends. */
import { Gauge, type Registry } from 'prom-client'
import type { Clock } from '#ports/clock.ts'
import { errorFields, type Log } from './log.ts'
import type { Reload } from './reload.ts'
import type { Expiry, OwnTls, TlsFiles } from './tlsFiles.ts'

/** Files are read, not watched: links that move and credentials of systemd give no reliable event. */
const POLL_MILLISECONDS = 30_000
const SOON_DAYS = 14
const DAY_SECONDS = 86_400

/** Resolves when `signal` is aborted. Reads the files every 30 seconds and on SIGHUP. */
export async function watchTlsFiles(
  files: Pick<TlsFiles<OwnTls>, 'refresh' | 'expiries'>,
  options: {
    readonly clock: Pick<Clock, 'now'>
    readonly log: Pick<Log, 'info' | 'warn' | 'error'>
    readonly reload: Reload
    readonly signal: AbortSignal
  },
): Promise<void> {
  const { clock, log, reload, signal } = options
  const tell = expiryTeller(clock, log)
  let keeping = false
  while (!signal.aborted) {
    for (const expiry of files.expiries()) tell(expiry)
    try {
      await reload.pause(POLL_MILLISECONDS, signal)
      const changed = await files.refresh()
      if (changed || keeping) log.info('TLS files in use', { changed })
      keeping = false
    } catch (error) {
      if (signal.aborted) return
      if (!keeping) log.error('TLS files refused, the last ones stay', errorFields(error))
      keeping = true
    }
  }
}

/** One line per file and day, from two weeks before its end on. */
function expiryTeller(clock: Pick<Clock, 'now'>, log: Pick<Log, 'warn' | 'error'>): (expiry: Expiry) => void {
  const told = new Map<string, string>()
  return ({ what, file, serial, notAfter }) => {
    const days = daysLeft(notAfter, clock.now())
    if (days >= SOON_DAYS) return
    const state = `${serial} ${Math.floor(days)}`
    if (told.get(file) === state) return
    told.set(file, state)
    const fields = { file, serial, notAfter: new Date(notAfter * 1000).toISOString() }
    if (days > 0) log.warn(`${what} expires`, { ...fields, daysLeft: Math.floor(days) })
    else log.error(`${what} has expired`, fields)
  }
}

/** Read at each scrape. */
export function publishExpiries(
  registry: Registry,
  files: Pick<TlsFiles<OwnTls>, 'expiries'>,
  clock: Pick<Clock, 'now'>,
): void {
  new Gauge({
    name: 'cw_certificate_days_left',
    help: "Until the first certificate or revocation list of this field's file ends, negative afterwards",
    labelNames: ['file'],
    registers: [registry],
    collect() {
      for (const { file, notAfter } of files.expiries()) this.set({ file }, daysLeft(notAfter, clock.now()))
    },
  })
}

function daysLeft(notAfter: number, now: number): number {
  return (notAfter - now) / DAY_SECONDS
}
