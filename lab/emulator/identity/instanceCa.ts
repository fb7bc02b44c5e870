/**
 * The certificate authority behind instance identities: an RSA root made on first start, and short-lived leaf
 * certificates whose subject names the instance and its tenancy, as OCI's metadata service hands them out.
 */
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Principal } from '#lab/emulator/service.ts'
import { readOrCreate } from '#lab/readOrCreate.ts'
import { keyPairOf, newRsaKey, signCertificate } from './certificate.ts'

const LEAF_HOURS = 24
const ROOT_HOURS = 10 * 365 * 24

export type Leaf = { readonly certificate: string; readonly privateKey: string }

export type InstanceCa = {
  readonly certificate: X509Certificate
  readonly issue: (instance: Principal, now: number) => Promise<Leaf>
}

export async function openInstanceCa(folder: string, now: number): Promise<InstanceCa> {
  const root = keyPairOf((await readOrCreate(join(folder, 'authority.key'), newRsaKey)).toString())
  const issuer = [
    { shortName: 'O', value: 'emulator' },
    { shortName: 'CN', value: 'emulator instance identity' },
  ]
  const rootPem = await readOrCreate(join(folder, 'authority.pem'), async () =>
    signCertificate({
      subject: issuer,
      issuer,
      publicKey: root.publicKey,
      signer: root.privateKey,
      from: now,
      hours: ROOT_HOURS,
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, critical: true },
      ],
    }),
  )
  return {
    certificate: new X509Certificate(rootPem),
    issue: async (instance, at) => {
      const privateKey = await newRsaKey()
      const certificate = signCertificate({
        subject: [
          { shortName: 'CN', value: instance.id },
          { shortName: 'OU', value: 'opc-certtype:instance' },
          { shortName: 'OU', value: `opc-compartment:${instance.compartmentId}` },
          { shortName: 'OU', value: `opc-instance:${instance.id}` },
          { shortName: 'OU', value: `opc-tenant:${instance.tenancyId}` },
        ],
        issuer,
        publicKey: keyPairOf(privateKey).publicKey,
        signer: root.privateKey,
        from: at,
        hours: LEAF_HOURS,
        extensions: [{ name: 'keyUsage', digitalSignature: true, critical: true }],
      })
      return { certificate, privateKey }
    },
  }
}
