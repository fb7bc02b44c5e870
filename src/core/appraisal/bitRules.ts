/** How named bits are held against a reference, and what to say of those that are otherwise. */
import type { BitRule } from './reference.ts'

export function bitViolations<Name extends string>(
  bits: Readonly<Record<Name, boolean>>,
  rules: Readonly<Record<Name, BitRule>>,
): readonly { readonly name: Name; readonly expected: string; readonly actual: string }[] {
  // Object.keys forgets that the keys are those of `rules`.
  const names = Object.keys(rules) as Name[]
  return names
    .filter((name) => rules[name] !== 'any' && bits[name] !== (rules[name] === 'required'))
    .map((name) => ({
      name,
      expected: rules[name] === 'required' ? 'set' : 'clear',
      actual: bits[name] ? 'set' : 'clear',
    }))
}
