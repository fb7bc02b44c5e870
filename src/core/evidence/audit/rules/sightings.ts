/** Compares the workers' entries about manifests with the manifests that are present. */
import { IdSet } from '../compactTable.ts'
import type { Context, Rule } from '../context.ts'
import { isSighting, type Life, type Receipt, type Sighting } from '../life.ts'

export function sightings({ manifests, findings }: Context): Rule {
  const made = new IdSet(32)
  return {
    life: async (life) => {
      for (const { ends } of life.receipts)
        for (const end of ends) if (isSighting(end)) await judge(end, life)
    },
  }

  async function judge(sighting: Sighting, { receipts }: Life): Promise<void> {
    const { entry } = sighting
    const { event, resultId } = entry
    const find = findings.at(sighting, `${event} of result ${resultId}`)
    if (event === 'result.foreign') {
      find('manifest.unverified', 'its worker found a manifest that no registered worker signed')
      return
    }
    const present = await manifests.get(resultId)
    if (present === undefined) find('manifest.missing', 'the manifest is absent')
    else if (present.digest !== entry.manifestDigest)
      find('manifest.contradicted', 'another manifest is present')
    if (event === 'result.superseded') return
    if (!made.add(resultId)) find('result.repeated', 'it was made visible before')
    if (!receipts.some((receipt) => announces(receipt, sighting)))
      find('manifest.unannounced', 'no result.intent precedes it')
  }
}

function announces({ intents }: Receipt, { boot, index, entry }: Sighting): boolean {
  return intents.some(
    (intent) =>
      intent.boot === boot &&
      intent.index < index &&
      intent.entry.resultId === entry.resultId &&
      'attempt' in entry &&
      intent.entry.attempt === entry.attempt,
  )
}
