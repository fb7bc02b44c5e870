/**
 * What a requester may choose as text, as evidence names it: by digest. Entries are kept for years and read by
 * many; a name that the policy does not have could be a person's.
 */
import { sha256, toBase64url, utf8 } from '../bytes.ts'

/** The text itself if it is `known`: the policy has it, so the provider wrote it. */
export function named(text: string, known: boolean): string {
  return known ? text : digestOfText(text)
}

export function digestOfText(text: string): string {
  return `SHA-256 ${toBase64url(sha256(utf8(text)))}`
}
