import { versionOf } from '../input/configuration.ts'
import { cniVersions, newestVersion } from '../result/versions.ts'
import type { Operation } from './operations.ts'

/** VERSION: in the version that was asked in, if it is one of ours. */
export const version: Operation = (_modules, call) =>
  Promise.resolve(
    JSON.stringify({
      cniVersion: call.stdin.trim() === '' ? newestVersion : (versionOf(call.stdin) ?? newestVersion),
      supportedVersions: cniVersions,
    }),
  )
