/** Origins that a configuration names. */
import { z } from 'zod'

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|\[::1\]|localhost)$/

/** Scheme, host and port of a service, without a path. */
export const HttpOrigin = z
  .string()
  .regex(/^https?:\/\/[A-Za-z0-9.:[\]-]{1,255}$/, 'must be an http(s) origin without path')

/** The URL's host is this machine, by name or by address. */
export function isLoopback(url: string): boolean {
  return LOOPBACK.test(new URL(url).hostname)
}
