/** Which of the requested scopes no granted scope covers. */
export function uncoveredScopes(requested: readonly string[], granted: readonly string[]): readonly string[] {
  return requested.filter((scope) => !granted.includes(scope))
}
