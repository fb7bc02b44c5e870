/** Vault secrets behind the SecretStore port. */
import { requests, type SecretsClient } from 'oci-secrets'
import { CodedError } from '#core/errors.ts'
import { toUnixSeconds, type UnixSeconds } from '#core/time.ts'
import type { SecretStore } from '#ports/keyVault.ts'
import { fromBase64 } from './base64.ts'
import type { Http } from './http.ts'

const { Stage } = requests.GetSecretBundleRequest
const STAGES = { current: Stage.Current, previous: Stage.Previous }

export function createSecretStore(http: Http, client: SecretsClient): SecretStore {
  return {
    read: async (secretId, stage = 'current') => {
      const { secretBundle } = await http.call('getSecretBundle', () =>
        client.getSecretBundle({ secretId, stage: STAGES[stage] }),
      )
      const { secretBundleContent: content, versionNumber, timeCreated } = secretBundle
      if (content === undefined || !('content' in content) || typeof content.content !== 'string')
        throw new CodedError('service.failed', 'getSecretBundle: the bundle has no content')
      return {
        content: fromBase64(content.content, 'secret'),
        version: versionNumber,
        createdAt: secondsOf(timeCreated),
      }
    },
  }
}

/** The SDK says Date and gives the text of the answer. OCI may leave it out: then it is long ago. */
function secondsOf(time: Date | string | undefined): UnixSeconds {
  const milliseconds = time === undefined ? 0 : new Date(time).getTime()
  if (Number.isNaN(milliseconds))
    throw new CodedError('service.failed', 'getSecretBundle: timeCreated is not a time')
  return toUnixSeconds(Math.floor(milliseconds / 1000), 'timeCreated')
}
