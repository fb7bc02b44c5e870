/** Compares named bits with their rules. */
import type { BitRule } from './reference.ts'

/** The bits that break their rule, in the order of the rules. */
export function bitViolations<Name extends string>(
  bits: Readonly<Record<Name, boolean>>,
  rules: Readonly<Record<Name, BitRule>>,
): readonly { readonly name: Name; readonly expected: string; readonly actual: string }[] {
  // Object.keys drops the type of the keys, which are those of `rules`.
  const names = Object.keys(rules) as Name[]
  return names
    .filter((name) => rules[name] !== 'any' && bits[name] !== (rules[name] === 'required'))
    .map((name) => ({
      name,
      expected: rules[name] === 'required' ? 'set' : 'clear',
      actual: bits[name] ? 'set' : 'clear',
    }))
}
