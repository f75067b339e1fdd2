/** How well the agent is, and whether it may take work: told by its parts, in sentences. */
import type { Syncer } from '@network/datastore'
import { DroverError } from '@network/net'
import type { Health } from '../metrics/health.ts'
import type { Dataplane } from './dataplane.ts'
import type { Life } from './life.ts'
import type { Membership } from './membership.ts'
import type { ModelLoop } from './model-loop.ts'
import type { PolicyControl } from './policy-control.ts'
import type { SpeakerControl } from './speaker-control.ts'

export interface ReadinessModules {
  health: Health
  syncer: Pick<Syncer, 'state'>
  model: ModelLoop
  membership: Membership
  dataplane: Dataplane
  policy: Pick<PolicyControl, 'faults' | 'written'>
  speaker: SpeakerControl
  life: Life
}

export interface Readiness {
  /** Brings the checks of `health` up to date. */
  refresh(): void
  /** Why nothing can be attached at present. */
  obstacle(): DroverError | undefined
  /** Why it isn't known what is attached; undefined once the model has been in sync. */
  ignorance(): DroverError | undefined
}

/** Every check of an agent, and which questions it answers. */
export const AGENT_CHECKS = {
  store: ['ready'],
  'in-sync': ['ready'],
  node: ['ready'],
  dataplane: ['ready'],
  bgp: ['ready'],
  process: ['ready', 'live'],
} as const

export function createReadiness(modules: ReadinessModules): Readiness {
  const { health, syncer, model, membership, dataplane, policy, speaker, life } = modules
  return {
    refresh() {
      const { state } = syncer
      if (state.status === 'disconnected')
        health.set('store', false, `etcd does not answer: ${state.reason.message}`)
      else health.set('store', true, 'etcd answers.')
      health.set(
        'in-sync',
        model.inSync,
        model.inSync ? 'The model is in sync.' : 'The model is not in sync yet.',
      )
      const trouble = membership.problem
      health.set(
        'node',
        membership.joined && trouble === undefined,
        trouble?.message ??
          (membership.joined ? 'The node is registered.' : 'The node is not registered yet.'),
      )
      const refused = dataplane.faults().length + policy.faults().length
      health.set(
        'dataplane',
        dataplane.started && policy.written,
        !policy.written
          ? 'Policy is not in the kernel yet.'
          : refused === 0
            ? 'The kernel holds what it should.'
            : `${refused} objects of the kernel are not as they should be.`,
      )
      const running = speaker.thread?.running === true
      health.set(
        'bgp',
        speaker.problem === undefined && running,
        speaker.problem?.message ?? (running ? 'The speaker runs.' : 'The speaker does not run yet.'),
      )
    },
    obstacle() {
      if (life.ended())
        return new DroverError('stopping', 'The agent is just stopping.', {
          remedy: 'Try again when it is back.',
        })
      if (membership.problem !== undefined) return membership.problem
      if (!model.inSync || !membership.joined) return notReady(syncer.state)
      if (model.view.get('ClusterInformation', 'default')?.spec.datastoreReady === false) {
        return new DroverError(
          'not-ready',
          'ClusterInformation says datastoreReady: false, so nothing is attached.',
          { remedy: 'Set it to true when the maintenance is over.' },
        )
      }
      return undefined
    },
    ignorance: () => (model.inSync ? undefined : notReady(syncer.state)),
  }
}

function notReady(state: { status: string; reason?: Error }): DroverError {
  return state.reason === undefined
    ? new DroverError('not-ready', 'The agent is still starting: its model is not in sync with etcd yet.', {
        remedy: 'Try again in a moment.',
      })
    : new DroverError(
        'unreachable',
        `The agent has not been in sync since its start, for etcd does not answer: ${state.reason.message}`,
        { remedy: 'Bring etcd back, or correct --etcd-endpoints.' },
      )
}
