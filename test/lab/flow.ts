import { type LabProcess, type Place, until } from './lab.ts'

/** How a flow of echo requests went. */
export interface FlowReport {
  sent: number
  received: number
  lost: number
}

/** A steady flow of echo requests that runs until it is stopped. */
export interface Flow {
  /** Ends the flow and counts; a request still on its way is waited for. */
  finish(): Promise<FlowReport>
}

/** One echo request and its answer within `timeoutSeconds`. */
export async function reaches(from: Place, address: string, timeoutSeconds = 2): Promise<boolean> {
  const done = await from.attempt('ping', ['-n', '-c', '1', '-W', String(timeoutSeconds), address])
  return done.exitCode === 0
}

let flows = 0

/** Starts a flow of one echo request every `intervalMs`. */
export function startFlow(from: Place, address: string, intervalMs = 10): Flow {
  const ping: LabProcess = from.start(
    `flow-${address.replaceAll(/[^0-9a-f]/g, '-')}-${String(flows++)}`,
    'ping',
    ['-n', '-q', '-i', String(intervalMs / 1000), '-W', '2', address],
  )
  return {
    finish: async () => {
      ping.signal('SIGINT')
      await ping.ended
      // Its last words may still be on their way into the log.
      const numbers = await until(
        'ping has said what it counted',
        () => /(\d+) packets transmitted, (\d+) received/.exec(ping.log()) ?? undefined,
      )
      const [sent, received] = [Number(numbers[1]), Number(numbers[2])]
      return { sent, received, lost: sent - received }
    },
  }
}
