/** Runs an agent with flags as `name=value` arguments; the real program is in ctl/. */
import { DroverError } from '@network/net'
import { runAgent } from '../src/index.ts'

const flags = Object.fromEntries(
  process.argv.slice(2).map((word) => {
    const at = word.indexOf('=')
    return [word.slice(0, at), word.slice(at + 1)]
  }),
)
try {
  const { FAKE_SPEAKER: fake } = process.env
  await runAgent({
    flags,
    environment: process.env,
    ...(fake === undefined
      ? {}
      : { speakerEntry: new URL('./roles/fake-speaker-worker.ts', import.meta.url) }),
  })
} catch (error) {
  if (!(error instanceof DroverError)) throw error
  process.stderr.write(`error: ${error.message}\nremedy: ${error.remedy ?? ''}\n`)
  process.exitCode = 1
}
