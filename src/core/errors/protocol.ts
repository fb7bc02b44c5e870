/** The codes of key release and of sealed objects (core/release, core/sealed). */
import { type ErrorRow, rowsOf } from './coded.ts'

const general = rowsOf(null)
const request = rowsOf('request')
const nonce = rowsOf('nonce')
const grant = rowsOf('grant')
const custody = rowsOf('custody')

export const RELEASE_ERRORS = {
  'request.malformed': request.malformed(
    'the release request does not follow its schema or exceeds a limit',
    'compare the versions of worker and Verifier; otherwise a stranger sent it',
  ),
  // A new nonce may do: none of these says anything about the worker.
  'nonce.invalid': {
    ...nonce.later(
      'this Verifier did not issue the nonce for this audience',
      'wait: the worker asks again; if it persists, the replicas differ in audience or nonce secret, or their clocks by more than 30 seconds',
    ),
    http: 403,
  },
  'nonce.expired': {
    ...nonce.later(
      'the nonce is older than five minutes',
      'wait: the worker asks again; if it persists, find out why a request takes minutes to arrive',
    ),
    http: 403,
  },
  'nonce.spent': {
    ...nonce.later('the nonce was used before', 'wait: the worker asks again with a new nonce'),
    http: 409,
  },
  'report.data-mismatch': rowsOf('binding').refused(
    'REPORT_DATA does not bind this request',
    'look for an attack or a defect; the evidence belongs to another request',
  ),
  'possession.invalid': rowsOf('binding').refused(
    'the request is not signed by the evidence key of its boot',
    'look for an attack or a defect: the requester names the boot of another',
  ),
  'assertion.invalid': rowsOf('assertion').refused(
    'the client assertion is not a valid private_key_jwt of a registered client',
    'check trust.client, its key in the policy, and that the worker may use the Vault key',
  ),
  'boot.mismatch': rowsOf('appraisal').refused(
    'the boot is registered with another evidence key or is revoked',
    'replace the worker, which gives it a new boot; if it comes back, another worker uses its identity',
  ),
  'client.none': rowsOf('appraisal').refused(
    'no permission of the policy is for this client and purpose',
    "compare trust.client and trust.purpose of the worker with the policy; have the policy's signers permit this use",
  ),
  'permission.none': grant.refused(
    'no permission covers this object for this client and purpose',
    'ask the provider for a permission for this client, purpose and dataset; unknown objects get the same answer',
  ),
  'permission.expired': grant.refused(
    'the permission is outside its time window',
    'have the policy signers renew the permission',
  ),
  'assurance.insufficient': grant.refused(
    'the dataset demands a higher level of assurance than the reference values give',
    "run the workload where the whole image is measured, or have the dataset's policy demand less",
  ),
  'grant.expired': grant.refused(
    'the grant is outside its time window',
    'ask the provider to renew the permission',
  ),
  'grant.invalid': grant.later(
    'the grant, its key or its certificate does not verify under the provider root',
    "wait: nothing was opened, the worker asks again; compare its providerRoot with the Verifier's signers; if they belong together, look for an attack",
  ),
  'grant.stale': grant.later(
    'the answer was decided under less than a freshness statement names, or its own statement is not in force',
    'wait: nothing was opened, the worker asks again, at another address if it has one; if it persists, a Verifier is shown an old bucket, or a device in between replays its statements',
  ),
  'scope.invalid': grant.refused(
    'a SMART scope breaks the grammar, or there are more scopes than a permission may have',
    'write the scope as docs/formats/minimum-necessary.md specifies',
  ),
  'scope.exceeded': grant.refused(
    'the request names other scopes than the permission has',
    'ask without a scope: the terms are those of the permission',
  ),
  'quota.exceeded': {
    ...grant.later(
      'the quota of the permission is used up in this window',
      'wait for the next window, or have the policy signers raise the quota; release.refused has limit, use and end',
    ),
    http: 429,
  },
  'object.withdrawn': grant.refused(
    'the provider has withdrawn the object',
    'remove the job: the provider took the object back',
  ),
  'consent.none': grant.later(
    'the dataset has consent keys, but its consent lists cannot be used: there is none, or too many',
    'publish a first list with `consent start`, or have the quorum merge the lists (`consent restore`); then wait for a freshness statement',
  ),
  'clock.skewed': request.later(
    "the Verifier's clock is more than a minute off OCI's, or behind a freshness statement or a log of its side",
    "correct the clock of the Verifier's machine (NTP); it goes on by itself; cw_clock_skew_seconds says by how much it is off OCI's, the message what else it is behind",
  ),
  'policy.none': request.later(
    'no valid policy is in force',
    "publish a policy or keys that load; the Verifier's log says why those in the bucket do not count",
  ),
  'policy.stale': request.later(
    'the policy has not been confirmed for more than 30 seconds, or by no freshness statement in force',
    'check Object Storage, its permission and `freshness --every`; if the bucket does not show what a statement names, the storage hides it',
  ),
  'policy.changed': request.later(
    'policy, revocation list or consent list changed while the request was worked on',
    'wait: the worker asks again, and what is then in force decides',
  ),
  'policy.invalid': request.misconfigured(
    'a policy object does not verify or does not follow its schema',
    'check signers, sequence and schema of the newest objects in the governance bucket',
  ),
  'verifier.unavailable': request.later(
    'the Verifier does not answer',
    "wait: work is kept and asked for again; check the Verifier's /readyz and the network",
  ),
  'client.busy': {
    ...request.later(
      'the client asks more often, or more at once, than one client may',
      'wait: the worker asks again; give large pools more than one client certificate',
    ),
    http: 429,
  },
  'tls.refused': general.refused(
    'the client does not pass the TLS handshake of the Verifier',
    'compare certificate, CA and protocol of both sides; the metric cw_verifier_tls_refused_total says why',
  ),
  'verifier.untrusted': general.later(
    'the answer does not verify under the provider root',
    "wait: nothing was opened, the worker asks again; check that providerRoot is current; otherwise an attacker answers under the Verifier's name",
  ),
  'refusal.unsigned': general.later(
    "the request was refused without a signature of the Verifier's grant key",
    'wait: the worker asks again; the message has the code: look it up; if the Verifier did not log the denial id, look for a device in between',
  ),
  'refusal.unknown': general.later(
    'the Verifier refuses with a code that this worker does not know',
    'update the worker; the message has the code, and the denial id is in the log of the Verifier',
  ),
} as const satisfies Record<string, ErrorRow>

