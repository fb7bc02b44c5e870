/** Routes: patterns of paths, and the search for the route of a request. */
import { OciError, type Route, type Service } from './service.ts'

export type Match = {
  readonly service: Service
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/**
 * Finds the route of a method and a raw path. Parameters are percent-decoded; a malformed escape throws 400.
 */
export function createRouter(
  services: readonly Service[],
): (method: string, path: string) => Match | undefined {
  const table = services.flatMap((service) =>
    service.routes.map((route) => ({ service, route, pattern: compile(route.pattern) })),
  )
  return (method, path) => {
    for (const { service, route, pattern } of table) {
      if (route.method !== method) continue
      const match = pattern.exec(path)
      if (match !== null) return { service, route, params: decode(match.groups ?? {}) }
    }
    return undefined
  }
}

function compile(pattern: string): RegExp {
  const source = pattern
    .split('/')
    .map((segment) => {
      if (segment.startsWith(':')) return `(?<${segment.slice(1)}>[^/]+)`
      if (segment.startsWith('*')) return `(?<${segment.slice(1)}>.+)`
      return segment.replaceAll('.', '\\.')
    })
    .join('/')
  return new RegExp(`^${source}$`)
}

function decode(groups: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]))
  } catch {
    throw new OciError(400, 'InvalidParameter', 'the path is not valid percent-encoded UTF-8')
  }
}
