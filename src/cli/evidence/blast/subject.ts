/** What has been found to be bad: a machine, a client, a file or a key. */
import { CodedError } from '#core/errors.ts'

/** By the form of the name. A client is whatever has none of the other forms. */
const FORMS = [
  ['measurement', /^[0-9a-f]{96}$/],
  ['chip', /^[0-9a-f]{128}$/],
  ['seal', /^[0-9a-f]{32}$/],
  ['boot', /^[a-z2-7]{26}$/],
  ['key', /^ocid1\.key\./],
  ['client', /^[a-z0-9][a-z0-9._-]{0,63}$/],
] as const
type SubjectKind = (typeof FORMS)[number][0]

export type Subject = { readonly kind: SubjectKind; readonly id: string }

/** Throws `usage.invalid` for what has no such form. */
export function subjectOf(text: string): Subject {
  const found = FORMS.find(([, form]) => form.test(text))
  if (found === undefined)
    throw new CodedError(
      'usage.invalid',
      `the subject ${text} is no measurement (96 hex digits), chip (128), sealed file (32), boot, key or client`,
    )
  return { kind: found[0], id: text }
}