export const SEALED_ERRORS = {
  'object.malformed': grant.malformed(
    'the object does not begin with a sealed-object header',
    'seal the content again; this is not an output of "seal"',
  ),
  'object.unsigned': grant.refused(
    'no sealing key of the dataset signed the header',
    "compare the dataset's sealing keys in the policy with the configuration that sealed the object",
  ),
  'object.unopened': grant.refused(
    'the object does not open: it was cut, changed, or sealed under another key or header',
    'seal the content again, and keep the damaged object for investigation',
  ),
  'object.misplaced': grant.refused(
    'the object is not stored under the name that its header signs',
    'store the object under the name that its header signs; it was copied or renamed',
  ),
  'set.incomplete': grant.refused(
    'the objects asked for are not exactly the members of a set, in the order of its record',
    'process the set by its record; no member is released without the others',
  ),
  'object.changed': grant.refused(
    'the object is no longer the version that was decided on',
    'wait for the next event, which brings the new version; the object was overwritten after the decision',
  ),
  'consent.unopened': general.later(
    'a consent list that the grant names cannot be read, or does not open',
    "wait: the worker asks again; check that workers may read consent-list/ in the governance bucket and that the list's object is there",
  ),
  'consent.oversized': general.refused(
    'the ids of withdrawn patients do not fit into one list',
    'withdraw in several lists; have the data sealed anew without these patients if there are too many for all of them',
  ),
  'key.unopened': custody.refused(
    'the wrapped key does not open with this key',
    'look for an attack; the wrapped key belongs to another request, object or recipient',
  ),
  'record.malformed': general.malformed(
    'a seal record, a manifest or another signed record does not follow its schema',
    'compare the document with docs/formats/sealed.md',
  ),
  'signer.unregistered': general.refused(
    'the registration of the boot that signed a result is not there',
    'wait, since OCI may not show it yet; if it stays away, find out who else writes to the results bucket',
  ),
  'result.revoked': general.refused(
    'the provider has revoked the worker that signed the result',
    'ask the provider why: whoever has the key of a revoked worker can sign any result; `open --revoked` opens it nevertheless',
  ),
  'result.foreign': general.refused(
    'the result name holds a manifest that no registered worker signed',
    'find out who else writes to the results bucket; the job is in the dead-letter stream',
  ),
} as const satisfies Record<string, ErrorRow>
