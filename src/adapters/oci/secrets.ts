/** Vault secrets behind the SecretStore port. */
import type { SecretsClient } from 'oci-secrets'
import { CodedError } from '#core/errors.ts'
import type { SecretStore } from '#ports/keyVault.ts'
import { fromBase64 } from './base64.ts'
import type { Http } from './http.ts'

export function createSecretStore(http: Http, client: SecretsClient): SecretStore {
  return {
    read: async (secretId) => {
      const { secretBundle } = await http.call('getSecretBundle', () => client.getSecretBundle({ secretId }))
      const content = secretBundle.secretBundleContent
      if (content === undefined || !('content' in content) || typeof content.content !== 'string')
        throw new CodedError('service.failed', 'getSecretBundle: the bundle has no content')
      return { content: fromBase64(content.content, 'secret'), version: secretBundle.versionNumber }
    },
  }
}
