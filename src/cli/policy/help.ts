/** The configuration of a signer, for the help of each command that reads it. */
export const GOVERN_CONFIGURATION = `
Configuration (JSON; it holds no secret)
  {
    "trust": {
      "providerRoot": {"keys": [{"person": "ada", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}},
                                {"person": "ben", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "…"}}],
                       "threshold": 2},
      "audience": "https://verifier.hospital.example",
      "simulation": false},
    "tenant": "hospital",
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "GOVERNOR"},
            "endpoints": {"vaultCrypto": "https://…", "vaultManagement": "https://…"}},
    "namespace": "hospital",
    "buckets": {"governance": "governance", "freshness": "freshness"}
  }
  buckets.freshness may be left out; then no statement is waited for.`
