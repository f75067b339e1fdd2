/** What two texts differ in: lines of the first with '-', of the second with '+', and a few around them as they are. */
export function lineDiff(before: string, after: string, context = 2): string[] {
  const [a, b] = [linesOf(before), linesOf(after)]
  const all = alignment(a, b)
  const near = all.map((_, index) =>
    all.slice(Math.max(0, index - context), index + context + 1).some(({ mark }) => mark !== ' '),
  )
  return all.flatMap(({ mark, line }, index) => {
    if (near[index] === true) return [`${mark} ${line}`]
    // One sign for all that is left out.
    return near[index - 1] === true && near.includes(true, index) ? ['  …'] : []
  })
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

interface Line {
  readonly mark: ' ' | '-' | '+'
  readonly line: string
}

/** Above this many pairs of lines the middle is shown as removed and added as a whole. */
const MOST_PAIRS = 4_000_000

/** A longest common subsequence, after what both begin and end with. */
function alignment(a: readonly string[], b: readonly string[]): Line[] {
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++
  const kept = (lines: readonly string[]): Line[] => lines.map((line) => ({ mark: ' ', line }))
  return [
    ...kept(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...kept(a.slice(a.length - end)),
  ]
}

function middle(a: readonly string[], b: readonly string[]): Line[] {
  const removed = a.map((line): Line => ({ mark: '-', line }))
  const added = b.map((line): Line => ({ mark: '+', line }))
  if (a.length * b.length > MOST_PAIRS || a.length === 0 || b.length === 0) return [...removed, ...added]
  // longest[i * width + j]: of what follows line i of the one and line j of the other.
  const width = b.length + 1
  const longest = new Uint32Array((a.length + 1) * width)
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
    }
  }
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push({ mark: ' ', line: a[i] ?? '' })
      i++
      j++
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ mark: '-', line: a[i] ?? '' })
      i++
    } else {
      lines.push({ mark: '+', line: b[j] ?? '' })
      j++
    }
  }
  return lines
}
