/** The names under which the witness keeps its objects, beside the Verifiers' logs. */
const NAME = /^(?:commit\/[0-9a-f]{64}|witnessed\/[a-z2-7]{26}\/[0-9]{20})$/

export function isWitnessName(name: string): boolean {
  return NAME.test(name)
}
