/**
 * The orders in which one state may arrive: as given, reversed, rotated, every event twice, and with an apply after
 * each. `events` name distinct things, so that the end state is the same; managers must agree on all of them.
 */
export function orders<T>(
  events: readonly T[],
): readonly { name: string; steps: readonly (T | 'apply')[] }[] {
  const rotated = [
    ...events.slice(Math.ceil(events.length / 2)),
    ...events.slice(0, Math.ceil(events.length / 2)),
  ]
  return [
    { name: 'as given', steps: [...events] },
    { name: 'reversed', steps: [...events].reverse() },
    { name: 'rotated', steps: rotated },
    { name: 'repeated', steps: events.flatMap((event) => [event, event]) },
    { name: 'twice over', steps: [...events, ...events] },
    { name: 'split', steps: events.flatMap((event) => [event, 'apply' as const]) },
    { name: 'split in reverse', steps: [...events].reverse().flatMap((event) => [event, 'apply' as const]) },
  ]
}
