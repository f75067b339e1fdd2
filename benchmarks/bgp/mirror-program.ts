/** The mirror as a process, to be measured as speakers are. */
import { createMirror } from './mirror.ts'
import { measuredSpeaker } from './plan.ts'

const { address, port } = measuredSpeaker
createMirror().listen({ host: address, port, backlog: 4096 })
