/**
 * Reads several iterators side by side and yields what they bring, in the order it came. Each is asked for its next
 * value only when its last one has been taken, so no more than one value per iterator waits here. Ends when one of
 * them ends, fails when one of them fails.
 */
export async function* merge<T>(
  iterators: readonly AsyncIterator<T>[],
): AsyncGenerator<{ index: number; value: T }, void, undefined> {
  const arrived: ({ index: number; result: IteratorResult<T> } | { failure: unknown })[] = []
  let wake: () => void = () => undefined

  function ask(index: number): void {
    iterators[index]
      ?.next()
      .then(
        (result) => arrived.push({ index, result }),
        (failure: unknown) => arrived.push({ failure }),
      )
      .finally(() => {
        wake()
      })
  }

  iterators.forEach((_, index) => {
    ask(index)
  })
  while (iterators.length > 0) {
    const first = arrived.shift()
    if (!first) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      continue
    }
    if ('failure' in first) throw first.failure
    const { index, result } = first
    if (result.done === true) return
    yield { index, value: result.value }
    ask(index)
  }
}
