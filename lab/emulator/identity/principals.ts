/**
 * The principals: users by their API keys; instances and functions by their OCIDs, with their dynamic groups.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { type EmulatorConfig, tenancyOf } from '#lab/emulator/config.ts'
import { type Condition, isMet, parseMatchingRule } from '#lab/emulator/policy/conditions.ts'
import type { Principal } from '#lab/emulator/service.ts'

type ApiKey = { readonly principal: Principal; readonly key: KeyObject }

export type Principals = {
  /** Finds by `<tenancy>/<user>/<fingerprint>`. */
  readonly apiKey: (keyId: string) => ApiKey | undefined
  readonly instance: (id: string) => Principal | undefined
  readonly function: (id: string) => Principal | undefined
}

/** Throws `config.invalid` if it does not understand a matching rule. */
export function createPrincipals(config: EmulatorConfig): Principals {
  const rules = config.dynamicGroups.map((group) => ({ ...group, condition: parseMatchingRule(group.rule) }))
  const dynamicGroups = (tenancyId: string, variables: Readonly<Record<string, string>>): readonly string[] =>
    rules
      .filter(
        (group: { tenancyId: string; condition: Condition }) =>
          group.tenancyId === tenancyId && isMet(group.condition, variables),
      )
      .map(({ id }) => id)

  const apiKeys = new Map<string, ApiKey>()
  for (const user of config.users) {
    const { id, tenancyId, groups } = user
    const principal: Principal = { kind: 'user', id, tenancyId, compartmentId: tenancyId, groups }
    for (const pem of user.apiKeys) {
      const key = createPublicKey(pem)
      apiKeys.set(`${tenancyId}/${id}/${fingerprintOf(key)}`, { principal, key })
    }
  }

  const instances = new Map<string, Principal>()
  for (const { id, compartmentId } of config.instances) {
    const tenancyId = tenancyOf(config, compartmentId)
    const groups = dynamicGroups(tenancyId, { 'instance.id': id, 'instance.compartment.id': compartmentId })
    instances.set(id, { kind: 'instance', id, tenancyId, compartmentId, groups })
  }

  const functions = new Map<string, Principal>()
  for (const { id, compartmentId } of config.functions) {
    const tenancyId = tenancyOf(config, compartmentId)
    const groups = dynamicGroups(tenancyId, {
      'resource.id': id,
      'resource.type': 'fnfunc',
      'resource.compartment.id': compartmentId,
    })
    functions.set(id, { kind: 'function', id, tenancyId, compartmentId, groups })
  }

  return {
    apiKey: (keyId) => apiKeys.get(keyId),
    instance: (id) => instances.get(id),
    function: (id) => functions.get(id),
  }
}

/** The fingerprint of an API key: MD5 of its SPKI DER, in hex with colons. */
export function fingerprintOf(key: KeyObject): string {
  const digest = createHash('md5')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')
  return colonHex(digest)
}

function colonHex(hex: string): string {
  return (hex.match(/../g) ?? []).join(':')
}
